/**
 * The formats in which traces can be written.
 *
 * @module
 */
import { EXIT, XftraceError } from "../base/errors.ts";
import { FOLDED_FORMAT } from "./formats/folded.ts";
import { HTML } from "./formats/html.ts";
import { JSONL } from "./formats/jsonl.ts";
import { PARQUET } from "./formats/parquet.ts";
import { PERFETTO } from "./formats/perfetto.ts";
import { PPROF } from "./formats/pprof.ts";
import { SPEEDSCOPE } from "./formats/speedscope.ts";
import { TEXT } from "./formats/text.ts";
import { TRACE_DAT, TRACE_DAT_6 } from "./formats/trace_dat.ts";
import type { TraceFormat } from "./writer.ts";

/**
 * All formats, beginning with the default.
 *
 * @example
 * ```ts
 * import { FORMATS } from "xftrace/output";
 *
 * for (const { name } of FORMATS) console.log(name);
 * ```
 */
export const FORMATS: readonly TraceFormat[] = [
  TEXT,
  JSONL,
  SPEEDSCOPE,
  FOLDED_FORMAT,
  PPROF,
  HTML,
  PERFETTO,
  PARQUET,
  TRACE_DAT,
  TRACE_DAT_6,
];

/**
 * Finds a format by name.
 *
 * @throws {XftraceError} when there is none; the message lists the formats.
 *
 * @example
 * ```ts
 * import { formatNamed } from "xftrace/output";
 *
 * console.log(formatNamed("text").name);
 * ```
 */
export function formatNamed(name: string): TraceFormat {
  const found = FORMATS.find((format) => format.name === name);
  if (found !== undefined) return found;
  throw new XftraceError(
    `there is no format "${name}"; there are ${
      FORMATS.map((format) => format.name).join(", ")
    }`,
    { exitCode: EXIT.usage },
  );
}
