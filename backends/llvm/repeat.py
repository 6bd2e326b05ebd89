"""Several runs of a compiled graph in one call, each on the next batch of its first inputs."""

from __future__ import annotations

from functools import cache

from kerac.backends.llvm.target import find_target

FUNCTION = "kerac_repeat"
TEXT = """
define i32 @kerac_repeat(ptr %run, ptr %inputs, ptr %outputs, ptr %dims, ptr %workspace,
                         ptr %parallel, ptr %strides, i64 %moving, i64 %steps, ptr %counter) {
entry:
  br label %step
step:
  %number = phi i64 [ 0, %entry ], [ %next, %moved ]
  %code = call i32 %run(ptr %inputs, ptr %outputs, ptr %dims, ptr %workspace, ptr %parallel)
  %is_ok = icmp eq i32 %code, 0
  br i1 %is_ok, label %count, label %end
count:
  %old = load i32, ptr %counter, align 4
  %new = add i32 %old, 1
  store i32 %new, ptr %counter, align 4
  br label %move
move:
  %input = phi i64 [ 0, %count ], [ %following, %move_one ]
  %is_left = icmp slt i64 %input, %moving
  br i1 %is_left, label %move_one, label %moved
move_one:
  %place = getelementptr ptr, ptr %inputs, i64 %input
  %array = load ptr, ptr %place, align 8
  %stride_place = getelementptr i64, ptr %strides, i64 %input
  %stride = load i64, ptr %stride_place, align 8
  %after = getelementptr i8, ptr %array, i64 %stride
  store ptr %after, ptr %place, align 8
  %following = add i64 %input, 1
  br label %move
moved:
  %next = add i64 %number, 1
  %goes_on = icmp slt i64 %next, %steps
  br i1 %goes_on, label %step, label %end
end:
  ret i32 %code
}
"""


@cache
def repeat_address() -> int:
    """Where the function lies in this process; made once, and never freed."""
    from kerac.backends.llvm.jit import lasting_code

    return lasting_code(TEXT, FUNCTION, find_target()).address(FUNCTION)
