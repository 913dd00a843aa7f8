/**
 * Compares text with what an earlier check recorded.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { compareText } from "./compare_text.ts";
import type { CodeReading } from "../reading/code_reading.ts";
import { liveSites, withoutProbes } from "./live_sites.ts";
import type { TextRecords } from "./text_record.ts";
import type { Report } from "../finding.ts";

/**
 * Compares a text with its record, and creates the record if there is none.
 *
 * @param name name of the record; different for each boot and each load
 * @returns `compared`, `recorded` (there was none), or `not judged`
 */
export function compareWithRecord(
  reading: CodeReading,
  report: Report,
  records: TextRecords,
  text: {
    readonly name: string;
    readonly what: string;
    readonly start: bigint;
    readonly bytes: Uint8Array;
    readonly module?: ModuleView;
  },
): "compared" | "recorded" | "not judged" {
  const { name, what, start, bytes, module } = text;
  const own = withoutProbes(reading, bytes, start);
  try {
    const recorded = records.load(name);
    if (recorded === undefined) {
      records.save(name, start, own);
      return "recorded";
    }
    if (recorded.start !== start || recorded.bytes.length !== own.length) {
      report.unjudged(what, "what was recorded of it lies elsewhere");
      return "not judged";
    }
    compareText(reading, report, {
      what,
      with: `its text when it was checked first (${recorded.since})`,
      start,
      trusted: recorded.bytes,
      own,
      sites: liveSites(reading, own, start, module),
      ...(module === undefined ? {} : { module: module.name }),
    });
    return "compared";
  } catch (error) {
    // Reported here, because records are files and not guest memory.
    if (!(error instanceof XftraceError) || error.name !== "XftraceError") {
      throw error;
    }
    report.unjudged(what, error.message);
    return "not judged";
  }
}
