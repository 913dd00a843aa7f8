/**
 * Contradictions in what a kernel says of its own symbols and types. The tables
 * of a kernel that nobody has changed contain none: they were all generated
 * from the same image.
 *
 * @module
 */
import { NameIndex } from "../../base/name_index.ts";
import { hex } from "../../base/hex.ts";
import { BTF_KIND, RawBtf } from "../../kernel/btf/format.ts";
import type { GvaRange } from "../../memory/gva_ranges.ts";
import { COMPANIONS } from "./expected_symbols.ts";
import type { KallsymsTables } from "../../kernel/symbols/kallsyms.ts";
import {
  markersDisagree,
  misplacedNames,
} from "../../kernel/symbols/kallsyms_order.ts";
import {
  findName,
  nameAt,
  type SymbolBlob,
} from "../../kernel/symbols/symbol_blob.ts";

/** What a kernel says of its symbols. */
export interface SaidSymbols {
  readonly tables: KallsymsTables;
  readonly blob: SymbolBlob;
  /** GVA of `_text`. */
  readonly textGva: bigint;
  /** The kernel's own list of the order of names, if it has one. */
  readonly order: Uint32Array | undefined;
  /** Its BTF. */
  readonly btf: Uint8Array;
  /** The text of its vmcoreinfo note, if it has one. */
  readonly note: string | undefined;
  /** Where images may lie. */
  readonly image: GvaRange;
}

/** How many contradictions of one kind are named. */
const MOST = 5;
/**
 * If BTF names more functions that kallsyms lacks than this share, it was built
 * in an unknown way; renaming as many would break everything else.
 */
const UNKNOWN_SHARE = 0.01;

/** The contradictions, each as the rest of "it is not certain because". */
export function symbolDoubts(said: SaidSymbols): string[] {
  const { tables, blob, order, note } = said;
  const doubts: string[] = [];
  if (markersDisagree(tables) === true) {
    doubts.push("kallsyms_markers is not about these kallsyms_names");
  }
  if (order !== undefined) {
    for (const [a, b] of misplacedNames(blob, order, MOST)) {
      doubts.push(
        `by kallsyms_seqs_of_names, ${a} comes before ${b} in the alphabet: one of them has been renamed`,
      );
    }
  } else if (findName(blob, "kallsyms_lookup_names") >= 0) {
    // The function that searches the list, and nothing else.
    doubts.push("kallsyms_seqs_of_names is not where it should be, or damaged");
  }
  doubts.push(...missingNames(said), ...otherAddresses(said, note ?? ""));
  return doubts;
}

/** What BTF, or the company of other names, says that kallsyms must have. */
function missingNames({ blob, btf }: SaidSymbols): string[] {
  const types = new RawBtf(btf);
  const names = indexOf(blob);
  const functions = new Set<string>();
  let missing: string[] = [];
  let asked = 0;
  for (let id = 1; id < types.count; id++) {
    const kind = types.kind(id);
    if (kind !== BTF_KIND.func && kind !== BTF_KIND.var) continue;
    asked++;
    const name = types.name(id);
    if (kind === BTF_KIND.func) functions.add(name);
    if (names.find(name) < 0) missing.push(name);
  }
  let alone = COMPANIONS.filter(([variable, companion, ...others]) =>
    functions.has(companion) &&
    [variable, ...others].every((name) => names.find(name) < 0)
  );
  if (missing.length === 0 && alone.length === 0) return [];
  // The compiler may append something, which pahole leaves out: `.isra.0`.
  const plain = plainNames(blob);
  // Of a function of BPF's with arguments that the verifier adds, BTF alone has
  // the form with all of them (KF_IMPLICIT_ARGS, tools/bpf/resolve_btfids).
  const implicit = (name: string) => {
    const shown = name.replace(/_impl$/, "");
    return shown !== name && functions.has(shown) && names.find(shown) >= 0;
  };
  missing = missing.filter((name) => !plain.has(name) && !implicit(name));
  alone = alone.filter(([variable, , ...others]) =>
    [variable, ...others].every((name) => !plain.has(name))
  );
  if (missing.length > asked * UNKNOWN_SHARE) missing = [];
  // Then kallsyms has only functions (no CONFIG_KALLSYMS_ALL).
  if (alone.length * 2 > COMPANIONS.length) alone = [];
  return [
    ...missing.slice(0, MOST).map((name) =>
      `BTF has a function or variable ${name}, and kallsyms has no such symbol`
    ),
    ...alone.slice(0, MOST).map(([variable, companion]) =>
      `the kernel has the function ${companion}, and kallsyms has no symbol ${variable}, which it uses`
    ),
  ];
}

/** Names up to their first dot, of those that have one. */
function plainNames(blob: SymbolBlob): Set<string> {
  const plain = new Set<string>();
  for (let i = 0; i < blob.count; i++) {
    const name = nameAt(blob, i);
    const dot = name.indexOf(".");
    if (dot > 0) plain.add(name.slice(0, dot));
  }
  return plain;
}

function indexOf({ names, starts, count }: SymbolBlob): NameIndex {
  return new NameIndex({
    bytes: names,
    starts: starts.subarray(0, count),
    ends: starts.subarray(1, count + 1),
  });
}

/** Symbols that the vmcoreinfo note places elsewhere. */
function otherAddresses(
  { blob, textGva, image }: SaidSymbols,
  note: string,
): string[] {
  const doubts: string[] = [];
  for (
    const [, name, digits] of note.matchAll(/^SYMBOL\((\w+)\)=([\da-f]+)$/gm)
  ) {
    const said = BigInt(`0x${digits}`);
    // Some are values of variables, or macros, and not addresses in the image.
    if (said < image.start || said >= image.end) continue;
    const index = findName(blob, name);
    if (index < blob.absolute) continue;
    const own = textGva + BigInt(blob.offsets[index]);
    if (own === said || doubts.length === MOST) continue;
    doubts.push(
      `the vmcoreinfo note has ${name} at ${hex(said)}, and kallsyms at ${
        hex(own)
      }`,
    );
  }
  return doubts;
}
