/**
 * Push-down never changes a result: random traces with random filter trees,
 * compiled with and without it, give the same events on recorded data. Filters
 * give the same result as a simple evaluation of the condition.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { compile, type CompileOptions, Condition, Trace } from "../../mod.ts";
import type { Expression } from "../../engine/query/expression.ts";
import { globRegExp } from "../../engine/base/glob.ts";
import type { EventLike, TraceSpec } from "../../engine/query/spec.ts";
import { recorded } from "../dsl/guest_model_fixture.ts";
import { recordedByModule, wholeCalls } from "../dsl/module_model_fixture.ts";
import {
  openRecording,
  RECORDED,
  runOver,
  steerable,
  withModule,
} from "../dsl/support_fixture.ts";

const RUNS = 1000;
/** How many random traces there are; each is compiled and run three times. */
const MODULE_RUNS = 400;

const comparison = fc.constantFrom(
  ...["eq", "ne", "lt", "le", "gt", "ge"] as const,
);

/** Conditions on calls; for most of them, some events pass and some do not. */
const leaf: fc.Arbitrary<Expression> = fc.oneof(
  fc.record({
    op: fc.constant("compare" as const),
    field: fc.constant("duration"),
    is: comparison,
    value: fc.constantFrom(0, 900, 1500, 5000, 20000, 100000, 1000000),
  }),
  fc.record({
    op: fc.constant("compare" as const),
    field: fc.constant("cpu"),
    is: comparison,
    value: fc.constantFrom(0, 1),
  }),
  fc.record({
    op: fc.constant("compare" as const),
    field: fc.constant("pid"),
    is: comparison,
    value: fc.integer({ min: 100, max: 260 }),
  }),
  fc.record({
    op: fc.constant("among" as const),
    field: fc.constant("pid"),
    values: fc.array(fc.integer({ min: 100, max: 260 }), { maxLength: 40 }),
  }),
  fc.record({
    op: fc.constant("text" as const),
    field: fc.constantFrom("comm", "func"),
    test: fc.constantFrom(
      ...["glob", "startsWith", "endsWith", "includes"] as const,
    ),
    pattern: fc.constantFrom("*", "ls", "sys_*", "s", "*at", "read", "grep"),
  }),
  fc.record({
    op: fc.constant("compare" as const),
    field: fc.constantFrom("comm", "func"),
    is: comparison,
    value: fc.constantFrom("ls", "sys_openat", "vfs_read", "wc", "sh"),
  }),
);

const { tree } = fc.letrec<{ tree: Expression }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.record({
      op: fc.constantFrom("all" as const, "any" as const),
      of: fc.array(tie("tree"), { minLength: 1, maxLength: 4 }),
    }),
    fc.record({ op: fc.constant("not" as const), of: tie("tree") }),
  ),
}));

/** Traces that push down different things. */
const FUNCTIONS = [
  ["sys_openat"],
  ["sys_read", "sys_openat"],
  ["vfs_read"],
  ["do_sys_openat2", "path_openat"],
  ["kmem_cache_free", "vfs_statx"],
  [],
];

const traces = fc.record({
  functions: fc.constantFrom(...FUNCTIONS),
  under: fc.constantFrom([], [], ["sys_openat"], ["vfs_statx", "sys_read"]),
  depth: fc.constantFrom(undefined, undefined, 1, 2, 3, Infinity),
  trees: fc.array(tree, { minLength: 1, maxLength: 3 }),
});

/** A simple evaluation of a condition for one event. */
function holds(node: Expression, event: EventLike): boolean {
  switch (node.op) {
    case "all":
      return node.of.every((part) => holds(part, event));
    case "any":
      return node.of.some((part) => holds(part, event));
    case "not":
      return !holds(node.of, event);
    case "among":
      return node.values.some((value) => value === event[node.field]);
    case "text": {
      const text = String(event[node.field]);
      switch (node.test) {
        case "glob":
          return globRegExp(node.pattern).test(text);
        case "startsWith":
          return text.startsWith(node.pattern);
        case "endsWith":
          return text.endsWith(node.pattern);
        case "includes":
          return text.includes(node.pattern);
      }
      break;
    }
    case "compare": {
      const value = event[node.field] as number | string;
      switch (node.is) {
        case "eq":
          return value === node.value;
        case "ne":
          return value !== node.value;
        case "lt":
          return value < node.value;
        case "le":
          return value <= node.value;
        case "gt":
          return value > node.value;
        case "ge":
          return value >= node.value;
      }
    }
  }
  throw new Error(`not generated: ${node.op}`);
}

function specOf(
  { functions, under, depth }: {
    readonly functions: readonly string[];
    readonly under: readonly string[];
    readonly depth: number | undefined;
  },
  via: "graph" | "module",
): TraceSpec {
  return {
    source: {
      kind: "calls",
      functions: functions.map((name) => ({ name })),
      via,
    },
    under: under.map((name) => ({ name })),
    ...(depth === undefined ? {} : { depth }),
    filters: [],
    from: [],
    until: [],
  };
}

function filtered(spec: TraceSpec, trees: readonly Expression[]): TraceSpec {
  return {
    ...spec,
    filters: trees.map((node) => ({
      kind: "expression" as const,
      node: new Condition(node).node,
    })),
  };
}

for (const kernel of RECORDED) {
  Deno.test(`push-down: ${RUNS} random traces give the same events (${kernel})`, () => {
    using recording = openRecording(kernel);
    const { target, frame } = recording;
    const facts = steerable(target.facts);
    const events = (
      spec: TraceSpec,
      options: CompileOptions,
      model: boolean,
    ) => {
      const query = new Trace<never, "calls">(spec, "calls").collect();
      const program = compile([query.spec], facts, options);
      const columns = model
        ? recorded(program, target, frame.columns)
        : frame.columns;
      const { results } = runOver(program, target, { ...frame, columns });
      return {
        program,
        list: results[0] as EventLike[],
        rows: columns.length,
      };
    };
    let steps = 0;
    let some = 0;
    let fewer = 0;
    fc.assert(
      fc.property(traces, ({ functions, under, depth, trees }) => {
        const base = specOf({ functions, under, depth }, "graph");
        const spec = filtered(base, trees);
        const pushed = events(spec, { push: true }, true);
        const plain = events(spec, { push: false }, false);
        assert.deepEqual(pushed.list, plain.list);
        const all = events(base, { push: false }, false).list;
        assert.deepEqual(
          plain.list,
          all.filter((event) => trees.every((node) => holds(node, event))),
        );
        steps += pushed.program.plan.steps.length;
        if (plain.list.length > 0) some++;
        if (pushed.rows < plain.rows) fewer++;
      }),
      { numRuns: RUNS, seed: 5 },
    );
    console.log(
      `${kernel}: ${RUNS} traces, ${some} with events, ${steps} steps pushed down, ${fewer} recorded less`,
    );
    assert.ok(some > RUNS / 4, `only ${some} traces had events`);
    assert.ok(fewer > RUNS / 4, `only ${fewer} plans recorded less`);
  });
}

/** An event without the fields that differ if the function graph is used. */
function plain({ caller: _caller, ...event }: EventLike): EventLike {
  return event;
}

for (const kernel of RECORDED) {
  Deno.test(`push-down into the module: ${MODULE_RUNS} random traces give the same events (${kernel})`, () => {
    using recording = openRecording(kernel);
    const { target } = recording;
    const frame = {
      ...recording.frame,
      columns: wholeCalls(recording.frame.columns),
    };
    const facts = withModule(target.facts);
    let fewer = 0;
    let some = 0;
    fc.assert(
      fc.property(traces, ({ functions, under, depth, trees }) => {
        const list = (via: "graph" | "module", push: boolean) => {
          const spec = filtered(
            specOf({ functions, under, depth }, via),
            trees,
          );
          const query = new Trace<never, "calls">(spec, "calls").collect();
          const program = compile([query.spec], facts, { push });
          const over = via === "module"
            ? recordedByModule(program, target, frame)
            : frame;
          const { results } = runOver(program, target, over);
          return {
            events: (results[0] as EventLike[]).map(plain),
            rows: over.columns.length,
          };
        };
        const graph = list("graph", false);
        const told = list("module", true);
        const untold = list("module", false);
        // The calls are the same, whoever has recorded them.
        const sorted = graph.events;
        assert.deepEqual(told.events, sorted);
        assert.deepEqual(untold.events, sorted);
        if (sorted.length > 0) some++;
        if (told.rows < untold.rows) fewer++;
      }),
      { numRuns: MODULE_RUNS, seed: 6 },
    );
    console.log(
      `${kernel}: ${MODULE_RUNS} traces, ${some} with events, ${fewer} recorded less`,
    );
    assert.ok(some > MODULE_RUNS / 5, `only ${some} traces had events`);
    assert.ok(fewer > MODULE_RUNS / 5, `only ${fewer} recorded less`);
  });
}
