/**
 * Describes changes that were not undone.
 *
 * @module
 */
import type { Applied, Left } from "./applied.ts";
import { fileText } from "./plan_text.ts";

/** The name of a change, as users know it. */
export function appliedName(applied: Applied): string {
  switch (applied.way) {
    case "word":
      return `${applied.change.what} (${applied.change.where})`;
    case "tracefs":
      return applied.change.path;
    case "instance":
      return `the instance ${applied.change.name}`;
  }
}

/**
 * The name with the previous value: `trace_clock (was: local)`.
 *
 * @example
 * ```ts ignore
 * import { appliedBefore, applyPlan, planPlain } from "xftrace/control";
 * import { openInstance } from "xftrace/ftrace";
 * import { open } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1", { steered: true });
 * const { session } = guest;
 * const target = { session, ...openInstance(session) };
 * session.memory.makeWritable();
 * const request = { functions: ["vfs_read"], mute: [], withoutCpu: [] };
 * for (const one of await applyPlan(planPlain(target, request).plan, target)) {
 *   console.log(appliedBefore(one));
 * }
 * ```
 */
export function appliedBefore(applied: Applied): string {
  const name = appliedName(applied);
  return applied.way === "tracefs"
    ? `${name} (was: ${backText(applied)})`
    : name;
}

/**
 * Whether another attempt to undo it may succeed.
 *
 * @example
 * ```ts ignore
 * import { type Applied, canBeRetried, undoChanges, undoTarget } from "xftrace/control";
 * import { open } from "xftrace/live";
 *
 * declare const applied: Applied[];
 * await using guest = await open("qemu:web1", { steered: true });
 * const left = await undoChanges(undoTarget(guest.session), applied);
 * console.log(left.filter(canBeRetried).length, "to be tried again");
 * ```
 */
export function canBeRetried({ why }: Left): boolean {
  return why === "failed" || why === "no module";
}

/** A file's content before the change, for display. */
function backText({ change }: Extract<Applied, { way: "tracefs" }>): string {
  const { path, before, remove } = change;
  if (remove !== undefined) return `without ${change.text}`;
  return before.known ? fileText(path, before.text) : "what it held";
}

/**
 * The reasons why changes were not undone, one sentence each; several words of
 * one moved object give only one sentence.
 *
 * @example
 * ```ts ignore
 * import { type Applied, leftTexts, undoChanges, undoTarget } from "xftrace/control";
 * import { open } from "xftrace/live";
 *
 * declare const applied: Applied[];
 * await using guest = await open("qemu:web1", { steered: true });
 * const left = await undoChanges(undoTarget(guest.session), applied);
 * for (const sentence of leftTexts(left, "this script")) console.warn(sentence);
 * ```
 */
export function leftTexts(left: readonly Left[], who: string): string[] {
  return [...new Set(left.map((one) => leftText(one, who)))];
}

/**
 * Why a change was not undone, as a sentence without a full stop.
 *
 * @param who what had made the change: `xftrace on`, `this run`
 */
export function leftText(left: Left, who: string): string {
  const { applied, why, reason } = left;
  const name = appliedName(applied);
  switch (why) {
    case "changed":
      return `${name} was changed by the guest since (it holds "${left.holds}", ${who} left "${left.left}"), and is left as it is`;
    case "moved":
      return `the guest has replaced its ${
        applied.way === "word" ? applied.change.what : name
      } since (${reason}), and they are left as they are`;
    case "in use":
      return `so ${name}, which ${who} made, is left too`;
    case "no module":
      return applied.way === "tracefs"
        ? `the guest's module has been unloaded, so ${name} is as ${who} set it (was: ${
          backText(applied)
        }); load the module or set it in the guest`
        : `the guest's module has been unloaded, so ${name} stays; load the module or remove it in the guest`;
    case "failed":
      return applied.way === "tracefs"
        ? `${name} could not be set back to "${backText(applied)}": ${reason}`
        : `${name} stays: ${reason}`;
  }
}
