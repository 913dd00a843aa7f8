/**
 * The recorded arguments of a function, by its prototype
 * (kernel/trace/trace_output.c, print_function_args; BTF by
 * kernel/bpf/btf.c, btf_find_func_proto).
 *
 * @module
 */
import type { Functions, Parameter } from "../../../kernel/btf/types.ts";

/**
 * Writes one argument.
 *
 * @param args the registers
 * @param at the first register of this argument
 * @returns the text, and how many registers the argument takes; 0 if there were
 *   not enough for it, after which nothing follows
 */
type Argument = (
  args: readonly bigint[],
  at: number,
) => { readonly text: string; readonly taken: number };

/**
 * A function that writes what stands between the parentheses (`fd=3,
 * buf=0xffff...`): "" for a function without arguments or without a known
 * prototype, as the kernel does.
 *
 * @param modules the functions of modules, asked for those that are not the
 *   kernel's
 */
export function functionArguments(
  kernel: Functions,
  modules: () => readonly Functions[] = () => [],
): (name: string, args: readonly bigint[]) => string {
  const known = new Map<string, readonly Argument[]>();
  const find = (name: string): readonly Argument[] => {
    for (const functions of all(kernel, modules)) {
      const found = functions.prototype(name);
      if (found === undefined) continue;
      // More cannot be shown: each takes a register.
      return found.parameters.slice(0, MOST_REGISTERS + 1)
        .map((parameter) => argument(functions, parameter));
    }
    return [];
  };
  return (name, args) => {
    let parameters = known.get(name);
    if (parameters === undefined) {
      parameters = find(name);
      known.set(name, parameters);
    }
    let text = "";
    let at = 0;
    for (const [i, write] of parameters.entries()) {
      if (i > 0) text += ", ";
      if (at >= args.length) return text + "...";
      const { text: own, taken } = write(args, at);
      text += own;
      if (taken === 0) return text;
      at += taken;
    }
    return text;
  };
}

/** No architecture passes more arguments in registers. */
const MOST_REGISTERS = 16;

/** The kernel first, as it does (bpf_find_btf_id), whose the function may be. */
function* all(
  kernel: Functions,
  modules: () => readonly Functions[],
): Generator<Functions> {
  yield kernel;
  yield* modules();
}

function argument(
  types: Functions,
  { name, type }: Parameter,
): Argument {
  const label = `${name}=`;
  const one = (write: (value: bigint) => string): Argument => (args, at) => ({
    text: label + write(args[at]),
    taken: 1,
  });
  const found = types.typeOf(type);
  switch (found.kind) {
    case "void":
      // `...`: a parameter without a type.
      return one((value) => `?${hex(value)}`);
    case "pointer":
      return one(hex);
    case "int":
      return one(
        found.signed ? (value) => `${BigInt.asIntN(64, value)}` : hex,
      );
    case "enum": {
      // The kernel knows the values of `enum` alone, as signed 32-bit numbers.
      if (found.wide) return one((value) => `(ENUM64)[${hex(value)}]`);
      const names = new Map<bigint, string>();
      for (const [value, enumerator] of found.names) {
        const word = BigInt.asUintN(64, BigInt.asIntN(32, value));
        if (!names.has(word)) names.set(word, enumerator);
      }
      return one((value) => {
        const enumerator = names.get(value);
        return `${BigInt.asIntN(64, value)}` +
          (enumerator === undefined ? "" : ` [${enumerator}]`);
      });
    }
    case "struct":
      return words(label, found.union ? "UNION" : "STRUCT", found.size);
    case "array":
      // It has no size of its own there: the kernel reads another field.
      return one((value) => `(ARRAY)[${hex(value)}]`);
    case "float":
      return words(label, "FLOAT", found.size);
    case "forward":
      return one((value) => `(FWD)[${hex(value)}]`);
    case "function":
      return one((value) => `(FUNC)[${hex(value)}]`);
  }
}

/** A value that may take several registers. */
function words(label: string, kind: string, size: number): Argument {
  return (args, at) => {
    let text = `${label}(${kind})[${hex(args[at])}`;
    let taken = 1;
    for (let x = 8; x < size; x += 8) {
      text += ":";
      if (at + taken >= args.length) return { text: text + "...]", taken: 0 };
      text += hex(args[at + taken++]);
    }
    return { text: text + "]", taken };
  };
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
