/**
 * Planned writes of tracefs files, carried out by the guest's module and taken
 * back by it.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { XftraceError } from "../base/errors.ts";
import {
  type CommandOptions,
  type Mailbox,
  RefusedError,
} from "../seal/page/mailbox.ts";
import { NOT_ASKED, type TracefsWrite } from "./tracefs_control.ts";
import { contentText, undoText } from "./tracefs_undo.ts";
import { addedLines, fileState, refusalReason } from "./tracefs_state.ts";

/** Milliseconds for a write: selecting a tracer for all functions is slow. */
const WRITE_MS = 120_000;
/** Of a file that is longer, a digest is kept. */
const KEPT_CHARACTERS = 2000;

/** What is needed of the mailbox: tracefs files, read and written. */
export type TracefsFiles = Pick<Mailbox, "readTracefs" | "writeTracefs">;

/** How to wait for the module. */
export type TracefsOptions = Pick<CommandOptions, "onWait">;

/** A word without an end would be judged when the file is closed: too late. */
function line(text: string): string {
  return text === "" ? "" : `${text}\n`;
}

/** A file's state as it is compared: whole, or its beginning and a digest. */
async function stateOf(
  mailbox: TracefsFiles,
  path: string,
  options: TracefsOptions,
): Promise<string> {
  const text = fileState(path, await mailbox.readTracefs(path, options));
  if (text.length <= KEPT_CHARACTERS) return text;
  const digest = createHash("sha256").update(text).digest("hex");
  return `${text.slice(0, KEPT_CHARACTERS)} SHA-256 ${digest}`;
}

/**
 * Asks the guest what those files hold of which its memory does not tell, so
 * that they can be set back. Nothing is written.
 *
 * @returns the writes with what is there before, and without those that would
 * change nothing.
 * @throws {XftraceError} for a file that there is not, or that could not be
 * set back.
 */
export async function askTracefs(
  mailbox: TracefsFiles,
  writes: readonly TracefsWrite[],
  options: TracefsOptions = {},
): Promise<TracefsWrite[]> {
  const asked: TracefsWrite[] = [];
  for (const write of writes) {
    if (write.before !== NOT_ASKED) {
      asked.push(write);
      continue;
    }
    const { path } = write;
    const text = await mailbox.readTracefs(path, options);
    const undo = undoText(path, text);
    if (undo === undefined) {
      throw new XftraceError(
        `${path} holds ${
          JSON.stringify(text.trim())
        }, which cannot be set back; set the files below it one by one`,
      );
    }
    if (undo === write.text && write.append !== true) continue;
    asked.push({ ...write, before: contentText(path, text), undo });
  }
  return asked;
}

/** A write that the guest refused. */
export class TracefsRefused extends XftraceError {
  /** Whether the file is as it was, so that there is nothing to undo. */
  readonly unchanged: boolean;

  constructor(message: string, unchanged: boolean) {
    super(message);
    this.unchanged = unchanged;
  }
}

/**
 * Carries a write out.
 *
 * @returns the write with what the file holds now, for its undo to compare.
 * @throws {TracefsRefused} when the guest refuses, with its reason.
 * @throws {XftraceError} when its module does not answer, with what that last
 * said.
 */
export async function applyTracefs(
  mailbox: TracefsFiles,
  write: TracefsWrite,
  options: TracefsOptions = {},
): Promise<TracefsWrite> {
  const { path, text, append } = write;
  const was = await stateOf(mailbox, path, options);
  try {
    await mailbox.writeTracefs(path, line(text), {
      ...options,
      ...(append === undefined ? {} : { append }),
      timeoutMs: WRITE_MS,
    });
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    const log = await errorLog(mailbox, path, options);
    const reason = refusalReason(log, text);
    throw new TracefsRefused(
      reason === undefined ? error.message : `${error.message}: ${reason}`,
      // A filter that is refused replaces the one that was there.
      await stateOf(mailbox, path, options) === was,
    );
  }
  const left = await stateOf(mailbox, path, options);
  return {
    ...write,
    left: write.undoAppend === true ? addedLines(left, was) : left,
  };
}

/** What the kernel has said of filters and triggers that it did not take. */
async function errorLog(
  mailbox: TracefsFiles,
  path: string,
  options: TracefsOptions,
): Promise<string> {
  if (!/\/(filter|trigger)$/.test(path)) return "";
  const folder = /^instances\/[^/]+\//.exec(path)?.[0] ?? "";
  return await mailbox.readTracefs(`${folder}error_log`, options)
    .catch(() => "");
}

/**
 * Reads what the files hold now that all is written, for the undo to compare:
 * what somebody in the guest sets meanwhile is not to be overwritten.
 *
 * @returns the writes with that.
 */
export async function settleTracefs(
  mailbox: TracefsFiles,
  writes: readonly TracefsWrite[],
  options: TracefsOptions = {},
): Promise<TracefsWrite[]> {
  const settled: TracefsWrite[] = [];
  for (const write of writes) {
    // Of a trigger its own line is compared, as it was added.
    settled.push(
      write.undoAppend === true
        ? write
        : { ...write, left: await stateOf(mailbox, write.path, options) },
    );
  }
  return settled;
}

/** Whether a file still holds what was written: of a trigger, its line. */
function holds({ left, undoAppend }: TracefsWrite, there: string): boolean {
  return undoAppend === true
    ? addedLines(left ?? "", there) === ""
    : there === left;
}

/** A write that was not taken back, and why. */
export interface NotUndone {
  readonly write: TracefsWrite;
  readonly reason: string;
  /** Somebody in the guest has set the file since: it is left on purpose. */
  readonly changed: boolean;
}

/**
 * Takes writes back, last one first; but not of files that somebody in the
 * guest has set since.
 *
 * @returns those that were not taken back.
 */
export async function undoTracefs(
  mailbox: TracefsFiles,
  writes: readonly TracefsWrite[],
  options: TracefsOptions = {},
): Promise<NotUndone[]> {
  const not: NotUndone[] = [];
  // All before any: what is undone may show in other files.
  const now = new Map<string, string | RefusedError>();
  for (const { path, left } of writes) {
    if (left === undefined || now.has(path)) continue;
    try {
      now.set(path, await stateOf(mailbox, path, options));
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      if (!(error instanceof RefusedError)) {
        // It will not answer to the others either, each after a minute.
        const reason = error.message;
        return writes.map((write) => ({ write, reason, changed: false }));
      }
      now.set(path, error);
    }
  }
  for (const write of writes.toReversed()) {
    const { path, left, undo, undoAppend } = write;
    const there = now.get(path);
    // Nobody knows what it holds: that is no reason to leave it on purpose.
    if (there instanceof RefusedError) {
      not.push({ write, reason: there.message, changed: false });
      continue;
    }
    if (left !== undefined && there !== undefined && !holds(write, there)) {
      not.push({
        write,
        reason: `${path} was changed by the guest since (it holds "${
          contentText(path, there)
        }", \`xftrace on\` left "${
          contentText(path, left)
        }"), and is left as it is`,
        changed: true,
      });
      continue;
    }
    try {
      await mailbox.writeTracefs(path, line(undo), {
        ...options,
        ...(undoAppend === undefined ? {} : { append: undoAppend }),
        timeoutMs: WRITE_MS,
      });
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      not.push({ write, reason: error.message, changed: false });
    }
  }
  return not;
}
