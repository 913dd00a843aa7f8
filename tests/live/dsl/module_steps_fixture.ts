/**
 * Steps that test the language on a guest with the module: push-down into it,
 * the results, and that nothing is left behind.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  args,
  comm,
  compile,
  type CountTable,
  event,
  type Query,
  ret,
  sys_openat,
  sys_read,
  trace,
} from "../../../mod.ts";
import { stepText } from "../../../engine/control/plan_text.ts";
import {
  openRunTarget,
  runProgram,
  type RunResult,
} from "../../../engine/run/run.ts";
import type { Session } from "../../../engine/session.ts";
import type { Guest } from "../../../lab/mod.ts";
import foreignCalls from "../../../scripts/foreign_calls.ts";
import { moduleFor } from "../seal/support_fixture.ts";

/** Reads files with the same calls each time; nothing else runs md5sum. */
const WORK = "md5sum /etc/passwd /etc/group /init /bin/busybox >/dev/null";
const FILTERS =
  "cd /sys/kernel/tracing && cat set_ftrace_filter enabled_functions current_tracer events/enable set_graph_function max_graph_depth";

/** Runs queries while the guest does some work. */
async function around(
  session: Session,
  queries: readonly Query<unknown>[],
  work: () => Promise<unknown>,
  push = true,
): Promise<RunResult & { readonly steps: string }> {
  const target = openRunTarget(session);
  const program = compile(queries.map((query) => query.spec), target.facts, {
    push,
  });
  const stop = new AbortController();
  let working: Promise<unknown> | undefined;
  const result = await runProgram(program, target, {
    write: () => {},
    signal: stop.signal,
    onStart: () => {
      working = work().finally(() => stop.abort());
      // The failure is reported by the await below.
      working.catch(() => {});
    },
  });
  await working;
  const steps = program.plan.steps.map((step) => stepText(step).what)
    .join(" ");
  return { ...result, steps };
}

/** Fails when an entry was lost or tampered with. */
function assertWhole({ lost, sealed, warnings }: RunResult): void {
  assert.equal(lost, 0);
  assert.ok(sealed !== undefined && sealed.counts.verified > 0);
  const { verified: _, ...others } = sealed.counts;
  assert.deepEqual(Object.values(others).filter((n) => n > 0), []);
  assert.deepEqual(warnings, []);
}

/** A checksum of the kernel's text, taken while the guest is stopped. */
async function textSum(guest: Guest, session: Session): Promise<string> {
  const { space, symbols } = session.kernel;
  const end = symbols.address("_etext");
  const sum = createHash("sha256");
  await guest.qmp("stop");
  try {
    for (let at = symbols.address("_stext"); at < end; at += 4096n) {
      sum.update(space.bytes(at, 4096));
    }
  } finally {
    await guest.qmp("cont");
  }
  return sum.digest("hex");
}

/** Runs the steps on a guest under load; afterwards it has no tracer. */
export async function moduleSteps(
  t: Deno.TestContext,
  kernel: string,
  guest: Guest,
  session: Session,
): Promise<void> {
  await guest.sh(
    "cd /sys/kernel/tracing && echo 0 > events/enable && echo nop > current_tracer",
  );
  await guest.put(await moduleFor(kernel), "/tmp/xftrace.ko");
  await guest.sh("insmod /tmp/xftrace.ko");
  const before = await textSum(guest, session);
  const filters = await guest.sh(FILTERS);
  const work = () => guest.sh(WORK);

  await t.step(
    "module: results are the same with and without push-down",
    async () => {
      const reads = trace("vfs_read", "rw_verify_area").under(sys_read)
        .filter(comm.eq("md5sum")).count("func");
      const told = await around(session, [reads], work);
      const untold = await around(session, [reads], work, false);
      assert.equal(told.steps, "module keys enabled");
      assertWhole(told);
      assertWhole(untold);
      const [table] = told.results as CountTable[];
      assert.ok(table.get("vfs_read") > 100, table.toString());
      assert.deepEqual(untold.results, told.results);
      console.log(
        `  ${kernel}: ${table.total} events, from ${told.read} entries when the module is told, from ${untold.read} when not`,
      );
    },
  );

  await t.step("module: arguments, callers, names of threads", async () => {
    const opens = trace(sys_openat).filter(args.filename.eq("/etc/group"));
    const result = await around(
      session,
      [opens.filter(comm.eq("md5sum")).collect()],
      work,
    );
    assertWhole(result);
    const list = result.results[0] as { caller?: string; func: string }[];
    assert.equal(list.length, 1);
    assert.equal(list[0].func, "sys_openat");
    assert.match(list[0].caller ?? "", /^(do_syscall_64|x64_sys_call)$/);
  });

  await t.step(
    "module: events are enabled only while the trace runs",
    async () => {
      const exits = event("sched:sched_process_exit").count();
      const failed = trace(sys_openat).filter(ret.lt(0)).count(comm);
      const result = await around(
        session,
        [exits, failed],
        () => guest.sh(`cat /no/such/file 2>/dev/null; true`),
      );
      assert.equal(result.steps, "enable");
      const [count, names] = result.results as CountTable[];
      assert.ok(count.total > 0);
      assert.ok(names.get("cat") > 0, names.toString());
    },
  );

  await t.step(
    "module: an event that the guest switches itself stays as it is",
    async () => {
      const file = "/sys/kernel/tracing/events/sched/sched_process_exit/enable";
      const exits = event("sched:sched_process_exit").count();
      const result = await around(
        session,
        [exits],
        () => guest.sh(`cat ${file} | grep -q 1 && echo 0 > ${file}`),
      );
      assert.match(
        result.warnings.join("\n"),
        /^events\/sched\/sched_process_exit\/enable was changed by the guest since \(it holds "0", this run left "1"\)/,
      );
      assert.equal((await guest.sh(`cat ${file}`)).trim(), "0");
    },
  );

  // tests/live/seal/hooks_test.ts tests hooks on both kernels.
  if (kernel === "6.12") {
    await t.step("module: a hook is seen as a caller", async () => {
      await hookStep(kernel, guest, session, work);
    });
  }

  await t.step("module: nothing is left behind", async () => {
    assert.equal(await textSum(guest, session), before);
    assert.equal(await guest.sh(FILTERS), filters);
    await guest.sh("rmmod xftrace");
  });
}

async function hookStep(
  kernel: string,
  guest: Guest,
  session: Session,
  work: () => Promise<unknown>,
): Promise<void> {
  const name = "seal_hook_notrace";
  const hook = await moduleFor(kernel, name, "../../../guest/fixtures/seal");
  await guest.put(hook, `/tmp/${name}.ko`);
  const queries = () =>
    foreignCalls.queries(["--functions", "sys_openat", "--for", "1h"]);
  const clean = await around(session, queries(), work);
  assertWhole(clean);
  assert.equal(clean.events[0], 0);
  await guest.sh(`insmod /tmp/${name}.ko`);
  const hooked = await around(session, queries(), work);
  await guest.sh(`rmmod ${name}`);
  assert.ok(hooked.events[0] > 0);
  assert.match(
    String(hooked.results[1]),
    /sys_openat, .*\[seal_hook_notrace\]/,
  );
}
