define void @kernel(ptr noalias nocapture %x, ptr noalias nocapture %keep, ptr noalias nocapture %sum, i64 %T, i64 %N) #0 {
entry:
  %t0 = udiv i64 %N, 32768
  %first = add i64 0, 0
  %last = add i64 %N, 0
  %.x2 = icmp slt i64 %first, %last
  br i1 %.x2, label %r.1.body, label %r.1.end
r.1.body:
  %r = phi i64 [ %first, %entry ], [ %r.1.next, %if.12.end ]
  %n0 = bitcast <4 x float> splat (float 0x0000000000000000) to <4 x float>
  %.x4 = icmp slt i64 0, %T
  br i1 %.x4, label %i.3.body, label %i.3.end
i.3.body:
  %i = phi i64 [ 0, %r.1.body ], [ %i.3.next, %i.3.body ]
  %i_in = phi <4 x float> [ %n0, %r.1.body ], [ %t5, %i.3.body ]
  %t1 = sub nsw i64 %T, %i
  %.x5 = insertelement <4 x i64> poison, i64 %t1, i64 0
  %.x6 = shufflevector <4 x i64> %.x5, <4 x i64> poison, <4 x i32> zeroinitializer
  %m0 = icmp slt <4 x i64> <i64 0, i64 1, i64 2, i64 3>, %.x6
  %t2 = mul nsw i64 %r, %T
  %t3 = add nsw i64 %t2, %i
  %.x7 = getelementptr float, ptr %x, i64 %t3
  %v0 = call <4 x float> @llvm.masked.load.v4f32.p0(ptr %.x7, i32 4, <4 x i1> %m0, <4 x float> zeroinitializer)
  %.x8 = getelementptr i8, ptr %keep, i64 %i
  %.x9 = call <4 x i8> @llvm.masked.load.v4i8.p0(ptr %.x8, i32 1, <4 x i1> %m0, <4 x i8> zeroinitializer)
  %v1 = icmp ne <4 x i8> %.x9, splat (i8 0)
  %t4 = select <4 x i1> %v1, <4 x float> %v0, <4 x float> splat (float 0x0000000000000000)
  %t5 = fadd <4 x float> %i_in, %t4
  %i.3.next = add nuw nsw i64 %i, 4
  %.x10 = icmp slt i64 %i.3.next, %T
  br i1 %.x10, label %i.3.body, label %i.3.end
i.3.end:
  %i_out = phi <4 x float> [ %t5, %i.3.body ], [ %n0, %r.1.body ]
  %n1 = bitcast float 0x0000000000000000 to float
  %.x11 = getelementptr inbounds float, ptr %sum, i64 %r
  store float %n1, ptr %.x11, align 4
  %t6 = icmp slt i64 %r, 3
  br i1 %t6, label %if.12.then, label %if.12.end
if.12.then:
  %t7 = call reassoc float @llvm.vector.reduce.fadd.v4f32(float 0x8000000000000000, <4 x float> %i_out)
  %.x13 = getelementptr inbounds float, ptr %sum, i64 %r
  store float %t7, ptr %.x13, align 4
  br label %if.12.end
if.12.end:
  %r.1.next = add nuw nsw i64 %r, 1
  %.x14 = icmp slt i64 %r.1.next, %last
  br i1 %.x14, label %r.1.body, label %r.1.end
r.1.end:
  ret void
}

declare <4 x float> @llvm.masked.load.v4f32.p0(ptr, i32, <4 x i1>, <4 x float>)
declare <4 x i8> @llvm.masked.load.v4i8.p0(ptr, i32, <4 x i1>, <4 x i8>)
declare float @llvm.vector.reduce.fadd.v4f32(float, <4 x float>)
