/**
 * Files of trace-cmd, of both versions: names, formats, pages, and the text of
 * all events.
 *
 * @module
 */
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { FOLDED_FORMAT } from "../../../engine/output/formats/folded.ts";
import { HTML } from "../../../engine/output/formats/html.ts";
import { JSONL } from "../../../engine/output/formats/jsonl.ts";
import { PARQUET } from "../../../engine/output/formats/parquet.ts";
import { PERFETTO } from "../../../engine/output/formats/perfetto.ts";
import { PPROF } from "../../../engine/output/formats/pprof.ts";
import { SPEEDSCOPE } from "../../../engine/output/formats/speedscope.ts";
import { TRACE_DAT } from "../../../engine/output/formats/trace_dat.ts";
import { TraceDatabase } from "../../../engine/output/sql/database.ts";
import { writeTracecmdReport } from "../../../engine/output/tracecmd/write_report.ts";
import { writeDat } from "../../../engine/output/write_dat.ts";
import { XftraceError } from "../../../engine/base/errors.ts";
import {
  DAT_KINDS,
  datFile,
  openDatBytes,
} from "../../../engine/tracedat/dat_fixture.ts";
import { type Field, mutateFields } from "../fields.ts";
import type { Random } from "../../random.ts";
import type { Target } from "../target.ts";

const FORMATS = [
  JSONL,
  FOLDED_FORMAT,
  HTML,
  PARQUET,
  PPROF,
  SPEEDSCOPE,
  PERFETTO,
  TRACE_DAT,
];

/** Bytes that a format writes are counted, not kept. */
let written = 0;

/** Reads a file, and shows it in every way. */
function readAll(bytes: Uint8Array<ArrayBuffer>): void {
  using trace = openDatBytes(bytes);
  for (const how of [{}, { bytes: true }, { escaped: true }]) {
    writeTracecmdReport(trace, (chunk) => written += chunk.length, how);
  }
  const sink = (chunk: string | Uint8Array) => written += chunk.length;
  using database = new TraceDatabase(
    "SELECT * FROM events, calls, losses, sched_switch, sys_enter_openat",
  );
  for (
    const writer of [
      ...FORMATS.map((format) => () => format.writer(sink)),
      () => database.writer(),
    ]
  ) {
    try {
      writeDat(trace, writer());
    } catch (error) {
      // A format may have nothing to say about what is left of the trace.
      if (!(error instanceof XftraceError)) throw error;
    }
  }
}

/** Words at which headers, tables, sections and pages have numbers. */
function fieldsOf(bytes: Uint8Array<ArrayBuffer>): Field[] {
  const fields: Field[] = [
    { at: 10, size: 1 },
    { at: 12, size: 1 },
    { at: 13, size: 1 },
    { at: 14, size: 4 },
  ];
  const text = new TextDecoder("latin1").decode(bytes);
  // Sizes precede texts, and numbers follow these words.
  const words =
    /header_page\0|header_event\0|options {2}\0|flyrecord\0|zstd\0/g;
  for (const { index, 0: word } of text.matchAll(words)) {
    for (let i = 0; i < 40; i++) {
      fields.push({ at: index + word.length + 2 * i, size: 2 });
      fields.push({ at: index + word.length + 4 * i, size: 8 });
    }
  }
  for (const { index } of text.matchAll(/name: \w+\nID: /g)) {
    fields.push({ at: index - 8, size: 8 });
  }
  for (const { index, 0: digits } of text.matchAll(/\d+/g)) {
    if (index < 12_000) {
      fields.push({ at: index, size: digits.length, text: true });
    }
  }
  for (let at = bytes.length & ~4095; at > 0; at -= 4096) {
    for (let i = 0; i < 64; i++) fields.push({ at: at + 4 * i, size: 4 });
  }
  return fields;
}

/** Version 7 is packed: a section is unpacked, changed, and packed again. */
function mutatePacked(
  bytes: Uint8Array<ArrayBuffer>,
  random: Random,
): Uint8Array<ArrayBuffer> {
  const starts: number[] = [];
  for (let at = 0; at + 4 < bytes.length; at++) {
    if (
      bytes[at] === 0x28 && bytes[at + 1] === 0xb5 && bytes[at + 2] === 0x2f &&
      bytes[at + 3] === 0xfd
    ) starts.push(at);
  }
  if (starts.length === 0) return bytes;
  const start = random.pick(starts);
  const view = new DataView(bytes.buffer);
  const little = bytes[12] === 0;
  const size = view.getUint32(start - 8, little);
  if (start + size > bytes.length) return bytes;
  let body: Uint8Array<ArrayBuffer>;
  try {
    body = new Uint8Array(
      zstdDecompressSync(bytes.slice(start, start + size)),
    );
  } catch {
    return bytes;
  }
  const all = Array.from(
    { length: Math.min(300, body.length >> 2) },
    (_, i): Field => ({ at: 4 * i, size: 4 }),
  );
  const changed = mutateFields(body, [...all, ...fieldsOf(body)], random);
  const packed = new Uint8Array(zstdCompressSync(changed));
  // It must fit, since places of what follows are in the options.
  if (packed.length > size) return bytes;
  const result = bytes.slice();
  result.fill(0, start, start + size);
  result.set(packed, start);
  const out = new DataView(result.buffer);
  out.setUint32(start - 8, packed.length, little);
  out.setUint32(start - 4, changed.length, little);
  return result;
}

export const traceDat: Target = {
  name: "traceDat",
  open() {
    const seeds = DAT_KINDS.map((kind) => [datFile(kind)]);
    return {
      seeds,
      mutate(input, random) {
        const [bytes] = input;
        input[0] = bytes[10] === 0x37 && random.next(4) > 0
          ? mutatePacked(bytes, random)
          : mutateFields(bytes, fieldsOf(bytes), random);
      },
      run([bytes]) {
        readAll(bytes);
      },
    };
  },
};
