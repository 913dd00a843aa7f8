/**
 * Plans of typical programs as text, and one of them as JSON.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  args,
  caller,
  comm,
  compile,
  duration,
  event,
  fn,
  func,
  planJson,
  planText,
  process,
  type Query,
  sys_open,
  sys_openat,
  sys_read,
  syscalls,
  trace,
} from "../mod.ts";
import type { TargetFacts } from "../../engine/query/facts.ts";
import { CALLS, fakeFacts, LOADED, ROOTED } from "./compile_fixture.ts";

const sealed: Partial<TargetFacts> = { ...ROOTED, ...LOADED };

const opens = trace(sys_openat).until("5s");

const PROGRAMS: readonly [
  name: string,
  queries: readonly Query<unknown>[],
  facts: TargetFacts,
][] = [
  [
    "1 slow opens on a guest with roots",
    [
      trace(sys_open)
        .filter(duration.gt("100us"))
        .filter((e) => e.comm.startsWith("ssh"))
        .until("5s")
        .print(),
    ],
    fakeFacts(ROOTED),
  ],
  [
    "2 the same with the module, which is sealed",
    [trace(sys_open).filter(duration.gt("100us")).until("5s").print()],
    fakeFacts(sealed),
  ],
  [
    "2b the module, under another function, with conditions on the function",
    [
      trace(fn("vfs_*"), "schedule").under(sys_read)
        .filter(func.glob("vfs_r*")).filter(comm.eq("dd"))
        .until(3).print(),
    ],
    fakeFacts(sealed),
  ],
  [
    "2c the module beside a tracer that records all functions",
    [trace("vfs_read").depth(3).until(10).graph()],
    fakeFacts({ ...sealed, tracer: "function_graph" }),
  ],
  [
    "2d a module that is in use",
    [trace("vfs_read").until(10).print()],
    fakeFacts({
      ...ROOTED,
      capabilities: {
        ...ROOTED.capabilities,
        module: { ...LOADED.capabilities.module, problem: "it is in use" },
      },
    }),
  ],
  [
    "3 a guest without roots",
    [trace(sys_openat).count(comm)],
    fakeFacts(),
  ],
  [
    "4 system calls' events",
    [opens.filter(args.filename.startsWith("/etc")).print()],
    fakeFacts({ enabled: CALLS }),
  ],
  [
    "5 a call graph with depth",
    [trace("vfs_read").depth(3).until(10).graph()],
    fakeFacts(ROOTED),
  ],
  [
    "6 under another function, callers named",
    [
      trace(fn("vfs_*"), "kmem_cache_alloc").under(sys_read)
        .filter(caller.glob("vfs_*").not()).count(func, caller),
    ],
    fakeFacts(ROOTED),
  ],
  [
    "7 an event; others are muted, recording is off",
    [
      event("sched:sched_switch").until(event("sched:sched_process_exit"))
        .every("1s").count("prev_comm"),
    ],
    fakeFacts({
      recording: false,
      tracer: "nop",
      enabled: [
        ...CALLS,
        "sched:sched_switch",
        "sched:sched_process_exit",
      ],
    }),
  ],
  [
    "8 a recording",
    [
      trace(sys_read).filter(duration.ge("1ms").or(comm.in("dd", "cat")))
        .hist(duration, comm),
    ],
    fakeFacts({
      ...ROOTED,
      live: false,
      target: "core:web1.core.zst",
    }),
  ],
  [
    "9 several sinks share a pass",
    [opens.count(comm), opens.hist(duration), opens.top(3)],
    fakeFacts(ROOTED),
  ],
  [
    "10 two traces share a pass",
    [
      trace(sys_openat).count(comm),
      trace("vfs_write").stats(duration),
    ],
    fakeFacts(ROOTED),
  ],
  [
    "11 processes and their children, all system calls",
    [syscalls().filter(process("sshd").withChildren()).print()],
    fakeFacts({ tracer: "nop", enabled: CALLS }),
  ],
  [
    "12 every function, folded",
    [trace().until("1s").folded()],
    fakeFacts({ maxDepth: 2 }),
  ],
];

Deno.test("process().trace() plans the same as trace().filter(process())", () => {
  const facts = fakeFacts({ tracer: "nop", enabled: CALLS });
  const who = process("sshd").withChildren();
  const text = (query: Query<unknown>) =>
    planText(compile([query.spec], facts).plan);
  assert.equal(
    text(who.syscalls("open*").print()),
    text(syscalls("open*").filter(who).print()),
  );
  assert.equal(
    text(who.event(CALLS[0]).count(comm)),
    text(event(CALLS[0]).filter(who).count(comm)),
  );
  assert.equal(
    text(process(1).trace(sys_openat).until("1s").print()),
    text(trace(sys_openat).filter(process(1)).until("1s").print()),
  );
});

for (const [name, queries, facts] of PROGRAMS) {
  Deno.test(`plan: ${name}`, async (t) => {
    const { plan } = compile(queries.map((query) => query.spec), facts);
    await t.assertSnapshot(planText(plan));
  });
}

Deno.test("plan: as JSON", async (t) => {
  const [, queries, facts] = PROGRAMS[0];
  const { plan } = compile(queries.map((query) => query.spec), facts);
  await t.assertSnapshot(planJson(plan));
});

Deno.test("plan: without push-down", async (t) => {
  const [, queries, facts] = PROGRAMS[0];
  const specs = queries.map((query) => query.spec);
  const { plan } = compile(specs, facts, { push: false });
  await t.assertSnapshot(planText(plan));
});
