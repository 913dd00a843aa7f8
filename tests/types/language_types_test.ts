/**
 * Code that must not compile: if a line below a `@ts-expect-error` is not an
 * error, checking this file fails. Nothing here runs on a guest.
 *
 * @module
 */
import {
  all,
  args,
  caller,
  comm,
  duration,
  event,
  field,
  fn,
  func,
  kernel,
  not,
  pid,
  process,
  ret,
  sys_openat,
  sys_read,
  sys_write,
  syscalls,
  trace,
} from "xftrace";
import * as xftrace from "xftrace";

function right() {
  trace(sys_openat).filter(field("duration").gt("100us"));
  trace(sys_openat).filter(duration.gt("1.5 ms").and(comm.glob("ssh*")));
  trace(sys_openat).filter(args.filename.startsWith("/etc"));
  trace(sys_openat, sys_read).filter(args.flags.has(1).or(args.fd.eq(3)));
  trace(kernel.vfs_read, fn("ext4_*"), "do_exit").filter(ret.lt(0));
  trace(sys_read).filter(all(args.count.gt("4KiB"), not(pid.eq(1))));
  trace(sys_read).filter((e) => e.duration > 5 && e.comm.startsWith("a"));
  trace(sys_read).filter(process("nginx*").withChildren());
  process("nginx*").trace(sys_read).filter(args.count.gt("4KiB"));
  process(1).withChildren().syscalls("open*").until("1s").count(func);
  process(1).event("sched:sched_switch").filter(field("prev_comm").eq("init"));
  trace(fn("vfs_*")).under(sys_read).depth(3).filter(caller.isForeign());
  event("sched:sched_switch").filter(field("prev_comm").eq("init"));
  event("sched:sched_switch").filter((e) => e.next_pid === 1);
  event("sched:sched_wakeup").filter(args.comm.glob("a*"));
  event("ext4:*").filter(field("anything").gt(5)).count("anything");
  event("sched:sched_switch").count("next_comm", pid).then((t) => t.total);
  trace(sys_write).hist(duration, comm).then((t) => t.rows);
  trace(sys_write).lhist("duration", { from: 0, to: 10, step: 1 }, "comm");
  trace(sys_write).until(event("sched:sched_process_exit")).every("1s");
  syscalls("open*").until(5).until("1m").until((e) => e.pid === 1).top(3);
  syscalls().filter(args.filename.glob("/etc/*"));
  trace(fn("sys_*"), sys_read).filter(args.count.gt(5));
  trace(sys_openat).graph();
  trace(sys_openat).every("1s").count(comm).then((windows) =>
    windows.map(({ from, to, result }) => [from, to, result.total])
  );
  trace(sys_openat).every("1s").depth(2).graph().then((windows) =>
    windows[0].result > 1
  );
  trace(sys_openat).count(func);
}

Deno.test("types: correct code compiles", () => {
  // This is only compiled, not run.
  if (right.length !== 0) throw new Error("it takes nothing");
});

Deno.test("types: wrong code does not compile", () => {
  const wrong = [
    // @ts-expect-error no such unit
    () => trace(sys_openat).filter(duration.gt("100parsecs")),
    // @ts-expect-error a size is not a duration
    () => trace(sys_openat).filter(field("duration").gt("4KiB")),
    // @ts-expect-error a text is not greater or less than a number
    () => trace(sys_openat).filter(comm.gt(5)),
    // @ts-expect-error a number is not a text
    () => trace(sys_openat).filter(pid.eq("init")),
    // @ts-expect-error calls have no such field
    () => trace(sys_openat).filter(field("duraton").gt(5)),
    // @ts-expect-error read has no filename
    () => trace(sys_read).filter(args.filename.startsWith("/etc")),
    // @ts-expect-error the file name is a text
    () => trace(sys_openat).filter(args.filename.gt(5)),
    // @ts-expect-error no kernel has such an argument
    () => args.filenam,
    // @ts-expect-error no such system call
    () => xftrace.sys_opne,
    // @ts-expect-error events have no duration
    () => event("sched:sched_switch").filter(duration.gt("1ms")),
    // @ts-expect-error prev_comm is a text
    () => event("sched:sched_switch").filter(field("prev_comm").gt(5)),
    // @ts-expect-error prev_pid is a number
    () => event("sched:sched_switch").filter(field("prev_pid").eq("init")),
    // @ts-expect-error no such field to count by
    () => event("sched:sched_switch").count("next_com"),
    // @ts-expect-error events have no call graph
    () => event("sched:sched_switch").graph(),
    // @ts-expect-error a time needs a unit
    () => trace(sys_openat).until("5"),
    // @ts-expect-error a filter function returns a boolean
    () => trace(sys_openat).filter((e) => e.comm),
    // @ts-expect-error the function's event has no such field
    () => trace(sys_openat).filter((e) => e.dration > 5),
    // @ts-expect-error an interval needs a unit
    () => trace(sys_openat).every("1 fortnight"),
  ];
  // These are only compiled, not run.
  if (wrong.length < 10) throw new Error("too few cases");
});
