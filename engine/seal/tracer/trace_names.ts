/**
 * The names of addresses in a trace, from the traced kernel. Modules come and
 * go, so names are looked up while tracing.
 *
 * @module
 */
import { hex } from "../../base/hex.ts";
import { MemoryError } from "../../base/errors.ts";
import { AddressMap } from "../../memory/address_map.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { WORD } from "../page/abi.ts";
import type { RecordingWriter } from "../recording/recording.ts";
import type { Names } from "../recording/recording_format.ts";

/** Interval in milliseconds between lookups of addresses without a name. */
const NAMES_MS = 1000;
/** Maximum number of addresses that get names. */
const MOST_NAMES = 1 << 20;

/**
 * Names by address in hex: `vfs_read+0x1c`, `hooked+0x4 [module]`. Addresses
 * that no symbol covers are left out.
 *
 * @throws {MemoryError} when the guest's module list cannot be read.
 */
export function symbolNames(
  kernel: Kernel,
  addresses: Iterable<bigint>,
): Names {
  const { live, symbols } = kernel;
  live.refresh();
  const names: Record<string, string> = {};
  for (const address of addresses) {
    const symbol = symbols.lookup(address);
    if (symbol === undefined) continue;
    const where = symbol.offset === 0
      ? symbol.name
      : `${symbol.name}+${hex(symbol.offset)}`;
    names[hex(address)] = symbol.module === undefined
      ? where
      : `${where} [${symbol.module}]`;
  }
  return names;
}

/** The addresses in a trace, and which of them have names in its recording. */
export class TraceNames {
  readonly #noted = new AddressMap<true>();
  /** Addresses whose names are in the recording. */
  readonly #named = new Set<bigint>();
  #next = performance.now();

  /** Adds the function and the caller of an entry or a return. */
  note(words: Int32Array, at: number): void {
    this.#note(words, at + WORD.func);
    this.#note(words, at + WORD.caller);
  }

  #note(words: Int32Array, at: number): void {
    if (this.#noted.size >= MOST_NAMES) return;
    this.#noted.set(words[at] >>> 0, words[at + 1] >>> 0, true);
  }

  /** Addresses that have no name in the recording yet. */
  get unnamed(): bigint[] {
    if (this.#noted.size === this.#named.size) return [];
    return [...this.#noted.keys()].filter((gva) => !this.#named.has(gva));
  }

  /** Calls {@linkcode record} when the interval has passed. */
  recordWhenDue(recording: RecordingWriter | undefined, kernel: Kernel): void {
    const now = performance.now();
    if (now < this.#next) return;
    this.#next = now + NAMES_MS;
    this.record(recording, kernel);
  }

  /** Writes the names of addresses without one to a recording. */
  record(recording: RecordingWriter | undefined, kernel: Kernel): void {
    if (recording === undefined) return;
    const fresh = this.unnamed;
    if (fresh.length === 0) return;
    try {
      recording.names(symbolNames(kernel, fresh));
      for (const address of fresh) this.#named.add(address);
    } catch (error) {
      // The guest changed the list meanwhile, or has ended: try again next
      // time.
      if (!(error instanceof MemoryError)) throw error;
    }
  }
}
