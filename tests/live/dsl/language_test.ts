/**
 * The language on running guests: every script and every lesson runs; exactly
 * what the plan prints is written, and it is undone.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  compile,
  type Plan,
  type Query,
  sys_write,
  trace,
} from "../../../mod.ts";
import { KernelError } from "../../../engine/base/errors.ts";
import { Follower } from "../../../engine/ftrace/ring/follower.ts";
import { traceLayout } from "../../../engine/ftrace/ring/meta.ts";
import { TraceArray } from "../../../engine/ftrace/ring/trace_array.ts";
import { lookAt } from "../../../engine/control/look.ts";
import type { WordChange } from "../../../engine/control/plan.ts";
import {
  openRunTarget,
  runProgram,
  type RunResult,
} from "../../../engine/run/run.ts";
import type { Session } from "../../../engine/session.ts";
import { attach } from "../../../ffi/attach.ts";
import { Guest } from "../../../lab/mod.ts";
import { oneLiner } from "xftrace";
import type { Script } from "../../../scripts/script.ts";
import blockTime from "../../../scripts/block_time.ts";
import callGraph from "../../../scripts/call_graph.ts";
import execs from "../../../scripts/execs.ts";
import foreignCalls from "../../../scripts/foreign_calls.ts";
import irqTime from "../../../scripts/irq_time.ts";
import latencyHistogram from "../../../scripts/latency_histogram.ts";
import opens from "../../../scripts/opens.ts";
import processTree from "../../../scripts/process_tree.ts";
import slowSyscalls from "../../../scripts/slow_syscalls.ts";
import syscallCounts from "../../../scripts/syscall_counts.ts";
import whoCalls from "../../../scripts/who_calls.ts";
import { LESSONS } from "../../dsl/one_liners_fixture.ts";
import {
  declared,
  errorsOfGuest,
  renewedOnTerminal,
  typesOfGuest,
} from "./guest_steps_fixture.ts";
import { moduleSteps } from "./module_steps_fixture.ts";

const CALLS = ["openat", "execve"].flatMap((name) => [
  `syscalls:sys_enter_${name}`,
  `syscalls:sys_exit_${name}`,
]);
const APPEND = [
  "trace_buf_size=8M",
  `trace_event=sched:sched_switch,sched:sched_process_fork,sched:sched_process_exec,${
    CALLS.join(",")
  }`,
  "ftrace=function_graph",
  "ftrace_graph_filter=__x64_sys_openat,__x64_sys_read,__x64_sys_write,vfs_read",
].join(" ");

/** Opens, reads and writes files and starts programs, without end. */
const LOAD =
  "while :; do ls -l /bin; cat /etc/passwd /proc/meminfo; sh -c 'wc -c /proc/cpuinfo | cat'; dd if=/dev/zero of=/tmp/x bs=4096 count=20; sleep 0.1; done >/dev/null 2>&1 &";

/** The scripts; those that are marked may print nothing on these guests. */
const SCRIPTS: readonly [script: Script, sees: boolean, ...args: string[]][] = [
  [opens, true],
  [execs, true],
  [slowSyscalls, true, "--over", "10us"],
  [syscallCounts, true],
  [latencyHistogram, true],
  [callGraph, true, "--calls", "1"],
  [whoCalls, true, "--function", "kmem_cache_alloc*", "--under", "sys_openat"],
  [irqTime, false],
  [blockTime, false],
  [foreignCalls, false],
  [processTree, true, "--process", "sh"],
];

async function run(
  session: Session,
  queries: readonly Query<unknown>[],
  signal?: AbortSignal,
): Promise<RunResult & { written: string }> {
  const target = openRunTarget(session);
  const program = compile(queries.map((query) => query.spec), target.facts);
  let written = "";
  const result = await runProgram(program, target, {
    write: (text) => {
      written += text;
    },
    ...(signal === undefined ? {} : { signal }),
  });
  return { ...result, written };
}

/** The offsets of 8-byte words that differ between two memory images. */
function changed(a: Uint8Array, b: Uint8Array): Set<number> {
  const x = new BigUint64Array(a.buffer, 0, a.length / 8);
  const y = new BigUint64Array(b.buffer, 0, b.length / 8);
  const words = new Set<number>();
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) words.add(i * 8);
  return words;
}

/** The words that a plan changes. */
function wordsOf({ steps }: Plan): WordChange[] {
  return steps.flatMap(({ changes }) => changes ?? [])
    .filter((change) => change.way === "word");
}

/** The current control words, to be compared after a run. */
function controls(session: Session): string {
  const { facts } = openRunTarget(session);
  const { tracer, recording, roots, maxDepth, events } = facts;
  const enabled = events.all.filter((event) => event.enabled);
  return JSON.stringify({ tracer, recording, roots, maxDepth, enabled });
}

/**
 * Stops the guest at a moment when none of its CPUs is writing an event: a
 * half-written event could not be followed while the guest is stopped.
 */
async function stopBetweenWrites(
  guest: Guest,
  session: Session,
): Promise<void> {
  const layout = traceLayout(session.kernel.types);
  for (let tries = 0; tries < 50; tries++) {
    await guest.qmp("stop");
    try {
      new Follower(TraceArray.global(session.kernel), layout);
      return;
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      await guest.qmp("cont");
    }
  }
  assert.fail("the guest is always writing");
}

for (const kernel of ["6.1", "6.12"]) {
  Deno.test(`the language on a running ${kernel} guest`, async (t) => {
    await using guest = await Guest.boot({ kernel, cpus: 2, append: APPEND });
    await guest.sh(LOAD);
    using session = attach(guest.target, { writable: true });
    const before = controls(session);

    for (const [script, sees, ...args] of SCRIPTS) {
      await t.step(`script ${script.name}`, async () => {
        let events = 0;
        // On a busy host the guest may get less time than the script runs.
        for (let tries = 0; tries < 10 && events === 0; tries++) {
          const queries = script.queries([...args, "--for", "1s"]);
          const result = await run(session, queries);
          assert.equal(result.lost, 0, `${result.lost} lost`);
          events = result.events.reduce((sum, n) => sum + n, 0);
          assert.equal(controls(session), before);
          if (!sees) return;
        }
        assert.ok(events > 0, "no events");
      });
    }

    for (const { title, code } of LESSONS) {
      await t.step(`lesson "${title}"`, async () => {
        const queries = oneLiner(code);
        // Lessons that do not end by themselves are interrupted by Ctrl-C.
        const stop = AbortSignal.timeout(1500);
        const result = await run(session, queries, stop);
        assert.ok(["signal", "until"].includes(result.ended));
        assert.equal(result.lost, 0, `${result.lost} lost`);
        assert.equal(controls(session), before);
      });
    }

    await t.step("errors name what this guest has", () => {
      errorsOfGuest(session);
    });
    await t.step("declarations and a terminal", async () => {
      // The type checker is slow, so once is enough.
      if (kernel === "6.1") declared(session);
      else {
        // Both end before the next step, even if one fails.
        const runs = await Promise.allSettled([
          typesOfGuest(session),
          renewedOnTerminal(guest),
        ]);
        for (const run of runs) {
          if (run.status === "rejected") throw run.reason;
        }
      }
    });

    await t.step("only what was asked for is recorded", async () => {
      const writes = trace(sys_write).via("graph").until("1s").count();
      const told = await run(session, [writes]);
      const target = openRunTarget(session);
      const program = compile([writes.spec], target.facts, { push: false });
      const untold = await runProgram(program, target, { write: () => {} });
      assert.ok(told.events[0] > 0 && untold.events[0] > 0);
      console.log(
        `  ${kernel}: ${told.read} entries read for ${
          told.events[0]
        } events when the guest is told, ${untold.read} for ${
          untold.events[0]
        } when not`,
      );
      assert.ok(
        told.read / told.events[0] < untold.read / untold.events[0] / 4,
      );
    });

    await t.step(
      "exactly the printed words are written, and undone",
      async () => {
        const { memoryFile } = guest;
        assert.ok(memoryFile !== undefined);
        const read = () => Deno.readFileSync(memoryFile);
        const query = trace(sys_write).via("graph").until("200ms").count();
        // Only the run itself may change memory.
        await stopBetweenWrites(guest, session);
        try {
          const target = openRunTarget(session);
          const program = compile([query.spec], target.facts);
          const plan = lookAt(program.plan, target);
          const planned = wordsOf(plan);
          assert.ok(planned.length > 3, `${planned.length} writes`);
          const expected = new Set<number>();
          for (const { gva } of planned) {
            const { gpa } = session.kernel.space.translate(gva);
            expected.add(gpa - gpa % 8);
          }
          const first = read();
          let during: Set<number> | undefined;
          await runProgram({ ...program, plan }, target, {
            write: () => {},
            onStart: () => {
              during = changed(first, read());
            },
          });
          assert.ok(during !== undefined && during.size > 0);
          // A word that is written twice may end with its first value.
          for (const word of during) {
            assert.ok(expected.has(word), `0x${word.toString(16)} not printed`);
          }
          assert.equal(
            changed(first, read()).size,
            0,
            "not all was taken back",
          );
          console.log(
            `  ${kernel}: ${planned.length} writes printed, ${during.size} words changed, 0 after undo`,
          );
        } finally {
          await guest.qmp("cont");
        }
      },
    );

    await t.step("a dry run writes nothing", async () => {
      await guest.qmp("stop");
      try {
        const { memoryFile } = guest;
        assert.ok(memoryFile !== undefined);
        const first = Deno.readFileSync(memoryFile);
        using reader = attach(guest.target);
        const target = openRunTarget(reader);
        const program = compile(
          [trace(sys_write).graph().spec],
          target.facts,
        );
        assert.ok(wordsOf(lookAt(program.plan, target)).length > 0);
        assert.equal(changed(first, Deno.readFileSync(memoryFile)).size, 0);
      } finally {
        await guest.qmp("cont");
      }
    });

    await moduleSteps(t, kernel, guest, session);
  });
}
