/**
 * Compares text with what an earlier check recorded.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";
import { notRestarted } from "../../kernel/objects/uptime.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { type BootRecords, bootRecords } from "./boot_records.ts";
import { compareText } from "./compare_text.ts";
import type { CodeReading } from "../reading/code_reading.ts";
import { liveSites, withoutProbes } from "./live_sites.ts";
import { recordable } from "./recordable.ts";
import type { RecordedText, TextRecords } from "./text_record.ts";
import type { Report } from "../finding.ts";

/** What was done with a record. */
export type Compared = "compared" | "recorded" | "not judged";

/**
 * Compares the kernel's text with its record, or records it if this boot has
 * not been seen. Reports a guest that contradicts what it said before.
 */
export function compareKernelText(
  reading: CodeReading,
  report: Report,
  records: TextRecords,
): Compared {
  return withRecords(reading, report, records, "kernel text", (boot) => {
    const { text, earlier } = boot;
    if (!boot.isNew) {
      if (text.kernel !== boot.kernel) reportClaim(reading, report, boot);
      const { start, bytes } = reading.text;
      return compare(reading, report, text, {
        what: "kernel text",
        start,
        bytes,
      });
    }
    if (earlier !== undefined) reportRestart(reading, report, boot, earlier);
    return "recorded";
  });
}

/** The same boot, but the guest says that it runs another kernel. */
function reportClaim(
  { kernel }: CodeReading,
  report: Report,
  { text, kernel: now }: BootRecords,
): void {
  report.finding({
    severity: "critical",
    where: "linux_banner and vmcoreinfo",
    address: kernel.symbols.address("linux_banner"),
    expected: text.kernel,
    found: now,
    summary:
      `the guest says that its kernel is ${now}, but its text is that of ${text.kernel}, which was checked first at ${text.since}`,
  });
}

/** Another boot, by what the guest's memory shows. */
function reportRestart(
  { kernel }: CodeReading,
  report: Report,
  { kernel: now }: BootRecords,
  earlier: RecordedText,
): void {
  const before = `${earlier.kernel}, checked at ${earlier.since}`;
  report.known(
    `this VM ran ${before}; since then it has been restarted, by what its memory shows, and runs ${now}`,
  );
  const doubt = notRestarted(kernel, earlier);
  if (doubt === undefined) return;
  report.unjudged(
    "kernel text",
    `it is not the text of ${before}, as if the VM had been restarted, but ${doubt}`,
  );
}

/**
 * Compares a module's text with its record, or records it.
 *
 * @param name name of the record, different for each load
 */
export function compareModuleText(
  reading: CodeReading,
  report: Report,
  records: TextRecords,
  name: string,
  text: {
    readonly what: string;
    readonly start: bigint;
    readonly bytes: Uint8Array;
    readonly module: ModuleView;
  },
): Compared {
  return withRecords(reading, report, records, text.what, (boot) => {
    const recorded = boot.load(name);
    if (recorded !== undefined) return compare(reading, report, recorded, text);
    const { start, bytes, module } = text;
    boot.save(name, start, recordable(reading, bytes, start, module));
    return "recorded";
  });
}

/**
 * What the record of this boot has in place of a digest, and since when;
 * `undefined` when it is the same, or is recorded now.
 */
export function otherDigest(
  reading: CodeReading,
  report: Report,
  records: TextRecords,
  name: string,
  digest: string,
): { readonly digest: string; readonly since: string } | undefined {
  let other: { digest: string; since: string } | undefined;
  withRecords(reading, report, records, name, (boot) => {
    const recorded = boot.load(name);
    if (recorded === undefined) {
      boot.save(name, 0n, new TextEncoder().encode(digest));
      return "recorded";
    }
    const { since, bytes } = recorded;
    const before = new TextDecoder().decode(bytes);
    if (before !== digest) other = { digest: before, since };
    return "compared";
  });
  return other;
}

function withRecords(
  reading: CodeReading,
  report: Report,
  records: TextRecords,
  what: string,
  body: (boot: BootRecords) => Compared,
): Compared {
  try {
    return body(bootRecords(reading, records));
  } catch (error) {
    // Reported here, because records are files and not guest memory.
    if (!(error instanceof XftraceError) || error.name !== "XftraceError") {
      throw error;
    }
    report.unjudged(what, error.message);
    return "not judged";
  }
}

function compare(
  reading: CodeReading,
  report: Report,
  recorded: RecordedText,
  text: {
    readonly what: string;
    readonly start: bigint;
    readonly bytes: Uint8Array;
    readonly module?: ModuleView;
  },
): Compared {
  const { what, start, bytes, module } = text;
  const own = withoutProbes(reading, bytes, start);
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
}
