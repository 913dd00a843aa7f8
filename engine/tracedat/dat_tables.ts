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

/**
 * Functions by address. There are some hundred thousand of them, of which few
 * are asked for: names stay in the text until they are.
 */
export class DatFunctions {
  readonly #text: string;
  readonly #count: number;
  /** Halves of addresses, in order. */
  readonly #low: Uint32Array;
  readonly #high: Uint32Array;
  /** Where the names begin and end, and how many characters of a module follow. */
  readonly #start: Uint32Array;
  readonly #end: Uint32Array;
  readonly #module: Uint32Array;

  /** @param text as in /proc/kallsyms */
  constructor(text: string) {
    this.#text = text;
    const found = new FoundFunctions(text);
    const order = found.order();
    const sorted = (from: Uint32Array) =>
      order === undefined
        ? from.subarray(0, found.count)
        : Uint32Array.from(order, (i) => from[i]);
    this.#count = found.count;
    this.#low = sorted(found.low);
    this.#high = sorted(found.high);
    this.#start = sorted(found.start);
    this.#end = sorted(found.end);
    this.#module = sorted(found.module);
  }

  /** Number of functions. */
  get size(): number {
    return this.#count;
  }

  #address(index: number): bigint {
    return BigInt(this.#high[index]) << 32n | BigInt(this.#low[index]);
  }

  /** The function with this index, in order of addresses. */
  at(index: number): DatFunction {
    const text = this.#text;
    const end = this.#end[index];
    const address = this.#address(index);
    const next = index + 1 < this.#count ? this.#address(index + 1) : address;
    const module = this.#module[index];
    return {
      address,
      name: text.slice(this.#start[index], end),
      size: Number(next - address),
      ...(module === NO_MODULE
        ? {}
        : { module: moduleBehind(text, end, module) }),
    };
  }

  /** The function in which an address lies; undefined behind the last one. */
  find(address: bigint): DatFunction | undefined {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const start = this.#address(middle);
      if (
        start === address ||
        (address > start && middle + 1 < this.#count &&
          address < this.#address(middle + 1))
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
    for (let i = 0; i < this.#count; i++) {
      if (
        this.#end[i] - this.#start[i] === name.length &&
        this.#text.startsWith(name, this.#start[i])
      ) return this.#address(i);
    }
    return undefined;
  }
}

const NO_MODULE = 0xffff_ffff;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const CLOSE = 0x5d;
const LEAST_ROOM = 1024;

/** The module's name behind a symbol's: `\t[name]`. */
function moduleBehind(text: string, from: number, length: number): string {
  const start = text.indexOf("[", from) + 1;
  return text.slice(start, start + length);
}

/** The lines of /proc/kallsyms that name a function. */
class FoundFunctions {
  count = 0;
  low = new Uint32Array(LEAST_ROOM);
  high = new Uint32Array(LEAST_ROOM);
  start = new Uint32Array(LEAST_ROOM);
  end = new Uint32Array(LEAST_ROOM);
  module = new Uint32Array(LEAST_ROOM);
  /** Whether they are in order of addresses, and each has one name. */
  #ordered = true;

  constructor(text: string) {
    for (let at = 0; at < text.length;) at = this.#line(text, at);
  }

  /**
   * The order of addresses; undefined if it is the order of the lines. Of
   * several names at an address, trace-cmd takes one by the way in which it
   * searches: the list is in reverse order, and sorted stably.
   */
  order(): Uint32Array | undefined {
    if (this.#ordered) return undefined;
    const { low, high } = this;
    return Uint32Array.from({ length: this.count }, (_, i) => i).sort((a, b) =>
      high[a] !== high[b]
        ? high[a] - high[b]
        : low[a] !== low[b]
        ? low[a] - low[b]
        : b - a
    );
  }

  /** Reads the line at a place; returns where the next one begins. */
  #line(text: string, from: number): number {
    let at = from;
    let low = 0;
    let high = 0;
    for (; at < from + 16; at++) {
      const digit = hexDigit(text.charCodeAt(at));
      if (digit < 0) break;
      high = (high << 4 | low >>> 28) >>> 0;
      low = (low << 4 | digit) >>> 0;
    }
    const kind = text.charCodeAt(at + 1);
    if (
      at === from || text.charCodeAt(at) !== SPACE || isSpace(kind) ||
      text.charCodeAt(at + 2) !== SPACE
    ) return nextLine(text, at);
    const start = at + 3;
    at = start;
    while (at < text.length && !isSpace(text.charCodeAt(at))) at++;
    if (at === start) return nextLine(text, at);
    // Marks of parts of functions (`$a`), and absolute symbols, which are
    // offsets of per-CPU variables.
    if (text[start] === "$" || kind === 0x41 || kind === 0x61) {
      return nextLine(text, at);
    }
    const end = at;
    let module = NO_MODULE;
    while (text[at] === " " || text[at] === "\t") at++;
    if (at > end && text[at] === "[") {
      const first = ++at;
      while (at < text.length && !isSpace(text.charCodeAt(at))) at++;
      // The last bracket of the word ends the name.
      let close = at - 1;
      while (close >= first && text.charCodeAt(close) !== CLOSE) close--;
      if (close >= first) module = close - first;
      else at = end;
    }
    if (this.count === this.low.length) this.#grow();
    const i = this.count++;
    this.low[i] = low;
    this.high[i] = high;
    this.start[i] = start;
    this.end[i] = end;
    this.module[i] = module;
    if (
      i > 0 && (high < this.high[i - 1] ||
        (high === this.high[i - 1] && low <= this.low[i - 1]))
    ) this.#ordered = false;
    return nextLine(text, at);
  }

  #grow(): void {
    this.low = doubled(this.low);
    this.high = doubled(this.high);
    this.start = doubled(this.start);
    this.end = doubled(this.end);
    this.module = doubled(this.module);
  }
}

function doubled(before: Uint32Array): Uint32Array<ArrayBuffer> {
  const after = new Uint32Array(2 * before.length);
  after.set(before);
  return after;
}

function nextLine(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === NEWLINE || code === 0x0d) return at + 1;
  }
  return text.length;
}

/** What `\s` matches among the characters that stand for bytes. */
function isSpace(code: number): boolean {
  return code === SPACE || code >= 0x09 && code <= 0x0d || code === 0xa0;
}

/** The value of a hexadecimal digit; -1 if it is none. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
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
