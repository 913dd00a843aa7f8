/**
 * Reads the data that the page contains.
 *
 * @module
 */
import type { PageData } from "../engine/output/page/data.ts";
import {
  BLOCK_ROWS,
  COLUMNS,
  PackedReader,
} from "../engine/output/page/packed.ts";

/** Texts of so many blocks are kept at once. */
const KEPT_TEXTS = 4;

/** The base64 texts of all parts of a kind, in order. */
function parts(kind: string): string[] {
  return [...document.querySelectorAll(`script[data-part="${kind}"]`)]
    .map((element) => element.textContent ?? "");
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  // Browsers before 2025 do not have it.
  const direct: unknown = Reflect.get(Uint8Array, "fromBase64");
  if (typeof direct === "function") return Uint8Array.fromBase64(base64);
  return Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
}

async function unpacked(base64: string): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytesOf(base64)]).stream()
    .pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** What the page is about. */
export async function loadData(): Promise<PageData> {
  const bytes = await unpacked(parts("data").join(""));
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** All rows of events, as columns. */
export class Rows {
  readonly length: number;
  /** Since the start of the trace. */
  readonly ts: Float64Array;
  readonly cpu: Uint16Array;
  readonly thread: Uint32Array;
  readonly kind: Uint8Array;
  readonly name: Uint32Array;
  readonly depth: Uint32Array;
  readonly duration: Float64Array;
  /** Where a row's text begins within the texts of its block. */
  readonly #textAt: Uint32Array;
  readonly #textSize: Uint32Array;
  readonly #packedTexts: string[];
  readonly #texts = new Map<number, Promise<Uint8Array>>();

  constructor(length: number, texts: string[]) {
    this.length = length;
    this.ts = new Float64Array(length);
    this.cpu = new Uint16Array(length);
    this.thread = new Uint32Array(length);
    this.kind = new Uint8Array(length);
    this.name = new Uint32Array(length);
    this.depth = new Uint32Array(length);
    this.duration = new Float64Array(length);
    this.#textAt = new Uint32Array(length);
    this.#textSize = new Uint32Array(length);
    this.#packedTexts = texts;
  }

  /** Takes a block of rows. */
  take(block: number, bytes: Uint8Array): void {
    const reader = new PackedReader(bytes);
    const from = block * BLOCK_ROWS;
    const to = Math.min(this.length, from + reader.number());
    const sizes = COLUMNS.map(() => reader.number());
    let at = reader.at;
    COLUMNS.forEach((column, i) => {
      const own = new PackedReader(bytes.subarray(at, at + sizes[i]));
      at += sizes[i];
      if (column === "ts") {
        let ts = 0;
        for (let row = from; row < to; row++) {
          this.ts[row] = ts += own.number();
        }
      } else if (column === "text") {
        let start = 0;
        for (let row = from; row < to; row++) {
          this.#textAt[row] = start;
          start += this.#textSize[row] = own.number();
        }
      } else {
        const into = this[column];
        for (let row = from; row < to; row++) into[row] = own.number();
      }
    });
  }

  /** Whether a row has fields. */
  hasText(row: number): boolean {
    return this.#textSize[row] > 0;
  }

  /** The bytes of the texts of a row's block, for {@linkcode textIn}. */
  textsOf(row: number): Promise<Uint8Array> {
    const block = Math.floor(row / BLOCK_ROWS);
    let texts = this.#texts.get(block);
    if (texts === undefined) {
      if (this.#texts.size >= KEPT_TEXTS) {
        const [oldest] = this.#texts.keys();
        this.#texts.delete(oldest);
      }
      texts = unpacked(this.#packedTexts[block] ?? "");
      this.#texts.set(block, texts);
    }
    return texts;
  }

  /** A row's fields as JSON; empty if it has none. */
  textIn(texts: Uint8Array, row: number): string {
    const at = this.#textAt[row];
    return DECODER.decode(texts.subarray(at, at + this.#textSize[row]));
  }
}

const DECODER = new TextDecoder();

/** Reads all rows. */
export async function loadRows(length: number): Promise<Rows> {
  const packed = parts("rows");
  const rows = new Rows(length, parts("texts"));
  await Promise.all(packed.map(async (part, block) => {
    rows.take(block, await unpacked(part));
  }));
  return rows;
}
