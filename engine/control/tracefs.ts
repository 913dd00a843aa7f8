/**
 * Files of tracefs, written and set back by somebody in the guest: its module,
 * or its agent.
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
import type { AppliedFile, Left } from "./applied.ts";
import type { FileChange } from "./plan.ts";
import { contentText, undoText } from "./tracefs_content.ts";
import { addedLines, fileState, refusalReason } from "./tracefs_state.ts";

/** Milliseconds for a write: selecting a tracer for all functions is slow. */
const WRITE_MS = 120_000;
/** Of a file that is longer, a digest is kept. */
const KEPT_CHARACTERS = 2000;

/** Who reads and writes files of tracefs in the guest. */
export type TracefsFiles = Pick<Mailbox, "readTracefs" | "writeTracefs">;

/** Who carries out changes of tracefs: the module's mailbox, or the agent. */
export type TracefsAccess =
  & TracefsFiles
  & Pick<Mailbox, "makeInstance" | "removeInstance">;

/** How to wait for it. */
export type TracefsOptions = Pick<CommandOptions, "onWait">;

/** A word without an end would be judged when the file is closed: too late. */
function line(text: string): string {
  return text === "" ? "" : `${text}\n`;
}

/** A file's state as it is compared: whole, or its beginning and a digest. */
async function stateOf(
  files: TracefsFiles,
  path: string,
  options: TracefsOptions,
): Promise<string> {
  const text = fileState(path, await files.readTracefs(path, options));
  if (text.length <= KEPT_CHARACTERS) return text;
  const digest = createHash("sha256").update(text).digest("hex");
  return `${text.slice(0, KEPT_CHARACTERS)} SHA-256 ${digest}`;
}

/**
 * Asks the guest what those files hold of which its memory does not tell, so
 * that they can be set back. Nothing is written.
 *
 * @returns the changes with what is there before, and without those that would
 * change nothing.
 * @throws {XftraceError} for a file that there is not, or that could not be
 * set back.
 */
export async function askFiles(
  files: TracefsFiles,
  changes: readonly FileChange[],
  options: TracefsOptions = {},
): Promise<FileChange[]> {
  const asked: FileChange[] = [];
  for (const change of changes) {
    // What takes out what it has added need not know the rest.
    if (change.before.known || change.remove !== undefined) {
      asked.push(change);
      continue;
    }
    const { path } = change;
    const content = await files.readTracefs(path, options);
    const text = undoText(path, content);
    if (text === undefined) {
      throw new XftraceError(
        `${path} holds ${
          JSON.stringify(content.trim())
        }, which cannot be set back; set the files below it one by one`,
      );
    }
    if (text === change.text && !change.append) continue;
    asked.push({ ...change, before: { known: true, text } });
  }
  return asked;
}

/** A change that the guest refused. */
export class FileRefused extends XftraceError {
  /** Whether the file is as it was, so that there is nothing to undo. */
  readonly unchanged: boolean;

  constructor(message: string, unchanged: boolean) {
    super(message);
    this.unchanged = unchanged;
  }
}

/**
 * Carries a change out.
 *
 * @returns it with what the file holds now, for its undo to compare.
 * @throws {FileRefused} when the guest refuses, with its reason.
 * @throws {XftraceError} when its module does not answer, with what that last
 * said.
 */
export async function applyFile(
  files: TracefsFiles,
  change: FileChange,
  options: TracefsOptions = {},
): Promise<AppliedFile> {
  const { path, text, append } = change;
  const was = await stateOf(files, path, options);
  try {
    await files.writeTracefs(path, line(text), {
      ...options,
      append,
      timeoutMs: WRITE_MS,
    });
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    const log = await errorLog(files, path, options);
    const reason = refusalReason(log, text);
    throw new FileRefused(
      reason === undefined ? error.message : `${error.message}: ${reason}`,
      // A filter that is refused replaces the one that was there.
      await stateOf(files, path, options) === was,
    );
  }
  const left = await stateOf(files, path, options);
  return {
    way: "tracefs",
    change,
    left: change.remove === undefined ? left : addedLines(left, was),
  };
}

/** What the kernel has said of filters and triggers that it did not take. */
async function errorLog(
  files: TracefsFiles,
  path: string,
  options: TracefsOptions,
): Promise<string> {
  if (!/\/(filter|trigger)$/.test(path)) return "";
  const folder = /^instances\/[^/]+\//.exec(path)?.[0] ?? "";
  return await files.readTracefs(`${folder}error_log`, options)
    .catch(() => "");
}

/**
 * Reads what the files hold now that all is written, for the undo to compare:
 * what somebody in the guest sets meanwhile is not to be overwritten.
 *
 * @returns the files with that.
 */
export async function settleFiles(
  files: TracefsFiles,
  applied: readonly AppliedFile[],
  options: TracefsOptions = {},
): Promise<AppliedFile[]> {
  const settled: AppliedFile[] = [];
  for (const one of applied) {
    // Of a trigger its own line is compared, as it was added.
    settled.push(
      one.change.remove === undefined
        ? { ...one, left: await stateOf(files, one.change.path, options) }
        : one,
    );
  }
  return settled;
}

/** Whether a file still holds what was written: of a trigger, its line. */
function holds({ change, left }: AppliedFile, there: string): boolean {
  return change.remove === undefined
    ? there === left
    : addedLines(left ?? "", there) === "";
}

/**
 * Takes changes back, last one first; but not of files that somebody in the
 * guest has set since.
 *
 * @returns those that were not taken back.
 */
export async function undoFiles(
  files: TracefsFiles,
  applied: readonly AppliedFile[],
  options: TracefsOptions = {},
): Promise<Left<AppliedFile>[]> {
  const not: Left<AppliedFile>[] = [];
  // All before any: what is undone may show in other files.
  const now = new Map<string, string | RefusedError>();
  for (const { change: { path }, left } of applied) {
    if (left === undefined || now.has(path)) continue;
    try {
      now.set(path, await stateOf(files, path, options));
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      if (!(error instanceof RefusedError)) {
        // It will not answer to the others either, each after a minute.
        const reason = error.message;
        return applied.map((one) => ({ applied: one, why: "failed", reason }));
      }
      now.set(path, error);
    }
  }
  for (const one of applied.toReversed()) {
    const { change: { path, before, remove }, left } = one;
    const there = now.get(path);
    // Nobody knows what it holds: that is no reason to leave it on purpose.
    if (there instanceof RefusedError) {
      not.push({ applied: one, why: "failed", reason: there.message });
      continue;
    }
    if (left !== undefined && there !== undefined && !holds(one, there)) {
      not.push({
        applied: one,
        why: "changed",
        holds: contentText(path, there),
        left: contentText(path, left),
      });
      continue;
    }
    const back = remove ?? (before.known ? before.text : undefined);
    if (back === undefined) {
      const reason = "what it held is not known";
      not.push({ applied: one, why: "failed", reason });
      continue;
    }
    try {
      await files.writeTracefs(path, line(back), {
        ...options,
        append: remove !== undefined,
        timeoutMs: WRITE_MS,
      });
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      not.push({ applied: one, why: "failed", reason: error.message });
    }
  }
  return not;
}
