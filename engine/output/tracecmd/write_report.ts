/**
 * Writes a trace.dat as `trace-cmd report` does.
 *
 * @module
 */
import { shown, shownLines } from "../../base/shown.ts";
import type {
  DatReading,
  DatSelection,
  DatTrace,
} from "../../tracedat/dat_trace.ts";
import { byteChar, bytesText } from "../text/byte_text.ts";
import { TextBuffer } from "../text/bytes/text_buffer.ts";
import type { OutputSink } from "../writer.ts";
import { ReportText } from "./report_text.ts";
import type { TracecmdGuest } from "./tracecmd_guest.ts";

/** Text is passed on in chunks of about this many characters, or bytes. */
const CHUNK = 8192;
const CHUNK_OF_BYTES = 1 << 16;

/** How to write. */
export interface ReportOptions extends DatSelection {
  /** Whether the guest's texts are escaped, for a terminal. */
  readonly escaped?: boolean;
  /** Whether text may be passed on as bytes; default: as strings. */
  readonly bytes?: boolean;
}

/**
 * Writes all events of a trace.dat, line by line like `trace-cmd report` (3.1,
 * with the plugins of libtraceevent 1.7).
 *
 * @example
 * ```ts ignore
 * import { DatTrace } from "xftrace/ftrace";
 * import { writeTracecmdReport } from "xftrace/output";
 *
 * using trace = DatTrace.open("trace.dat");
 * let text = "";
 * writeTracecmdReport(trace, (chunk) => text += chunk);
 * ```
 */
export function writeTracecmdReport(
  trace: DatTrace,
  sink: OutputSink,
  options: ReportOptions = {},
): DatReading {
  const { header } = trace;
  sink(
    `cpus=${Math.max(header.cpuCount, header.buffers[0]?.cpus.length ?? 0)}\n`,
  );
  const whole = trace.text();
  if (whole !== undefined) {
    sink(
      options.escaped === true
        ? shownLines(new TextDecoder().decode(whole))
        : whole,
    );
    sink("\n");
    return { events: 0, lost: 0, problems: [], damaged: 0 };
  }
  const shownText = options.escaped === true ? shown : undefined;
  const text = new ReportText(tracecmdGuest(trace), shownText);
  const names = header.buffers.map(({ name }) => shownText?.(name) ?? name);
  const prefixes = prefixesOf(names);
  const prefixOf = new Map(
    header.buffers.map((each, i) => [each, prefixes[i]]),
  );
  const out = new TextBuffer();
  const pass = () => {
    const { written } = out;
    out.clear();
    if (written.length === 0) return;
    sink(options.bytes === true ? written : bytesText(written));
  };
  const enough = options.bytes === true ? CHUNK_OF_BYTES : CHUNK;
  // A loss is told within the line of the event behind it.
  let loss = "";
  const reading = trace.read({
    events({ buffer, columns, arena, from, to }) {
      const prefix = prefixOf.get(buffer) ?? "";
      if (loss !== "") {
        text.flush(out);
        text.write(out, columns, arena, from++, prefix + loss);
        loss = "";
      }
      for (let row = from; row < to; row++) {
        text.write(out, columns, arena, row, prefix);
        if (out.length >= enough && !text.waits) pass();
      }
    },
    lost({ cpu, count, first }) {
      if (first) loss = text.lost(cpu, count);
    },
  }, options);
  text.flush(out);
  pass();
  return reading;
}

/** With several instances, each line begins with the name of its own. */
function prefixesOf(names: readonly string[]): readonly string[] {
  if (names.length < 2) return names.map(() => "");
  const width = Math.max(...names.map((name) => name.length));
  return names.map((name) =>
    name === "" ? " ".repeat(width + 2) : `${name.padStart(width)}: `
  );
}

/** A trace.dat as the guest whose events are printed. */
export function tracecmdGuest(trace: DatTrace): TracecmdGuest {
  const { header, functions, printk, comms, layout } = trace;
  const texts = new Map<bigint, string>();
  return {
    longSize: header.longSize,
    bigEndian: !header.little,
    inNs: trace.inNs,
    stackType: layout.trace.types.stack,
    function: cached((address: bigint) => functions.find(address)),
    symbol: cached((name: string) => functions.addressOf(name)),
    text(address) {
      const found = printk.get(address);
      if (found === undefined) return undefined;
      let text = texts.get(address);
      if (text === undefined) {
        text = bytesOf(found);
        texts.set(address, text);
      }
      return text;
    },
    comms: () =>
      Array.from(comms, ([pid, comm]) => [pid, bytesOf(comm)] as const),
    event: (id) => layout.events.get(id),
  };
}

const NOT_ASCII = /[\u0080-\u00ff]/;

/** A text of the file, in which each character stands for a byte. */
export function bytesOf(latin1: string): string {
  return NOT_ASCII.test(latin1)
    ? Array.from(latin1, (char) => byteChar(char.charCodeAt(0))).join("")
    : latin1;
}

/** Functions that are asked for again and again. */
const MOST_CACHED = 1 << 18;

function cached<K, T>(find: (key: K) => T): (key: K) => T {
  const known = new Map<K, T>();
  return (key) => {
    let found = known.get(key);
    if (found === undefined && !known.has(key)) {
      if (known.size >= MOST_CACHED) known.clear();
      found = find(key);
      known.set(key, found);
    }
    return found as T;
  };
}
