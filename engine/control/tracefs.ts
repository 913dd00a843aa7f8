/**
 * Writes and restores tracefs files, through the guest's module or its agent.
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

/**
 * Timeout for a write, in milliseconds: selecting a tracer for all functions is
 * slow.
 */
const WRITE_MS = 120_000;
/** For longer files, the beginning and a digest are stored. */
const KEPT_CHARACTERS = 2000;

/** Reads and writes tracefs files in the guest. */
export type TracefsFiles = Pick<Mailbox, "readTracefs" | "writeTracefs">;

/** Makes changes to tracefs: the module's mailbox, or the agent. */
export type TracefsAccess =
  & TracefsFiles
  & Pick<Mailbox, "makeInstance" | "removeInstance">;

/** Options for waiting. */
export type TracefsOptions = Pick<CommandOptions, "onWait">;

/**
 * The kernel would process an unterminated word only when the file is closed:
 * too late to report an error.
 */
function line(text: string): string {
  return text === "" ? "" : `${text}\n`;
}

/**
 * A file's state in comparable form: complete, or its beginning and a digest.
 */
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
 * Asks the guest for the content of files that its memory does not show, so
 * that they can be restored. Nothing is written.
 *
 * @returns the changes with their previous content filled in, without those
 * that would change nothing.
 * @throws {XftraceError} for a file that does not exist, or could not be
 * restored.
 */
export async function askFiles(
  files: TracefsFiles,
  changes: readonly FileChange[],
  options: TracefsOptions = {},
): Promise<FileChange[]> {
  const asked: FileChange[] = [];
  for (const change of changes) {
    // A change that removes exactly what it added need not know the rest.
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
  /** Whether the file is unchanged, so that there is nothing to undo. */
  readonly unchanged: boolean;

  constructor(message: string, unchanged: boolean) {
    super(message);
    this.unchanged = unchanged;
  }
}

/**
 * Makes a change.
 *
 * @returns the change with the file's new state, which the undo compares.
 * @throws {FileRefused} when the guest refuses; the message gives its reason.
 * @throws {XftraceError} when its module does not answer; the message gives its
 * last status.
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
      // A filter that is refused replaces the previous one.
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

/** The kernel's error message about a filter or trigger that it refused. */
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
 * Reads the content of the files after all writes, for comparison at undo: what
 * somebody in the guest sets in the meantime must not be overwritten.
 *
 * @returns the files with their states.
 */
export async function settleFiles(
  files: TracefsFiles,
  applied: readonly AppliedFile[],
  options: TracefsOptions = {},
): Promise<AppliedFile[]> {
  const settled: AppliedFile[] = [];
  for (const one of applied) {
    // For a trigger, the added line is compared.
    settled.push(
      one.change.remove === undefined
        ? { ...one, left: await stateOf(files, one.change.path, options) }
        : one,
    );
  }
  return settled;
}

/**
 * Whether a file still holds what was written; for a trigger, whether its line
 * is there.
 */
function holds({ change, left }: AppliedFile, there: string): boolean {
  return change.remove === undefined
    ? there === left
    : addedLines(left ?? "", there) === "";
}

/**
 * Undoes changes, the last one first, except in files that somebody in the
 * guest has set since.
 *
 * @returns the changes that were not undone.
 */
export async function undoFiles(
  files: TracefsFiles,
  applied: readonly AppliedFile[],
  options: TracefsOptions = {},
): Promise<Left<AppliedFile>[]> {
  const not: Left<AppliedFile>[] = [];
  // All files are read before the first undo, since undoing one may change
  // others.
  const now = new Map<string, string | RefusedError>();
  for (const { change: { path }, left } of applied) {
    if (left === undefined || now.has(path)) continue;
    try {
      now.set(path, await stateOf(files, path, options));
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      if (!(error instanceof RefusedError)) {
        // It will not answer for the others either, and each attempt would take
        // a minute.
        const reason = error.message;
        return applied.map((one) => ({ applied: one, why: "failed", reason }));
      }
      now.set(path, error);
    }
  }
  for (const one of applied.toReversed()) {
    const { change: { path, before, remove }, left } = one;
    const there = now.get(path);
    // Its content is unknown, which is no reason to keep the change.
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
