/** The library on recordings, as scripts use it, with `--allow-read`. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  comm,
  CompileError,
  duration,
  Guest,
  open,
  planText,
  sys_openat,
  trace,
  XftraceError,
} from "xftrace";

const KERNELS = ["6.1", "6.12"] as const;

function recording(kernel: string): string {
  const url = import.meta.resolve(`../../testdata/guest-${kernel}.core.zst`);
  return `core:${fileURLToPath(url)}`;
}

for (const kernel of KERNELS) {
  Deno.test(`the recorded ${kernel} guest is opened, traced and described`, async () => {
    await using guest = await open(recording(kernel));
    assert.equal(guest.running, false);
    assert.ok(guest.target.startsWith("core:"));
    assert.ok(guest.kernel.release.startsWith(kernel));
    assert.equal(guest.kernel.object("init_task").comm, "swapper/0");
    const calls = trace(sys_openat).on(guest);
    const [byCommand, events] = await Promise.all([
      calls.count(comm),
      calls.collect(),
    ]);
    assert.equal(byCommand.total, events.length);
    assert.ok(events.length > 50);
    // .on(guest) can be anywhere in the chain, also after the sink.
    const again = await trace(sys_openat).count(comm).on(guest);
    assert.deepEqual(again.rows, byCommand.rows);
    const filtered = await calls.filter(duration.gt("1ms")).collect();
    assert.ok(filtered.length > 0 && filtered.length < events.length);
    const windows = await calls.every("10ms").count();
    assert.equal(
      windows.reduce((sum, { result }) => sum + result.total, 0),
      events.length,
    );
  });

  Deno.test(`the recorded ${kernel} guest: queries that are awaited together share a pass`, async () => {
    const guest = new CountedRuns((await open(recording(kernel))).session);
    using _closed = guest;
    const calls = trace(sys_openat).on(guest);
    await Promise.all([calls.count(), calls.count(comm), calls.top(2)]);
    assert.deepEqual(guest.runs, [3]);
    await calls.count();
    assert.deepEqual(guest.runs, [3, 1]);
  });

  Deno.test(`the recorded ${kernel} guest: a loop gets events one by one`, async () => {
    await using guest = await open(recording(kernel));
    const commands: string[] = [];
    for await (const call of trace(sys_openat).on(guest)) {
      commands.push(call.comm);
      if (commands.length === 5) break;
    }
    assert.equal(commands.length, 5);
  });
}

Deno.test("a guest that is closed during a run stays open until the run has ended", async () => {
  for (const how of [Symbol.dispose, Symbol.asyncDispose] as const) {
    const { session } = await open(recording("6.1"));
    let closed = 0;
    const guest = new Guest({
      ...session,
      [Symbol.dispose]: () => {
        closed++;
        session[Symbol.dispose]();
      },
    });
    const waits: unknown[] = [];
    let during = -1;
    const query = trace(sys_openat).into({
      event: () => {
        if (waits.length === 0) waits.push(guest[how]());
        during = closed;
      },
    });
    const { events } = await guest.run([query]);
    assert.ok(events[0] > 0);
    assert.deepEqual([during, closed], [0, 1]);
    await Promise.all(waits);
    guest[Symbol.dispose]();
    assert.equal(closed, 1);
    await assert.rejects(guest.run([query]), /has been closed/);
  }
});

/** Counts the queries of each run. */
class CountedRuns extends Guest {
  readonly runs: number[] = [];
  override run(...[queries, options]: Parameters<Guest["run"]>) {
    this.runs.push(queries.length);
    return super.run(queries, options);
  }
}

Deno.test("output goes where the guest's options say", async () => {
  let text = "";
  await using guest = await open(recording("6.1"), {
    write: (part) => text += part,
  });
  const printed = await trace(sys_openat).until(3).on(guest).print();
  assert.equal(printed, 3);
  assert.equal(text.trimEnd().split("\n").length, 3);
  assert.match(text, /sys_openat\(dfd: -100/);
});

Deno.test("a run returns details, and a plan can be made without a run", async () => {
  await using guest = await open(recording("6.1"), { write: () => {} });
  const query = trace(sys_openat).until(3).print();
  const plan = guest.plan([query]);
  assert.deepEqual(plan.steps, []);
  assert.match(planText(plan), /^Plan {2}/);
  let told: unknown;
  const result = await guest.run([query], { onPlan: (plan) => told = plan });
  assert.deepEqual(told, plan);
  assert.deepEqual(result.results, [3]);
  assert.equal(result.ended, "until");
  assert.equal(result.lost, 0);
});

Deno.test("checks run on a recording", async () => {
  await using guest = await open(recording("6.12"));
  const { outcomes } = await guest.check({ only: ["XF001", "XF012"] });
  assert.deepEqual(outcomes.map(({ check }) => check.id), ["XF001", "XF012"]);
  await assert.rejects(
    Promise.try(() => guest.check({ only: ["XF999"] })),
    XftraceError,
  );
});

Deno.test("a name means the same functions when they are listed and traced", async () => {
  await using guest = await open(recording("6.12"));
  const names = (asked: string) =>
    guest.functions(asked).map(({ name }) => name).sort();
  assert.deepEqual(names("sys_openat"), ["__x64_sys_openat"]);
  assert.deepEqual(names("sys_stat"), [
    "__x64_sys_newfstatat",
    "__x64_sys_newstat",
    "__x64_sys_statx",
  ]);
  assert.deepEqual(names("sys_openat*"), [
    "__x64_sys_openat",
    "__x64_sys_openat2",
  ]);
  assert.deepEqual(names("vfs_read"), ["vfs_read"]);
  for (
    const [unknown, message] of [
      ["sys_opnat", /no function "sys_opnat": did you mean "sys_openat"/],
      ["zzz*", /no function of the kernel 6\.12\S* matches "zzz\*"/],
      ["do_syscall_64", /"do_syscall_64" cannot be traced/],
    ] as const
  ) {
    assert.throws(() => names(unknown), message);
  }
});

Deno.test("errors say what to do", async () => {
  await assert.rejects(
    open("qemu:web1"),
    /"qemu:web1" is no recording, and reading a guest's memory takes native code: import open from "xftrace\/live", and start with deno run --allow-all/,
  );
  await assert.rejects(open("guest.core"), /did you mean .*core:guest\.core/);
  await assert.rejects(open("core:/nowhere.core"), XftraceError);
  await assert.rejects(
    Promise.resolve(trace(sys_openat).count()),
    /no target is open for this query: put it on one that is, as in trace\(sys_openat\)\.on\(guest\)/,
  );
  const guest = await open(recording("6.1"));
  await assert.rejects(
    Promise.resolve(trace("no_such_function").on(guest).count()),
    CompileError,
  );
  await guest[Symbol.asyncDispose]();
  guest[Symbol.dispose]();
  await assert.rejects(
    Promise.resolve(trace(sys_openat).on(guest).count()),
    /has been closed: work on it within the block that opened it/,
  );
  assert.equal(guest.running, false);
});
