/**
 * The formats in which traces are written.
 *
 * @module
 */
import { EXIT, XftraceError } from "../base/errors.ts";
import { JSONL } from "./formats/jsonl.ts";
import { TEXT } from "./formats/text.ts";
import type { TraceFormat } from "./writer.ts";

/**
 * All formats, the default one first.
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
];

/**
 * The format of that name.
 *
 * @throws {XftraceError} when there is none, with those that there are.
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
