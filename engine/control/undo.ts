/**
 * Undoes the changes of a plan in reverse order. Each change is compared first:
 * what somebody in the guest has set since is kept, and reported with both
 * values.
 *
 * @module
 */
import { XftraceError } from "../base/errors.ts";
import { hex } from "../base/hex.ts";
import { TraceArray } from "../ftrace/ring/trace_array.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import type {
  Applied,
  AppliedFile,
  AppliedInstance,
  AppliedWord,
  Left,
} from "./applied.ts";
import {
  type TracefsAccess,
  type TracefsOptions,
  undoFiles,
} from "./tracefs.ts";
import type { TracerSession } from "../seal/tracer/sealed_tracer.ts";
import { mailboxOf } from "./module_commands.ts";
import { folderOf } from "./plan_tracefs.ts";
import { otherKernel, undoWord } from "./words.ts";

/** What is needed to undo changes. */
export interface UndoTarget {
  readonly kernel: Kernel;
  /**
   * Restores tracefs files: the guest's module (`undefined` when it is not
   * loaded) or its agent.
   */
  readonly tracefs: TracefsAccess | undefined;
}

/**
 * A guest as the target of an undo through its module.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { undoTarget } from "xftrace/control";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { tracefs } = undoTarget(guest.session);
 * console.log(tracefs === undefined ? "no module" : "by the module");
 * ```
 */
export function undoTarget(session: TracerSession): UndoTarget {
  const { kernel } = session;
  let found: { readonly tracefs: TracefsAccess | undefined } | undefined;
  return {
    kernel,
    // Looked up once, and only when files have to be restored.
    get tracefs() {
      found ??= { tracefs: mailboxOf(session) };
      return found.tracefs;
    },
  };
}

/** Options for undoing changes. */
export interface UndoOptions extends TracefsOptions {
  /**
   * Called for each change as soon as it is undone. Must not return before that
   * is recorded: undoing a change of a count twice would count twice.
   */
  readonly onUndone?: (applied: Applied) => void;
}

/**
 * Undoes changes, the last one first.
 *
 * @param options `onUndone` has been told what was undone by the time an error
 * is thrown
 * @returns the changes that were not undone, and why.
 * @throws {MemoryError} when the guest's memory cannot be written.
 *
 * @example
 * ```ts ignore
 * import { type Applied, undoChanges, undoTarget } from "xftrace/control";
 * import { open } from "xftrace/live";
 *
 * declare const applied: Applied[]; // as returned by applyPlan
 * await using guest = await open("qemu:web1", { steered: true });
 * guest.session.memory.makeWritable();
 * const left = await undoChanges(undoTarget(guest.session), applied);
 * console.log(left.length, "changes were left as the guest has them now");
 * ```
 */
export async function undoChanges(
  target: UndoTarget,
  applied: readonly Applied[],
  { onUndone, ...options }: UndoOptions = {},
): Promise<Left[]> {
  const left: Left[] = [];
  const done = (tried: readonly Applied[], not: readonly Left[]) => {
    left.push(...not);
    for (const one of tried.toReversed()) {
      if (not.every(({ applied }) => applied !== one)) onUndone?.(one);
    }
  };
  const rest = [...applied];
  // In another kernel, the words' addresses are about something else.
  const other = rest.some(({ way }) => way === "word")
    ? otherKernel(target.kernel)
    : undefined;
  for (let one = rest.pop(); one !== undefined; one = rest.pop()) {
    switch (one.way) {
      case "word":
        done(
          [one],
          other === undefined
            ? undoOneWord(target.kernel, one)
            : [{ applied: one, why: "moved", reason: other }],
        );
        break;
      case "tracefs": {
        // All files are compared first, since undoing one may change others.
        const files = [one];
        while (rest.at(-1)?.way === "tracefs") {
          const before = rest.pop();
          if (before?.way === "tracefs") files.unshift(before);
        }
        done(files, await undoAllFiles(target, files, options));
        break;
      }
      case "instance":
        done([one], await undoInstance(target, one, left, options));
    }
  }
  return left;
}

function undoOneWord(kernel: Kernel, applied: AppliedWord): Left[] {
  const { undone, holds, moved } = undoWord(kernel, applied);
  // It was never written: the command ended before that.
  const untouched = applied.pending === true && holds === applied.found;
  if (undone || untouched) return [];
  return moved === undefined
    ? [{
      applied,
      why: "changed",
      holds: valueText(holds),
      left: valueText(applied.change.after),
    }]
    : [{ applied, why: "moved", reason: moved }];
}

/** A word's value for display: small numbers in decimal, all others in hex. */
function valueText(value: bigint): string {
  return value < 1000n ? String(value) : hex(value);
}

async function undoAllFiles(
  { tracefs }: UndoTarget,
  files: readonly AppliedFile[],
  options: TracefsOptions,
): Promise<Left[]> {
  return tracefs === undefined
    ? files.map((applied) => ({ applied, why: "no module" }))
    : await undoFiles(tracefs, files, options);
}

async function undoInstance(
  { kernel, tracefs }: UndoTarget,
  applied: AppliedInstance,
  left: readonly Left[],
  options: TracefsOptions,
): Promise<Left[]> {
  const { name } = applied.change;
  // It was never created, or somebody has removed it.
  if (TraceArray.all(kernel).every((one) => one.name !== name)) return [];
  if (tracefs === undefined) return [{ applied, why: "no module" }];
  // Removing it would also remove what somebody has set in it.
  const folder = folderOf(name);
  const used = left.some(({ applied: one, why }) =>
    why === "changed" && one.way === "tracefs" &&
    one.change.path.startsWith(folder)
  );
  if (used) return [{ applied, why: "in use" }];
  try {
    await tracefs.removeInstance(name, options);
    return [];
  } catch (error) {
    if (!(error instanceof XftraceError)) throw error;
    return [{ applied, why: "failed", reason: error.message }];
  }
}
