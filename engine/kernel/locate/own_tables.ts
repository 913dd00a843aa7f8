/**
 * The kallsyms tables of a kernel that has been located.
 *
 * @module
 */
import {
  type KallsymsAddresses,
  type KallsymsTables,
  readKallsyms,
} from "../symbols/kallsyms.ts";
import { readOrder } from "../symbols/kallsyms_order.ts";
import { imageOf, type Located } from "./locate.ts";

/**
 * The addresses in the note. Before 6.0, it does not give them: 5fd8fea935a1
 * ("vmcoreinfo: include kallsyms symbols").
 */
function addresses({ note }: Located): KallsymsAddresses | undefined {
  const at = (name: string) => note?.symbol(`kallsyms_${name}`);
  const names = at("names");
  const numSyms = at("num_syms");
  const tokenTable = at("token_table");
  const tokenIndex = at("token_index");
  const offsets = at("offsets");
  if (
    names === undefined || numSyms === undefined ||
    tokenTable === undefined || tokenIndex === undefined ||
    offsets === undefined
  ) return undefined;
  const relativeBase = at("relative_base");
  return {
    names,
    numSyms,
    tokenTable,
    tokenIndex,
    offsets,
    ...(relativeBase === undefined ? {} : { relativeBase }),
  };
}

/** The tables at the addresses in the note; `undefined` if it has none. */
export function readTables(located: Located): KallsymsTables | undefined {
  const { space } = located;
  const at = addresses(located);
  return at === undefined
    ? undefined
    : readKallsyms((gva, into) => space.read(gva, into), at);
}

/** The tables in memory now, found by a search if the note does not say. */
export function tablesNow(located: Located): KallsymsTables {
  return readTables(located) ?? imageOf(located).tables;
}

/** The kernel's list of the order of its names, if its place is known. */
export function orderNow(located: Located): Uint32Array | undefined {
  const { space } = located;
  const at = addresses(located);
  if (at === undefined) return undefined;
  const read = (gva: bigint, into: Uint8Array) => space.read(gva, into);
  return readOrder(read, at, readKallsyms(read, at));
}
