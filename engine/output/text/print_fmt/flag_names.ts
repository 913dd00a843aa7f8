/**
 * `__print_flags` and `__print_symbolic`: show numbers by name
 * (kernel/trace/trace_output.c).
 *
 * @module
 */

import type { RecordBytes } from "../record.ts";
import { asInt, type Code, type Scope, toInt } from "./code.ts";
import { TEXT_TYPE, ULONG } from "./ctype.ts";
import { PrintFmtError } from "./lexer.ts";
import type { Node } from "./parser.ts";

type Compile = (node: Node, scope: Scope) => Code;

/** A number and its name (`struct trace_print_flags`). */
interface Named {
  readonly mask: bigint;
  readonly name: string;
}

/**
 * Maximum number of cached results for each call; the flags of an event have
 * few different values.
 */
const MEMO_LIMIT = 4096;

/** Compiles `__print_flags(value, delimiter, { mask, "name" } ...)`. */
export function printFlags(
  value: Code,
  delimiter: Node | undefined,
  list: readonly Node[],
  scope: Scope,
  compile: Compile,
): Code {
  const names = table(list, scope, compile);
  const between = delimiterText(delimiter);
  return named(value, (flags) => flagText(flags, between, names));
}

/** Compiles `__print_symbolic(value, { number, "name" } ...)`. */
export function printSymbolic(
  value: Code,
  list: readonly Node[],
  scope: Scope,
  compile: Compile,
): Code {
  const names = table(list, scope, compile);
  return named(value, (number) => {
    const found = names.find(({ mask }) => mask === number);
    // The kernel detects a missing name from the fact that nothing was written,
    // so for an empty name it shows the number.
    return found === undefined || found.name === ""
      ? "0x" + number.toString(16)
      : found.name;
  });
}

function flagText(
  value: bigint,
  delimiter: string,
  names: readonly Named[],
): string {
  let flags = value;
  let text = "";
  let first = true;
  for (const { mask, name } of names) {
    if (flags === 0n) break;
    if ((flags & mask) !== mask) continue;
    flags &= ~mask;
    text += first ? name : delimiter + name;
    first = false;
  }
  if (flags !== 0n) {
    text += (first ? "" : delimiter) + "0x" + flags.toString(16);
  }
  return text;
}

function named(value: Code, write: (value: bigint) => string): Code {
  const memo = new Map<number | bigint, string>();
  // The key is the unconverted value, since converting it to 64 bits costs more
  // than looking it up.
  const source = asInt(value);
  const run = source.run as (record: RecordBytes) => number | bigint;
  const toUlong = (plain: number | bigint): bigint =>
    toInt(
      { type: source.type, constant: plain, run: () => plain },
      ULONG,
    ).constant as bigint;
  return {
    type: TEXT_TYPE,
    run: (record) => {
      const plain = run(record);
      const known = memo.get(plain);
      if (known !== undefined) return known;
      const text = write(BigInt.asUintN(64, BigInt(toUlong(plain))));
      if (memo.size < MEMO_LIMIT) memo.set(plain, text);
      return text;
    },
  };
}

function delimiterText(node: Node | undefined): string {
  if (node?.op === "string") return node.text;
  // NULL: there is nothing between the names.
  return "";
}

function table(
  list: readonly Node[],
  scope: Scope,
  compile: Compile,
): Named[] {
  const pairs: Node[] = list.flatMap((node) =>
    // A list of pairs may itself be in braces.
    node.op === "braces" && node.items.every((item) => item.op === "braces")
      ? node.items
      : [node]
  );
  const names: Named[] = [];
  for (const pair of pairs) {
    if (pair.op !== "braces" || pair.items.length !== 2) {
      throw new PrintFmtError("a list of names is not made of pairs");
    }
    const mask = toInt(asInt(compile(pair.items[0], scope)), ULONG).constant;
    const name = pair.items[1];
    // Like the kernel's list, a list may end with its own { -1, NULL }, whose
    // NULL the preprocessor may have made a 0.
    const value = compile(name, scope).constant;
    if (value === 0n || value === 0) break;
    if (typeof mask !== "bigint" || name.op !== "string") {
      throw new PrintFmtError("a list of names holds what is not constant");
    }
    names.push({ mask, name: name.text });
  }
  return names;
}
