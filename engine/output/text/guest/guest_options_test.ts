/** Options of the text, and kernels whose options are not known. */
import assert from "node:assert/strict";
import { textOptions } from "./guest_options.ts";
import { GRAPH_FLAGS, TRACE_FLAGS } from "../options.ts";

const NAMES = TRACE_FLAGS.map(([, name]) => name);

/** A kernel with every known option at the place of its name, and more. */
function guest(
  set: readonly string[],
  names: readonly string[] | undefined = NAMES,
  moved: ReadonlyMap<string, number | undefined> = new Map(),
) {
  const bits = new Map(
    TRACE_FLAGS.map(([, name, enumerator]) => [
      `TRACE_ITER_${enumerator}_BIT`,
      NAMES.indexOf(name),
    ]),
  );
  const all = names ?? NAMES;
  return {
    types: {
      tryEnumerator: (name: string) =>
        moved.has(name) ? moved.get(name) : bits.get(name),
    },
    flags: set.reduce((sum, name) => sum | 1n << BigInt(all.indexOf(name)), 0n),
    names,
  };
}

const graph = (set: readonly string[], without = "") =>
  GRAPH_FLAGS.filter(([, name]) => name !== without).map(([, name], i) => ({
    name,
    mask: 1n << BigInt(i),
    set: set.includes(name),
  }));

Deno.test("options by the kernel's names or by its enum", () => {
  const of = (names: readonly string[] | undefined) => {
    const { fields, symOffset, hashPtr, unknown, graph } = textOptions(
      guest(["fields", "sym-offset"], names),
    );
    return [fields, symOffset, hashPtr, unknown, graph.duration];
  };
  assert.deepEqual(of(NAMES), [true, true, false, undefined, true]);
  assert.deepEqual(of(undefined), of(NAMES));
});

Deno.test("an option that some kernels lack is off, but pointers are hashed", () => {
  const lacking = ["fields", "hash-ptr", "bitmask-list"];
  const names = NAMES.filter((name) => !lacking.includes(name));
  const moved = new Map(
    TRACE_FLAGS.map(([, name, enumerator]) => [
      `TRACE_ITER_${enumerator}_BIT`,
      names.indexOf(name) < 0 ? undefined : names.indexOf(name),
    ]),
  );
  const { fields, hashPtr, bitmaskList, printParent } = textOptions(
    guest(["print-parent"], names, moved),
  );
  assert.deepEqual(
    [fields, hashPtr, bitmaskList, printParent],
    [false, true, false, true],
  );
});

Deno.test("a bit on which the kernel does not agree with itself is refused", () => {
  const at = NAMES.indexOf("fields");
  assert.throws(
    () =>
      textOptions(
        guest([], NAMES, new Map([["TRACE_ITER_FIELDS_BIT", at + 1]])),
      ),
    new RegExp(
      `option fields has bit ${at} in trace_options and bit ${at + 1}`,
    ),
  );
  assert.throws(
    () =>
      textOptions(
        guest([], NAMES, new Map([["TRACE_ITER_CONTEXT_INFO_BIT", undefined]])),
      ),
    /context-info has bit \d+ in trace_options and no bit in its types/,
  );
  // In neither place.
  const names = NAMES.map((name) => name === "context-info" ? "other" : name);
  assert.throws(
    () =>
      textOptions(
        guest([], names, new Map([["TRACE_ITER_CONTEXT_INFO_BIT", undefined]])),
      ),
    /no trace option context-info, which all known kernels have/,
  );
});

Deno.test("an unknown option that is set is named, and no silent one", () => {
  const names = [...NAMES, "upside-down", "overwrite", "mirrored"];
  const { unknown } = textOptions(guest(["upside-down", "overwrite"], names));
  assert.deepEqual(unknown, ["upside-down"]);
});

Deno.test("options of function_graph", () => {
  const of = (options: ReturnType<typeof graph>) =>
    textOptions({ ...guest([]), graph: options });
  const shown = of(graph(["funcgraph-proc", "funcgraph-irqs"])).graph;
  assert.deepEqual(
    [shown.proc, shown.irqs, shown.cpu, shown.duration],
    [true, true, false, false],
  );
  assert.equal(of(graph([], "funcgraph-args")).graph.args, false);
  assert.throws(
    () => of(graph([], "funcgraph-duration")),
    /function_graph has no option funcgraph-duration, which all known/,
  );
  const more = [...graph([]), { name: "funcgraph-new", mask: 1n, set: true }];
  assert.deepEqual(of(more).unknown, ["funcgraph-new"]);
});
