/**
 * The tables of a trace.dat that give names to numbers: functions, formats of
 * `trace_printk`, threads. They are the texts of the guest's own files
 * (/proc/kallsyms, printk_formats, saved_cmdlines).
 *
 * @module
 */

/** A function of the guest. */
export interface DatFunction {
  readonly address: bigint;
  readonly name: string;
  /** Bytes to the next one; 0 for the last. */
  readonly size: number;
  readonly module?: string;
}

/** Functions by address. */
export class DatFunctions {
  readonly #addresses: BigUint64Array;
  readonly #names: readonly string[];
  readonly #modules: ReadonlyMap<number, string>;

  /** @param text as in /proc/kallsyms */
  constructor(text: string) {
    const found: { address: bigint; name: string; module?: string }[] = [];
    const line = /^([0-9a-fA-F]{1,16}) (\S) (\S+)(?:[\t ]+\[(\S*)\])?/gm;
    for (const [, digits, kind, name, module] of text.matchAll(line)) {
      // Marks of parts of functions (`$a`), and absolute symbols, which are
      // offsets of per-CPU variables.
      if (name.startsWith("$") || kind === "A" || kind === "a") continue;
      const address = BigInt(`0x${digits}`);
      found.push({
        address,
        name,
        ...(module === undefined ? {} : { module }),
      });
    }
    // Of several names at an address, trace-cmd takes one by the way in which
    // it searches: the list is in reverse order, and sorted stably.
    found.reverse();
    found.sort((a, b) =>
      a.address < b.address ? -1 : a.address > b.address ? 1 : 0
    );
    this.#addresses = BigUint64Array.from(found, ({ address }) => address);
    this.#names = found.map(({ name }) => name);
    this.#modules = new Map(
      found.flatMap(({ module }, i) =>
        module === undefined ? [] : [[i, module]]
      ),
    );
  }

  /** Number of functions. */
  get size(): number {
    return this.#names.length;
  }

  /** The function with this index, in order of addresses. */
  at(index: number): DatFunction {
    const module = this.#modules.get(index);
    const address = this.#addresses[index];
    const next = this.#addresses[index + 1] ?? address;
    return {
      address,
      name: this.#names[index],
      size: Number(next - address),
      ...(module === undefined ? {} : { module }),
    };
  }

  /** The function in which an address lies; undefined behind the last one. */
  find(address: bigint): DatFunction | undefined {
    const all = this.#addresses;
    let low = 0;
    let high = all.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const start = all[middle];
      if (
        start === address ||
        (address > start && middle + 1 < all.length &&
          address < all[middle + 1])
      ) {
        return this.at(middle);
      }
      if (address < start) high = middle;
      else low = middle + 1;
    }
    return undefined;
  }

  /** The address of the first function of that name; for symbols in formats. */
  addressOf(name: string): bigint | undefined {
    const index = this.#names.indexOf(name);
    return index < 0 ? undefined : this.#addresses[index];
  }
}

/** The texts of `trace_printk`, by their addresses in the guest. */
export function printkFormats(text: string): Map<bigint, string> {
  const formats = new Map<bigint, string>();
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    const digits = /^\s*(?:0x)?([0-9a-fA-F]{1,16})/.exec(line)?.[1];
    if (colon < 0 || digits === undefined) continue;
    let format = line.slice(colon + 2).replace(/^"/, "");
    if (format.endsWith('"')) format = format.slice(0, -1);
    if (format.endsWith("\\n")) format = format.slice(0, -2);
    formats.set(BigInt(`0x${digits}`), format);
  }
  return formats;
}

/** The names of threads, by pid. */
export function savedCmdlines(text: string): Map<number, string> {
  const comms = new Map<number, string>();
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const found = /^\s*([+-]?\d{1,10})\s+(.+)$/.exec(line);
    // What follows a damaged line is not read by trace-cmd either.
    if (found === null) break;
    comms.set(Number(found[1]), found[2]);
  }
  return comms;
}
