/**
 * Takes back what was carried out of a plan, in reverse. Each change is
 * compared first: what somebody in the guest has set since is left, and told
 * of with both values.
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
import { undoWord } from "./words.ts";

/** Who can take changes back. */
export interface UndoTarget {
  readonly kernel: Kernel;
  /**
   * Who sets back files of tracefs: the guest's module, `undefined` when it is
   * not loaded, or its agent.
   */
  readonly tracefs: TracefsAccess | undefined;
}

/**
 * A guest as the one in which changes are taken back, by its module.
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
    // Looked for once, and only where files are set back.
    get tracefs() {
      found ??= { tracefs: mailboxOf(session) };
      return found.tracefs;
    },
  };
}

/**
 * Takes changes back, last one first.
 *
 * @returns those that were left, and why.
 * @throws {MemoryError} when the guest's memory cannot be written.
 *
 * @example
 * ```ts ignore
 * import { type Applied, undoChanges, undoTarget } from "xftrace/control";
 * import { open } from "xftrace/live";
 *
 * declare const applied: Applied[]; // what applyPlan has given
 * await using guest = await open("qemu:web1", { steered: true });
 * guest.session.memory.makeWritable();
 * const left = await undoChanges(undoTarget(guest.session), applied);
 * console.log(left.length, "changes were left as the guest has them now");
 * ```
 */
export async function undoChanges(
  target: UndoTarget,
  applied: readonly Applied[],
  options: TracefsOptions = {},
): Promise<Left[]> {
  const left: Left[] = [];
  const rest = [...applied];
  for (let one = rest.pop(); one !== undefined; one = rest.pop()) {
    switch (one.way) {
      case "word":
        left.push(...undoOneWord(target.kernel, one));
        break;
      case "tracefs": {
        // What is undone of one may show in others: all are compared first.
        const files = [one];
        while (rest.at(-1)?.way === "tracefs") {
          const before = rest.pop();
          if (before?.way === "tracefs") files.unshift(before);
        }
        left.push(...await undoAllFiles(target, files, options));
        break;
      }
      case "instance":
        left.push(...await undoInstance(target, one, left, options));
    }
  }
  return left;
}

function undoOneWord(kernel: Kernel, applied: AppliedWord): Left[] {
  const { undone, holds, moved } = undoWord(kernel, applied);
  // It was never written: the command ended before.
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

/** A word's value for people: small numbers in tens, all others in hex. */
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
  // It was never made, or somebody has removed it.
  if (TraceArray.all(kernel).every((one) => one.name !== name)) return [];
  if (tracefs === undefined) return [{ applied, why: "no module" }];
  // With it would go what somebody has set there.
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
