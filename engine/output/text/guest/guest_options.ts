/**
 * Reads the options of the text from a guest, by the names that its kernel gives
 * their bits. What two places of the kernel say is compared; an option that is
 * in neither is absent only if kernels without it are known.
 *
 * @module
 */
import { KernelError } from "../../../base/errors.ts";
import type { TraceOption } from "../../../ftrace/ring/trace_options.ts";
import type { Types } from "../../../kernel/btf/types.ts";
import {
  DEFAULT_GRAPH_OPTIONS,
  DEFAULT_TEXT_OPTIONS,
  GRAPH_FLAGS,
  type GraphOptions,
  OPTIONAL_FLAGS,
  OPTIONAL_GRAPH_FLAGS,
  SILENT_OPTIONS,
  TRACE_FLAGS,
  type TraceTextOptions,
} from "../options.ts";

/** Where the options of an instance stand. */
export interface OptionPlaces {
  readonly types: Pick<Types, "tryEnumerator">;
  /** `trace_array.trace_flags`. */
  readonly flags: bigint;
  /** The kernel's names of its bits; `undefined` without that symbol. */
  readonly names: readonly string[] | undefined;
  /** The options of the tracer function_graph, if it is the current one. */
  readonly graph?: readonly TraceOption[];
}

/**
 * The options of the text.
 *
 * @throws {KernelError} when an option that all known kernels have is not
 * found, or the kernel's names and its enum do not agree on the bit of one.
 */
export function textOptions(guest: OptionPlaces): TraceTextOptions {
  const options = { ...DEFAULT_TEXT_OPTIONS };
  const known = new Set(TRACE_FLAGS.map(([, name]) => name));
  for (const [key, name, enumerator] of TRACE_FLAGS) {
    const bit = bitOf(guest, name, `TRACE_ITER_${enumerator}_BIT`);
    if (bit !== undefined) {
      options[key] = (guest.flags >> BigInt(bit) & 1n) === 1n;
    } else if (OPTIONAL_FLAGS.has(key)) {
      options[key] = false;
    } else {
      throw new KernelError(
        `this kernel has no trace option ${name}, which all known kernels ` +
          "have: how it prints a trace is not known to xftrace",
      );
    }
  }
  // Pointers were always hashed by kernels without the option.
  if (bitOf(guest, "hash-ptr", "TRACE_ITER_HASH_PTR_BIT") === undefined) {
    options.hashPtr = true;
  }
  const unknown = (guest.names ?? []).filter((name, bit) =>
    (guest.flags >> BigInt(bit) & 1n) === 1n && !known.has(name) &&
    !SILENT_OPTIONS.has(name)
  );
  const graph = guest.graph === undefined ? undefined : graphOf(guest.graph);
  unknown.push(...graph?.unknown ?? []);
  return {
    ...options,
    graph: graph?.options ?? DEFAULT_GRAPH_OPTIONS,
    ...(unknown.length === 0 ? {} : { unknown }),
  };
}

/** The bit of an option, on which the array of names and the enum agree. */
function bitOf(
  { types, names }: OptionPlaces,
  name: string,
  enumerator: string,
): number | undefined {
  const byEnum = types.tryEnumerator(enumerator);
  if (names === undefined) return byEnum;
  const index = names.indexOf(name);
  const byName = index < 0 ? undefined : index;
  if (byName === byEnum) return byName;
  const says = (bit: number | undefined) =>
    bit === undefined ? "no bit" : `bit ${bit}`;
  throw new KernelError(
    `this kernel's trace option ${name} has ${says(byName)} in trace_options ` +
      `and ${says(byEnum)} in its types (${enumerator}): its options are not ` +
      "known to xftrace",
  );
}

function graphOf(
  found: readonly TraceOption[],
): { options: GraphOptions; unknown: string[] } {
  const byName = new Map(found.map((option) => [option.name, option.set]));
  const options = { ...DEFAULT_GRAPH_OPTIONS };
  for (const [key, name] of GRAPH_FLAGS) {
    const set = byName.get(name);
    if (set === undefined && !OPTIONAL_GRAPH_FLAGS.has(key)) {
      throw new KernelError(
        `this kernel's tracer function_graph has no option ${name}, which all ` +
          "known kernels have: how it prints calls is not known to xftrace",
      );
    }
    options[key] = set ?? false;
  }
  const known = new Set(GRAPH_FLAGS.map(([, name]) => name));
  return {
    options,
    unknown: found.filter(({ name, set }) =>
      set && !known.has(name) && !SILENT_OPTIONS.has(name)
    ).map(({ name }) => name),
  };
}
