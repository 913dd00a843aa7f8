/**
 * Writes recordings in other formats.
 *
 * @module
 */
import { type TraceFormat, writeBuffers } from "xftrace/output";
import { FileSink } from "../../collector/file_sink.ts";
import { usage } from "../option_values.ts";
import { openGuest } from "../target.ts";
import { count, note } from "../terminal.ts";
import { reportDat } from "./dat_target.ts";
import { reportSealed } from "./sealed_target.ts";
import { guestBuffers, tellUnread } from "./guest_buffers.ts";
import { recordingKind } from "./recording_kind.ts";
import { Writing } from "./writing.ts";

/** How a recording is converted. */
export interface ConvertOptions {
  readonly output: string;
  /** Only this trace instance. */
  readonly instance?: string;
  /** Of a sealed recording; default: the one beside it that it names. */
  readonly klog?: string;
}

/**
 * Writes a trace.dat, a core, a snapshot or a sealed recording in another format.
 *
 * @throws {XftraceError} when it cannot be read, or the output not be written.
 */
export async function convertRecording(
  file: string,
  format: TraceFormat,
  options: ConvertOptions,
): Promise<void> {
  const target = recordingTarget(file);
  if (target.startsWith("dat:")) tell(reportDat(target, format, options));
  else if (target.startsWith("xfs:")) {
    tell(reportSealed(target, format, options));
  } else await convertCore(target, format, options);
}

/** The target that a file is, by its name; `dat:`, `core:` and `xfs:` may be given. */
function recordingTarget(file: string): string {
  if (/^(?:dat|core|xfs):./.test(file)) return file;
  if (/^(?:qemu|pid|file):/.test(file)) {
    throw usage(
      `${file} is no recording; \`xftrace record\` writes a guest's trace`,
    );
  }
  return `${recordingKind(file)}:${file}`;
}

async function convertCore(
  target: string,
  format: TraceFormat,
  options: ConvertOptions,
): Promise<void> {
  using guest = await openGuest({ target, cache: false });
  const buffers = guestBuffers(guest.session, options);
  using output = new FileSink(options.output);
  using writing = new Writing(format, (chunk) => output.write(chunk));
  const totals = writeBuffers(
    buffers.reading,
    buffers.described,
    writing.writer,
  );
  output.commit();
  writing.tellLeftOut();
  tellUnread(buffers);
  tell(totals);
}

function tell({ events, lost }: { events: number; lost: number }): void {
  note(`${count(events)} events, ${count(lost)} lost`);
}
