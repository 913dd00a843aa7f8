/**
 * Symbol names in the forms of the trace, with a cache, since a trace contains
 * the same few thousand functions millions of times.
 *
 * @module
 */

import { AddressMap } from "../../memory/address_map.ts";
import type { SymbolAt, Symbols } from "../../kernel/symbols/symbols.ts";
import type { TextSymbols } from "./environment.ts";

type Form = "bare" | "ps" | "pS" | "pB";

/**
 * Names for the text, from the guest's symbols. Names are cached for ever:
 * create a new object when modules have been loaded or unloaded.
 *
 * Source: lib/vsprintf.c (symbol_string), kernel/kallsyms.c
 * (__sprint_symbol), kernel/trace/trace_output.c (trace_seq_print_sym).
 */
export function textSymbols(symbols: Pick<Symbols, "lookup">): TextSymbols {
  const forms: Record<Form, (address: bigint) => string> = {
    bare: (address) => bareName(symbols, address),
    ps: (address) => {
      const found = symbols.lookup(address);
      if (found === undefined) return `0x${address.toString(16)}`;
      return found.name + moduleSuffix(found);
    },
    pS: (address) => withOffset(symbols, address, 0),
    // The address after a call may already belong to the next function.
    pB: (address) => withOffset(symbols, address, 1),
  };
  return {
    bare: cached(forms.bare),
    ps: cached(forms.ps),
    pS: cached(forms.pS),
    pB: cached(forms.pB),
  };
}

function bareName(
  symbols: Pick<Symbols, "lookup">,
  address: bigint,
): string {
  const found = symbols.lookup(address);
  if (found === undefined) {
    return `0x${address.toString(16).padStart(8, "0")}`;
  }
  // trace_output.c, kretprobed(): a return address that was replaced by a
  // kretprobe. Compared by name before adf8a61a940c (5.16), which renamed it.
  const trampoline = found.name === "arch_rethook_trampoline" ||
    found.name === "__kretprobe_trampoline";
  return found.name === "kretprobe_trampoline" ||
      trampoline && found.offset === 0
    ? "[unknown/kretprobe'd]"
    : found.name;
}

function withOffset(
  symbols: Pick<Symbols, "lookup">,
  address: bigint,
  back: number,
): string {
  const found = symbols.lookup(address - BigInt(back));
  if (found === undefined) return `0x${address.toString(16)}`;
  const offset = found.offset + back;
  // In the kernel, "%#lx" of 0 is 0x0.
  return `${found.name}+0x${offset.toString(16)}/0x${found.size.toString(16)}${
    moduleSuffix(found)
  }`;
}

function moduleSuffix(symbol: SymbolAt): string {
  return symbol.module === undefined ? "" : ` [${symbol.module}]`;
}

function cached(
  write: (address: bigint) => string,
): (lo: number, hi: number) => string {
  const texts = new AddressMap<string>();
  return (lo, hi) => {
    let text = texts.get(lo, hi);
    if (text === undefined) {
      text = write(BigInt(hi) << 32n | BigInt(lo));
      texts.set(lo, hi, text);
    }
    return text;
  };
}
