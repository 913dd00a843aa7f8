/**
 * Reads a page of the format `html` as its script does, for tests.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { inflateRawSync } from "node:zlib";
import type { PageData } from "../page/data.ts";
import { type Column, COLUMNS, PackedReader } from "../page/packed.ts";

/** One row, with its text. */
export type ReadRow = Record<Column, number> & { json: string };

/** What is in a page. */
export interface ReadPage {
  readonly data: PageData;
  readonly rows: readonly ReadRow[];
}

/** Reads a page. */
export function readPage(html: string): ReadPage {
  const texts = parts(html, "texts");
  const rows = parts(html, "rows").flatMap((bytes, i) =>
    block(bytes, texts[i])
  );
  const [data] = parts(html, "data");
  return { data: JSON.parse(new TextDecoder().decode(data)), rows };
}

function parts(html: string, part: string): Uint8Array[] {
  const pattern = new RegExp(`data-part="${part}">([^<]*)</script>`, "g");
  return [...html.matchAll(pattern)].map(([, base64]) =>
    inflateRawSync(Buffer.from(base64, "base64"))
  );
}

function block(bytes: Uint8Array, texts: Uint8Array): ReadRow[] {
  const reader = new PackedReader(bytes);
  const count = reader.number();
  const sizes = COLUMNS.map(() => reader.number());
  let at = reader.at;
  const columns = COLUMNS.map((_, i) =>
    new PackedReader(bytes.subarray(at, at += sizes[i]))
  );
  let ts = 0;
  let text = 0;
  return Array.from({ length: count }, () => {
    const [since, cpu, thread, kind, name, depth, duration, size] = columns.map(
      (column) => column.number(),
    );
    ts += since;
    const json = new TextDecoder().decode(texts.subarray(text, text + size));
    text += size;
    return { ts, cpu, thread, kind, name, depth, duration, text: size, json };
  });
}
