/**
 * Opens a recording together with its key log. The key log decides what the
 * recording is; the recording only says which of its traces it claims to be.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { XftraceError } from "../../base/errors.ts";
import { isMissing } from "../../base/host_file/open.ts";
import { KLOG, type KlogRecord } from "../keys/klog_format.ts";
import { type KlogReading, readKlog } from "../keys/read_klog.ts";
import { RecordingFile } from "./recording_file.ts";
import type { RecordingHeader } from "./recording_format.ts";

/** A recording that is open, and the records of its trace. */
export interface OpenRecording extends Disposable {
  readonly file: RecordingFile;
  /** The key log that was read. */
  readonly klogPath: string;
  readonly klog: KlogReading;
  /** The start of the trace. */
  readonly start: KlogRecord;
}

/**
 * Where the key log of a recording is, if the user has not said so: beside it.
 * A header is not authenticated before the key log has been read, so of the
 * path in it only the file name counts, or else it could lead to any file or
 * device.
 *
 * @throws {XftraceError} when the header names no file.
 */
export function klogBeside(path: string, header: RecordingHeader): string {
  const name = basename(header.klog);
  if (name === "" || name === "." || name === ".." || name.includes("\0")) {
    throw new XftraceError(
      `the recording ${path} names no key log; give it with --klog FILE`,
    );
  }
  return join(dirname(path), name);
}

function readKeys(
  path: string,
  header: RecordingHeader,
  given: string | undefined,
): { klogPath: string; klog: KlogReading } {
  const klogPath = given ?? klogBeside(path, header);
  try {
    const klog = readKlog(klogPath, header, given !== undefined);
    return { klogPath, klog };
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (given !== undefined || !isMissing(cause)) throw error;
    throw new XftraceError(
      `the key log of ${path} is not beside it (${klogPath}); give it with --klog FILE`,
      { cause: error },
    );
  }
}

/**
 * Opens a recording and its key log.
 *
 * @param given the key log; default: the file beside the recording that it
 * names
 * @throws {XftraceError} when one of them cannot be read or has another format,
 * or the log has no keys for the recording.
 */
export function openWithKeys(path: string, given?: string): OpenRecording {
  const file = new RecordingFile(path);
  try {
    const { klogPath, klog } = readKeys(path, file.start.header, given);
    const start = klog.records.first;
    if (start === undefined || start.type !== KLOG.start) {
      throw new XftraceError(
        `the key log ${klogPath} has no keys for ${path}; give the log of that trace with --klog FILE`,
      );
    }
    return {
      file,
      klogPath,
      klog,
      start,
      [Symbol.dispose]: () => {
        klog.records.wipe();
        file[Symbol.dispose]();
      },
    };
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}
