/**
 * A trace's texts for output on a terminal: what the guest supplies is escaped,
 * so that the only line ends are those of the trace itself.
 *
 * @module
 */
import { shown } from "../../base/shown.ts";
import { bytesText } from "./byte_text.ts";
import type { TextBuffer } from "./bytes/text_buffer.ts";
import type { TextSymbols, TraceMeta } from "./environment.ts";

/**
 * What an event or a message adds to its line: only the line end after it is
 * left.
 */
export function escapedBody(text: string): string {
  return text.endsWith("\n") ? `${shown(text.slice(0, -1))}\n` : shown(text);
}

/**
 * Escapes what was written from `start` on, as {@linkcode escapedBody} does.
 */
export function escapeFrom(out: TextBuffer, start: number): void {
  const { bytes } = out;
  const last = out.length - 1;
  for (let at = start; at <= last; at++) {
    const byte = bytes[at];
    if (byte >= 0x20 && byte < 0x7f) continue;
    if (at === last && byte === 0x0a) return;
    const text = bytesText(bytes.subarray(start, out.length));
    out.length = start;
    out.text(escapedBody(text));
    return;
  }
}

/** The same guest, with the names that lines consist of escaped. */
export function escapedMeta(meta: TraceMeta): TraceMeta {
  const { symbols, recorded, drawn, latency, release } = meta;
  const escaped = (names: TextSymbols): TextSymbols => {
    const name = (form: keyof TextSymbols) => (lo: number, hi: number) =>
      shown(names[form](lo, hi));
    return {
      bare: name("bare"),
      ps: name("ps"),
      pS: name("pS"),
      pB: name("pB"),
    };
  };
  return {
    ...meta,
    tracer: shown(meta.tracer),
    symbols: escaped(symbols),
    ...(recorded === undefined ? {} : { recorded: escaped(recorded) }),
    ...(drawn === undefined
      ? {}
      : { drawn: (lo: number, hi: number) => shown(drawn(lo, hi)) }),
    comm: (pid) => {
      const comm = meta.comm(pid);
      return comm === undefined ? undefined : shown(comm);
    },
    ...(meta.functionArguments === undefined ? {} : {
      functionArguments: (called, args) => {
        const text = meta.functionArguments?.(called, args);
        return text === undefined ? undefined : shown(text);
      },
    }),
    ...(release === undefined ? {} : { release: shown(release) }),
    ...(latency === undefined
      ? {}
      : { latency: { ...latency, comm: shown(latency.comm) } }),
  };
}
