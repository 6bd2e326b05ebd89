; A pool of threads that does the tasks of one parallel region at a time. Needs POSIX threads and futexes.
;
; The caller takes the pool by writing its process number into `owner`; who finds it taken works
; alone, and so does a task that comes here itself. A child after fork() finds another process there,
; and starts with a pool without threads. Workers are started when they are first needed and stay:
; they wait for their `command` to change, at first by looking again and again, then asleep.
;
; Tasks are split evenly by number, so that what one kernel wrote the same thread reads in the next.
; Each takes most of its own part first; who is done takes from the ends of the others' parts. So
; nobody waits long for a thread that is slow, or kept from its processor by another program; nor
; for one that has not even begun, whose command is withdrawn: a worker claims its command before it
; works, and the caller claims it in its stead once no task is left.

; how a run works: number of threads, and a function that calls task(data, 0 ... count - 1), if any
%kerac_parallel = type { i64, ptr, ptr }
; function, its data, number of tasks, number of parts
%kerac_job = type { ptr, ptr, i64, i64 }
; command, whether it sleeps, the command it has seen when it starts, number, the last command that
; was claimed; a cache line long
%kerac_worker = type { i32, i32, i32, i32, i32, [44 x i8] }
; tasks of a part that nobody has taken, the first in the lower half, in the upper one that after the
; last; a cache line long
%kerac_range = type { i64, [56 x i8] }
; owner, process of the workers, number of workers, whether no more can be started
%kerac_team = type { i32, i32, i32, i32 }

@kerac_team = internal global %kerac_team zeroinitializer, align 64
@kerac_job = internal global ptr null, align 64
@kerac_pending = internal global i32 0, align 64
@kerac_asleep = internal global i32 0, align 4
@kerac_workers = internal global [$MOST x %kerac_worker] zeroinitializer, align 64
@kerac_ranges = internal global [$MOST x %kerac_range] zeroinitializer, align 64

declare i32 @getpid()
declare i64 @syscall(i64, ...)
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_detach(i64)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare i32 @sigfillset(ptr)

define internal void @kerac_wait(ptr %word, i32 %value) #1 {
  %wide = zext i32 %value to i64
  call i64 (i64, ...) @syscall(i64 $FUTEX, ptr %word, i64 128, i64 %wide, ptr null, ptr null, i64 0)
  ret void
}

define internal void @kerac_wake(ptr %word) #1 {
  call i64 (i64, ...) @syscall(i64 $FUTEX, ptr %word, i64 129, i64 1, ptr null, ptr null, i64 0)
  ret void
}

; The first task of part `number` of `parts`: the first parts are one task longer where the tasks do
; not divide evenly.
define internal i64 @kerac_first(i64 %total, i64 %parts, i64 %number) #1 {
  %size = udiv i64 %total, %parts
  %rest = urem i64 %total, %parts
  %longer = call i64 @llvm.smin.i64(i64 %number, i64 %rest)
  %even = mul i64 %number, %size
  %first = add i64 %even, %longer
  ret i64 %first
}

; part `number` of a job
define internal void @kerac_part(ptr %job, i64 %number) #1 {
  %data_at = getelementptr %kerac_job, ptr %job, i32 0, i32 1
  %total_at = getelementptr %kerac_job, ptr %job, i32 0, i32 2
  %parts_at = getelementptr %kerac_job, ptr %job, i32 0, i32 3
  %task = load ptr, ptr %job
  %data = load ptr, ptr %data_at
  %total = load i64, ptr %total_at
  %parts = load i64, ptr %parts_at
  %following = add i64 %number, 1
  %first = call i64 @kerac_first(i64 %total, i64 %parts, i64 %number)
  %last = call i64 @kerac_first(i64 %total, i64 %parts, i64 %following)
  call void %task(ptr %data, i64 %first, i64 %last)
  ret void
}

; part `number` of the pool's job as far as nobody else has taken of it, then what is left of others
define internal void @kerac_share(ptr %job, i64 %number) #1 {
entry:
  %data_at = getelementptr %kerac_job, ptr %job, i32 0, i32 1
  %parts_at = getelementptr %kerac_job, ptr %job, i32 0, i32 3
  %task = load ptr, ptr %job
  %data = load ptr, ptr %data_at
  %parts = load i64, ptr %parts_at
  br label %visit
visit:
  %offset = phi i64 [ 0, %entry ], [ %further, %next ]
  %sum = add i64 %number, %offset
  %victim = urem i64 %sum, %parts
  %is_own = icmp eq i64 %offset, 0
  %range_at = getelementptr [$MOST x %kerac_range], ptr @kerac_ranges, i32 0, i64 %victim
  br label %look
look:
  %range = load atomic i64, ptr %range_at acquire, align 8
  %first = and i64 %range, 4294967295
  %last = lshr i64 %range, 32
  %left = sub i64 %last, %first
  %is_empty = icmp eq i64 %left, 0
  br i1 %is_empty, label %next, label %take
take:
  %quarter = lshr i64 %left, 2
  %most = sub i64 %left, %quarter
  %half = lshr i64 %left, 1
  %more_than_half = sub i64 %left, %half
  %front = add i64 %first, %most
  %back = sub i64 %last, %more_than_half
  %begin = select i1 %is_own, i64 %first, i64 %back
  %end = select i1 %is_own, i64 %front, i64 %last
  %left_first = select i1 %is_own, i64 %front, i64 %first
  %left_last = select i1 %is_own, i64 %last, i64 %back
  %upper = shl i64 %left_last, 32
  %new = or i64 %upper, %left_first
  %result = cmpxchg ptr %range_at, i64 %range, i64 %new acq_rel monotonic
  %won = extractvalue { i64, i1 } %result, 1
  br i1 %won, label %do, label %look
do:
  call void %task(ptr %data, i64 %begin, i64 %end)
  br label %look
next:
  %further = add i64 %offset, 1
  %others = icmp slt i64 %further, %parts
  br i1 %others, label %visit, label %done
done:
  ret void
}

; Claim `command` for a worker: true for the one who comes first, the worker itself or its caller.
define internal i1 @kerac_claim(ptr %worker, i32 %command) #1 {
  %claimed = getelementptr %kerac_worker, ptr %worker, i32 0, i32 4
  %before = sub i32 %command, 1
  %result = cmpxchg ptr %claimed, i32 %before, i32 %command seq_cst monotonic
  %won = extractvalue { i32, i1 } %result, 1
  ret i1 %won
}

define internal ptr @kerac_work(ptr %worker) #1 {
entry:
  %sleeps = getelementptr %kerac_worker, ptr %worker, i32 0, i32 1
  %seen_at = getelementptr %kerac_worker, ptr %worker, i32 0, i32 2
  %number_at = getelementptr %kerac_worker, ptr %worker, i32 0, i32 3
  %start = load i32, ptr %seen_at
  %number32 = load i32, ptr %number_at
  %number = zext i32 %number32 to i64
  br label %begin
begin:
  %seen = phi i32 [ %start, %entry ], [ %command, %work ], [ %command, %done ], [ %command, %wake ]
  br label %look
look:
  %count = phi i64 [ 0, %begin ], [ %next, %again ]
  %looked = load atomic i32, ptr %worker acquire, align 4
  %changed = icmp ne i32 %looked, %seen
  br i1 %changed, label %work, label %again
again:
  $PAUSE
  %next = add i64 %count, 1
  %patient = icmp slt i64 %next, $SPINS
  br i1 %patient, label %look, label %sleep
sleep:
  store atomic i32 1, ptr %sleeps seq_cst, align 4
  br label %check
check:
  %checked = load atomic i32, ptr %worker seq_cst, align 4
  %called = icmp ne i32 %checked, %seen
  br i1 %called, label %awake, label %wait
wait:
  call void @kerac_wait(ptr %worker, i32 %seen)
  br label %check
awake:
  store atomic i32 0, ptr %sleeps seq_cst, align 4
  br label %work
work:
  %command = phi i32 [ %looked, %look ], [ %checked, %awake ]
  %is_mine = call i1 @kerac_claim(ptr %worker, i32 %command)
  br i1 %is_mine, label %share, label %begin
share:
  %job = load ptr, ptr @kerac_job
  call void @kerac_share(ptr %job, i64 %number)
  %before = atomicrmw sub ptr @kerac_pending, i32 1 seq_cst
  %asleep = load atomic i32, ptr @kerac_asleep seq_cst, align 4
  %last = icmp eq i32 %before, 1
  %waits = icmp ne i32 %asleep, 0
  %wakes = and i1 %last, %waits
  br i1 %wakes, label %wake, label %done
wake:
  call void @kerac_wake(ptr @kerac_pending)
  br label %begin
done:
  br label %begin
}

; Start workers until there are `wanted`; returns how many there are. No signal is handled by them.
define internal i32 @kerac_start(i32 %wanted) #1 {
entry:
  %thread = alloca i64
  %all = alloca [128 x i8], align 8
  %old = alloca [128 x i8], align 8
  %count_at = getelementptr %kerac_team, ptr @kerac_team, i32 0, i32 2
  %failed_at = getelementptr %kerac_team, ptr @kerac_team, i32 0, i32 3
  br label %look
look:
  %count = load i32, ptr %count_at
  %failed = load i32, ptr %failed_at
  %enough = icmp sge i32 %count, %wanted
  %stopped = icmp ne i32 %failed, 0
  %stop = or i1 %enough, %stopped
  br i1 %stop, label %done, label %start
start:
  %worker = getelementptr [$MOST x %kerac_worker], ptr @kerac_workers, i32 0, i32 %count
  %sleeps = getelementptr %kerac_worker, ptr %worker, i32 0, i32 1
  %seen_at = getelementptr %kerac_worker, ptr %worker, i32 0, i32 2
  %number_at = getelementptr %kerac_worker, ptr %worker, i32 0, i32 3
  %claimed_at = getelementptr %kerac_worker, ptr %worker, i32 0, i32 4
  %seen = load i32, ptr %worker
  %number = add i32 %count, 1
  store i32 %seen, ptr %claimed_at
  store i32 0, ptr %sleeps
  store i32 %seen, ptr %seen_at
  store i32 %number, ptr %number_at
  call i32 @sigfillset(ptr %all)
  call i32 @pthread_sigmask(i32 2, ptr %all, ptr %old)
  %code = call i32 @pthread_create(ptr %thread, ptr null, ptr @kerac_work, ptr %worker)
  call i32 @pthread_sigmask(i32 2, ptr %old, ptr null)
  %bad = icmp ne i32 %code, 0
  br i1 %bad, label %fail, label %started
started:
  %handle = load i64, ptr %thread
  call i32 @pthread_detach(i64 %handle)
  store i32 %number, ptr %count_at
  br label %look
fail:
  store i32 1, ptr %failed_at
  br label %look
done:
  ret i32 %count
}

; Do tasks 0 ... total - 1 of task(data, first, last), which are worth `worth` threads.
define internal void @kerac_run(ptr %parallel, ptr %task, ptr %data, i64 %total, i64 %worth) #1 {
entry:
  %job = alloca %kerac_job
  %threads = load atomic i64, ptr %parallel monotonic, align 8
  %function_at = getelementptr %kerac_parallel, ptr %parallel, i32 0, i32 1
  %function = load ptr, ptr %function_at
  %least = call i64 @llvm.smin.i64(i64 %threads, i64 %worth)
  %parts = call i64 @llvm.smin.i64(i64 %least, i64 %total)
  %data_at = getelementptr %kerac_job, ptr %job, i32 0, i32 1
  %total_at = getelementptr %kerac_job, ptr %job, i32 0, i32 2
  %parts_at = getelementptr %kerac_job, ptr %job, i32 0, i32 3
  store ptr %task, ptr %job
  store ptr %data, ptr %data_at
  store i64 %total, ptr %total_at
  store i64 %parts, ptr %parts_at
  %several = icmp sgt i64 %parts, 1
  %countable = icmp slt i64 %total, 4294967296
  %splits = and i1 %several, %countable
  br i1 %splits, label %split, label %alone
alone:
  call void %task(ptr %data, i64 0, i64 %total)
  ret void
split:
  %own = icmp eq ptr %function, null
  br i1 %own, label %take, label %given
given:
  %context_at = getelementptr %kerac_parallel, ptr %parallel, i32 0, i32 2
  %context = load ptr, ptr %context_at
  call void %function(ptr %context, ptr @kerac_part, ptr %job, i64 %parts)
  ret void
take:
  %process = call i32 @getpid()
  %owner = load atomic i32, ptr @kerac_team monotonic, align 4
  %taken = icmp eq i32 %owner, %process
  br i1 %taken, label %alone, label %try
try:
  %result = cmpxchg ptr @kerac_team, i32 %owner, i32 %process seq_cst monotonic
  %won = extractvalue { i32, i1 } %result, 1
  br i1 %won, label %owned, label %alone
owned:
  %process_at = getelementptr %kerac_team, ptr @kerac_team, i32 0, i32 1
  %count_at = getelementptr %kerac_team, ptr @kerac_team, i32 0, i32 2
  %failed_at = getelementptr %kerac_team, ptr @kerac_team, i32 0, i32 3
  %known = load i32, ptr %process_at
  %same = icmp eq i32 %known, %process
  br i1 %same, label %staff, label %reset
reset:
  store i32 %process, ptr %process_at
  store i32 0, ptr %count_at
  store i32 0, ptr %failed_at
  br label %staff
staff:
  %most = call i64 @llvm.smin.i64(i64 %parts, i64 $MOST)
  %most32 = trunc i64 %most to i32
  %wanted = sub i32 %most32, 1
  %count = call i32 @kerac_start(i32 %wanted)
  %workers = call i32 @llvm.smin.i32(i32 %count, i32 %wanted)
  %any = icmp sgt i32 %workers, 0
  br i1 %any, label %publish, label %leave
leave:
  store atomic i32 0, ptr @kerac_team release, align 4
  br label %alone
publish:
  %hands = add i32 %workers, 1
  %hands64 = zext i32 %hands to i64
  store i64 %hands64, ptr %parts_at
  store ptr %job, ptr @kerac_job
  br label %deal
deal:
  %part = phi i64 [ 0, %publish ], [ %part_after, %deal ]
  %part_after = add i64 %part, 1
  %part_first = call i64 @kerac_first(i64 %total, i64 %hands64, i64 %part)
  %part_last = call i64 @kerac_first(i64 %total, i64 %hands64, i64 %part_after)
  %part_upper = shl i64 %part_last, 32
  %range = or i64 %part_upper, %part_first
  %range_at = getelementptr [$MOST x %kerac_range], ptr @kerac_ranges, i32 0, i64 %part
  store atomic i64 %range, ptr %range_at release, align 8
  %dealt = icmp eq i64 %part_after, %hands64
  br i1 %dealt, label %ready_to_command, label %deal
ready_to_command:
  store atomic i32 0, ptr @kerac_asleep monotonic, align 4
  store atomic i32 %workers, ptr @kerac_pending seq_cst, align 4
  br label %command
command:
  %place = phi i32 [ 0, %ready_to_command ], [ %following, %commanded ]
  %worker = getelementptr [$MOST x %kerac_worker], ptr @kerac_workers, i32 0, i32 %place
  %sleeps = getelementptr %kerac_worker, ptr %worker, i32 0, i32 1
  %old = load i32, ptr %worker
  %new = add i32 %old, 1
  store atomic i32 %new, ptr %worker seq_cst, align 4
  %asleep = load atomic i32, ptr %sleeps seq_cst, align 4
  %sleeping = icmp ne i32 %asleep, 0
  br i1 %sleeping, label %rouse, label %commanded
rouse:
  call void @kerac_wake(ptr %worker)
  br label %commanded
commanded:
  %following = add i32 %place, 1
  %more = icmp slt i32 %following, %workers
  br i1 %more, label %command, label %own_part
own_part:
  call void @kerac_share(ptr %job, i64 0)
  br label %withdraw
withdraw:
  %asked = phi i32 [ 0, %own_part ], [ %asked_next, %withdrawn ]
  %asked_at = getelementptr [$MOST x %kerac_worker], ptr @kerac_workers, i32 0, i32 %asked
  %given_command = load i32, ptr %asked_at
  %is_late = call i1 @kerac_claim(ptr %asked_at, i32 %given_command)
  br i1 %is_late, label %excuse, label %withdrawn
excuse:
  atomicrmw sub ptr @kerac_pending, i32 1 seq_cst
  br label %withdrawn
withdrawn:
  %asked_next = add i32 %asked, 1
  %asks = icmp slt i32 %asked_next, %workers
  br i1 %asks, label %withdraw, label %look
look:
  %spins = phi i64 [ 0, %withdrawn ], [ %spun, %again ]
  %left = load atomic i32, ptr @kerac_pending acquire, align 4
  %ready = icmp eq i32 %left, 0
  br i1 %ready, label %done, label %again
again:
  $PAUSE
  %spun = add i64 %spins, 1
  %patient = icmp slt i64 %spun, $SPINS
  br i1 %patient, label %look, label %sleep
sleep:
  store atomic i32 1, ptr @kerac_asleep seq_cst, align 4
  %still = load atomic i32, ptr @kerac_pending seq_cst, align 4
  %over = icmp eq i32 %still, 0
  br i1 %over, label %done, label %wait
wait:
  call void @kerac_wait(ptr @kerac_pending, i32 %still)
  br label %sleep
done:
  store atomic i32 0, ptr @kerac_team release, align 4
  ret void
}
