import assert from "node:assert/strict";
import { EventColumns, KIND, PageArena } from "../ftrace/ring/columns.ts";
import { callFrame, type EntryDetails } from "./fields/frame.ts";
import { FunctionSet } from "./function_set.ts";
import { type GraphCallOptions, GraphCalls } from "./graph_calls.ts";

/** `"> f1 0"` enters f1 at depth 0, `"< f1 0"` returns from it. */
type Step = string | { readonly step: string; readonly pid: number };

const FUNCTIONS: Readonly<Record<string, bigint>> = {
  f1: 0xffffffff81000010n,
  f2: 0xffffffff81000020n,
  f3: 0xffffffff81000030n,
  // The same low half as f1.
  far: 0xffffffff_00000000n - 0x1_00000000n + 0x81000010n,
};

function nameOf(lo: number, hi: number): string {
  const address = BigInt(hi) << 32n | BigInt(lo);
  return Object.entries(FUNCTIONS).find(([, at]) => at === address)?.[0] ??
    (address === 0n ? "" : `0x${address.toString(16)}`);
}

const set = (...names: readonly string[]) =>
  new FunctionSet(
    names.map((name) => ({ name, addresses: [FUNCTIONS[name]] })),
  );

const OPTIONS: GraphCallOptions = {
  functions: undefined,
  under: undefined,
  depth: undefined,
  inside: false,
  outermost: false,
  callers: true,
};

/** Rows at times 10, 20, 30 ... on CPU 0; a return took 5 ns. */
function columnsOf(steps: readonly Step[], from = 0): EventColumns {
  const columns = new EventColumns(0n);
  columns.reserve(steps.length);
  steps.forEach((each, row) => {
    const { step, pid } = typeof each === "string"
      ? { step: each, pid: 1 }
      : each;
    const [way, name, depth] = step.split(" ");
    columns.ts[row] = from + 10 * (row + 1);
    columns.pid[row] = pid;
    columns.depth[row] = Number(depth);
    columns.kind[row] = way === ">"
      ? KIND.entry
      : way === "<"
      ? KIND.return
      : KIND.other;
    columns.duration[row] = way === "<" ? 5 : 0;
    const address = FUNCTIONS[name] ?? 0n;
    columns.func[2 * row] = Number(address & 0xffffffffn);
    columns.func[2 * row + 1] = Number(address >> 32n);
  });
  columns.length = steps.length;
  return columns;
}

const ARENA = new PageArena(64);

function all(columns: EventColumns): Uint32Array {
  return Uint32Array.from({ length: columns.length }, (_, row) => row);
}

/** The calls that batches of steps yield: `name <- caller @level`. */
function calls(
  options: Partial<GraphCallOptions>,
  ...batches: readonly (readonly Step[])[]
) {
  const passes = new GraphCalls({ ...OPTIONS, ...options });
  const out = callFrame(0n, ARENA);
  batches.forEach((steps, i) => {
    const columns = columnsOf(steps, 1000 * i);
    passes.take(columns, all(columns), columns.length, out);
  });
  const { columns, calls } = out;
  const texts = Array.from({ length: columns.length }, (_, row) => {
    const name = nameOf(columns.func[2 * row], columns.func[2 * row + 1]);
    const caller = nameOf(calls.caller[2 * row], calls.caller[2 * row + 1]);
    return `${name}${caller && ` <- ${caller}`} @${columns.depth[row]}`;
  });
  return { texts, out, passes };
}

const NESTED = ["> f1 0", "> f2 1", "> f3 2", "< f3 2", "< f2 1", "< f1 0"];

Deno.test("calls end with their returns, and know their callers", () => {
  const { texts, passes } = calls({}, NESTED);
  assert.deepEqual(texts, ["f3 <- f2 @2", "f2 <- f1 @1", "f1 @0"]);
  assert.deepEqual([passes.open, passes.begunBefore], [0, 0]);
});

Deno.test("a call that spans several batches is one call", () => {
  for (let cut = 1; cut < NESTED.length; cut++) {
    const { texts } = calls({}, NESTED.slice(0, cut), NESTED.slice(cut));
    assert.deepEqual(texts, ["f3 <- f2 @2", "f2 <- f1 @1", "f1 @0"]);
  }
});

Deno.test("only the requested functions are emitted, at the level below the first of them", () => {
  const functions = set("f2", "f3");
  assert.deepEqual(calls({ functions }, NESTED).texts, [
    "f3 <- f2 @1",
    "f2 <- f1 @0",
  ]);
  // As a guest would say that records only f2 and f3.
  assert.deepEqual(calls({ functions, callers: false }, NESTED).texts, [
    "f3 <- f2 @1",
    "f2 @0",
  ]);
  assert.deepEqual(calls({ functions, outermost: true }, NESTED).texts, [
    "f2 <- f1 @0",
  ]);
});

Deno.test("functions whose addresses differ only in the high half are different", () => {
  const steps = ["> far 0", "< far 0"];
  assert.deepEqual(calls({ functions: set("f1") }, steps).texts, []);
  assert.deepEqual(calls({ functions: set("far") }, steps).texts, ["far @0"]);
});

Deno.test("a depth includes the calls within, down to that level", () => {
  const functions = set("f1");
  const of = (depth: number) => calls({ functions, depth }, NESTED).texts;
  assert.deepEqual(of(1), ["f1 @0"]);
  assert.deepEqual(of(2), ["f2 <- f1 @1", "f1 @0"]);
  assert.deepEqual(of(9), ["f3 <- f2 @2", "f2 <- f1 @1", "f1 @0"]);
});

Deno.test("`under` leaves out the same function when it is called from elsewhere", () => {
  const steps = [
    ...["> f3 0", "< f3 0"],
    ...NESTED,
    ...["> f3 0", "< f3 0"],
  ];
  const options = { functions: set("f3"), under: set("f1") };
  const { texts, passes } = calls(options, steps);
  assert.deepEqual(texts, ["f3 <- f2 @0"]);
  assert.equal(passes.open, 0);
});

Deno.test("a call that began before the first event is emitted without a caller", () => {
  const { texts, passes } = calls({}, ["< f3 2", "< f2 1", "> f3 1"]);
  assert.deepEqual(texts, ["f3 @0", "f2 @0"]);
  assert.deepEqual([passes.begunBefore, passes.open], [2, 1]);
});

Deno.test("lost returns end the calls that cannot be open any more", () => {
  // The returns of f3 and f2 were lost.
  const { texts, passes } = calls({}, ["> f1 0", "> f2 1", "> f3 2"], [
    "> f2 1",
    "< f2 1",
    "< f1 0",
  ]);
  assert.deepEqual(texts, ["f2 <- f1 @1", "f1 @0"]);
  assert.deepEqual([passes.begunBefore, passes.open], [0, 0]);
});

Deno.test("lost entries leave no stale caller behind", () => {
  // f3 at depth 2 was called by a function whose entry was lost, and not by f2,
  // which had returned.
  const { texts } = calls({}, [
    ...["> f1 0", "> f2 1", "< f2 1"],
    ...["> f3 2", "< f3 2", "< f1 0"],
  ]);
  assert.deepEqual(texts, ["f2 <- f1 @1", "f3 @2", "f1 @0"]);
});

Deno.test("the return of another function than the one that was entered is a call of its own", () => {
  const { texts, passes } = calls({ inside: true }, ["> f1 0", "< f2 0"]);
  assert.deepEqual(texts, ["f2 @0"]);
  assert.deepEqual([passes.begunBefore, passes.open], [1, 0]);
});

Deno.test("depths that no kernel has are ignored", () => {
  const { texts } = calls({}, [
    ...["> f1 -1", "< f1 -1", "> f1 512", "< f1 512", "> f1 2147483647"],
    ...["> f2 511", "< f2 511"],
  ]);
  assert.deepEqual(texts, ["f2 @0"]);
});

Deno.test("tasks do not mix, and neither do the idle tasks of the CPUs", () => {
  const of = (pid: number, step: string) => ({ pid, step });
  const { texts } = calls({}, [
    of(7, "> f1 0"),
    of(8, "> f2 1"),
    of(7, "> f3 1"),
    of(8, "< f2 1"),
    of(7, "< f3 1"),
  ]);
  assert.deepEqual(texts, ["f2 @0", "f3 <- f1 @1"]);

  const passes = new GraphCalls(OPTIONS);
  const columns = columnsOf(["> f1 0", "> f2 0", "< f1 0", "< f2 0"]);
  columns.pid.fill(0);
  columns.cpu.set([0, 1, 0, 1]);
  const out = callFrame(0n, ARENA);
  passes.take(columns, all(columns), 4, out);
  assert.deepEqual([out.columns.length, passes.begunBefore], [2, 0]);
});

Deno.test("what happened within a call is kept, relative to it", () => {
  const { out } = calls({ inside: true, functions: set("f2") }, NESTED);
  const [inside] = out.calls.inside;
  assert.ok(inside !== undefined);
  assert.deepEqual(
    Array.from({ length: inside.length }, (_, i) => [
      nameOf(inside.func[2 * i], inside.func[2 * i + 1]),
      inside.depth[i],
      inside.ts[i],
      inside.duration[i],
    ]),
    [["f2", 0, 20, 5], ["f3", 1, 30, 5]],
  );
});

Deno.test("a call whose return was lost has no duration within its caller", () => {
  const { out } = calls({ inside: true, functions: set("f1") }, [
    "> f1 0",
    "> f2 1",
    "< f1 0",
  ]);
  assert.deepEqual([...out.calls.inside[0]?.duration ?? []], [5, NaN]);
});

Deno.test("within a call, only the requested levels are kept", () => {
  const { out } = calls(
    { inside: true, functions: set("f1"), depth: 2, outermost: true },
    NESTED,
  );
  assert.deepEqual(out.calls.inside.map((inside) => inside?.length), [2]);
});

Deno.test("many calls within one, and many calls in one batch", () => {
  const many = Array.from({ length: 3000 }, () => ["> f2 1", "< f2 1"]).flat();
  const { out } = calls({ inside: true }, ["> f1 0", ...many, "< f1 0"]);
  assert.equal(out.columns.length, 3001);
  assert.equal(out.calls.inside.at(-1)?.length, 3001);
  assert.ok(out.calls.inside.at(-1)?.duration.every((ns) => ns === 5));
});

/** What a module reports about rows: caller f3, thread name 0, and arguments. */
function detailsOf(columns: EventColumns, complete = true): EntryDetails {
  const { length } = columns;
  const details: EntryDetails = {
    caller: new Uint32Array(2 * length),
    comm: new Int32Array(length),
    comms: ["sshd"],
    args: Array.from(
      { length },
      (_, row) =>
        columns.kind[row] === KIND.entry
          ? { words: new Uint32Array(12).fill(9), texts: ["/etc"], complete }
          : undefined,
    ),
  };
  for (let row = 0; row < length; row++) {
    details.caller[2 * row] = Number(FUNCTIONS.f3 & 0xffffffffn);
    details.caller[2 * row + 1] = Number(FUNCTIONS.f3 >> 32n);
  }
  return details;
}

function moduleCalls(steps: readonly Step[], complete = true) {
  const columns = columnsOf(steps);
  columns.duration.fill(0);
  const out = callFrame(0n, ARENA);
  const passes = new GraphCalls({
    ...OPTIONS,
    syscall: (lo) => lo === Number(FUNCTIONS.f1 & 0xffffffffn) ? 4 : -1,
  });
  passes.take(
    columns,
    all(columns),
    columns.length,
    out,
    detailsOf(columns, complete),
  );
  return out;
}

Deno.test("the module's entries state callers, names and arguments", () => {
  const { columns, calls } = moduleCalls(["> f1 0", "< f1 0"]);
  assert.equal(nameOf(calls.caller[0], calls.caller[1]), "f3");
  assert.deepEqual([calls.comms, calls.comm[0]], [["sshd"], 0]);
  assert.deepEqual([calls.call[0], calls.texts[0]], [4, ["/etc"]]);
  assert.deepEqual([...calls.args.subarray(0, 12)], Array(12).fill(9));
  // Its return did not say how long the call took.
  assert.equal(columns.duration[0], 10);
});

Deno.test("without its entry, a call of the module has neither caller nor arguments", () => {
  const { columns, calls } = moduleCalls(["< f1 0"]);
  assert.deepEqual([...calls.caller.subarray(0, 2)], [0, 0]);
  assert.deepEqual([calls.call[0], calls.texts[0]], [-1, undefined]);
  assert.equal(columns.duration[0], 0);
});

Deno.test("a call of which not all arguments are known shows none", () => {
  const { calls } = moduleCalls(["> f1 0", "< f1 0"], false);
  assert.deepEqual([calls.call[0], calls.texts[0]], [-1, undefined]);
});

Deno.test("any number of short-lived tasks leaves the calls of the others whole", () => {
  const passes = new GraphCalls(OPTIONS);
  const out = callFrame(0n, ARENA);
  const take = (steps: readonly Step[]) => {
    const columns = columnsOf(steps);
    passes.take(columns, all(columns), columns.length, out);
  };
  take(["> f1 0"]);
  for (let pid = 2; pid < 40_000; pid += 1000) {
    take(
      Array.from({ length: 1000 }, (_, i) => [
        { step: "> f2 0", pid: pid + i },
        { step: "< f2 0", pid: pid + i },
      ]).flat(),
    );
  }
  assert.equal(passes.open, 1);
  take(["> f3 1", "< f3 1", "< f1 0"]);
  assert.deepEqual([passes.open, passes.begunBefore], [0, 0]);
});

Deno.test("tasks that a guest invents do not pile up", () => {
  const passes = new GraphCalls(OPTIONS);
  const out = callFrame(0n, ARENA);
  const columns = columnsOf(Array.from({ length: 1000 }, () => "> f1 0"));
  const rows = all(columns);
  for (let pid = 1; pid < 70_000; pid += 1000) {
    for (let row = 0; row < 1000; row++) columns.pid[row] = pid + row;
    passes.take(columns, rows, 1000, out);
  }
  assert.ok(passes.open <= 1 << 16, String(passes.open));
});

Deno.test("a call that never returns does not take ever more memory", () => {
  const calls = new GraphCalls({
    ...OPTIONS,
    functions: set("f1"),
    inside: true,
  });
  const steps: Step[] = [];
  for (let i = 0; i < 10_000; i++) steps.push("> f2 1", "< f2 1");
  const out = callFrame(0n, new PageArena(8));
  const take = (each: readonly Step[], times = 1) => {
    const columns = columnsOf(each);
    const rows = Uint32Array.from({ length: columns.length }, (_, i) => i);
    for (let i = 0; i < times; i++) {
      out.columns.length = 0;
      calls.take(columns, rows, columns.length, out);
    }
  };
  take(["> f1 0"]);
  take(steps, 120);
  // 1,200,000 calls happened within f1; a million is kept.
  assert.equal(calls.cut, 1_200_001 - (1 << 20));
  take(["< f1 0"]);
  assert.equal(out.calls.inside[0]?.length, 1 << 20);
  // The next call is whole again.
  take(["> f1 0", "> f2 1", "< f2 1", "< f1 0"]);
  assert.equal(out.calls.inside[0]?.length, 2);
});
