/**
 * Prints plans as text and as JSON: equal plans give equal output. All wording
 * about plans is in this file.
 *
 * @module
 */
import { shown, shownJson } from "../base/shown.ts";
import { hex } from "../base/hex.ts";
import { listed } from "../base/listed.ts";
import type {
  Change,
  ControlStep,
  FileChange,
  FileContent,
  ModuleCommand,
  Plan,
  PlannedStep,
} from "./plan.ts";
import { contentText } from "./tracefs_content.ts";

/** A step described in words. */
export interface StepText {
  /** How it is undone. */
  readonly undo: string;
  /** Name, one word: `roots`. */
  readonly what: string;
  /** The change: `sys_read -> sys_open`. */
  readonly change: string;
  /** How it is carried out: `ftrace_graph_hash`, `module mailbox`. */
  readonly by: string;
}

/** Who makes the changes to tracefs. */
function carrier(changes: readonly Change[] | undefined): string {
  const byAgent = changes?.some((change) =>
    (change.way === "tracefs" || change.way === "instance") &&
    change.by === "agent"
  );
  return byAgent === true ? "guest agent" : "module mailbox";
}

/** Maximum number of function names listed for a change. */
const MANY = 8;

/**
 * The meaning of a text in a tracefs file: an empty list means all functions.
 */
export function fileText(path: string, text: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (text === "" && /^set_(ftrace_filter|graph_function)$/.test(name)) {
    return "all functions";
  }
  if (text === "0" && name === "filter") return "none";
  return text.includes("\n") || text === "" ? contentText(path, text) : text;
}

/** The content of a file before the change. */
function beforeText({ path, before, remove }: FileChange): string {
  if (before.known) return heldText(path, before);
  return remove === undefined ? "what it holds" : "as it is";
}

function heldText(
  path: string,
  { text, whenUsed }: Extract<FileContent, { readonly known: true }>,
): string {
  const words = fileText(path, text);
  return whenUsed === true ? `${words} (once it is used)` : words;
}

/**
 * The content of a file after the change: `256`, `and vfs_read`.
 *
 * @example
 * ```ts
 * import { afterText } from "xftrace/control";
 *
 * const text = afterText({
 *   way: "tracefs",
 *   path: "trace_clock",
 *   text: "mono",
 *   append: false,
 *   before: { known: false },
 * });
 * console.log(text); // mono
 * ```
 */
export function afterText({ path, text, append }: FileChange): string {
  return append ? `and ${text}` : fileText(path, text);
}

/** Describes a step. */
export function stepText({ step, changes }: PlannedStep): StepText {
  switch (step.control) {
    case "instance":
      return {
        undo: "removed",
        what: "instance",
        change: `${step.name} is made`,
        by: `${carrier(changes)}: instances`,
      };
    case "file":
    case "tracer":
      return filesText(changes ?? []);
    case "enable":
      return {
        undo: `${carrier(changes)}: back to 0`,
        what: "enable",
        change: `${listed(step.events)}: 0 -> 1`,
        by: `${carrier(changes)}: tracefs events/*/*/enable`,
      };
    case "roots": {
      const before = step.before.length === 0
        ? "all functions"
        : listed(step.before);
      return {
        undo: `back to ${before}`,
        what: "roots",
        change: `${before} -> ${listed(step.functions, MANY)}`,
        by: "ftrace_graph_hash",
      };
    }
    case "depth":
      return {
        undo: `back to ${step.before}`,
        what: "depth",
        change: `${step.before} -> ${step.levels}`,
        by: "fgraph_max_depth",
      };
    case "mute":
      return {
        undo: "recorded again",
        what: "mute",
        change: listed(step.events),
        by: "trace_event_file.flags",
      };
    case "cpu":
      return {
        undo: "recorded again",
        what: "cpu",
        change: `${step.cpu} is left out`,
        by: "ring_buffer_per_cpu.record_disabled",
      };
    case "recording": {
      const [before, after] = step.on ? ["0", "1"] : ["1", "0"];
      return {
        undo: `back to ${before}`,
        what: "recording",
        change: `${before} -> ${after}`,
        by: "trace_buffer.record_disabled",
      };
    }
    case "module":
    case "keys":
    case "enabled":
      return moduleText(step);
  }
}

function filesText(changes: readonly Change[]): StepText {
  const files = changes.filter((change) => change.way === "tracefs");
  const each = (text: (file: FileChange) => string) => files.map(text).join();
  return {
    undo: each((file) =>
      file.remove === undefined
        ? `back to ${beforeText(file)}`
        : `${file.text} taken out`
    ),
    what: each(({ path }) => path),
    change: each((file) => `${beforeText(file)} -> ${afterText(file)}`),
    by: `${carrier(changes)}: tracefs`,
  };
}

function moduleText(
  step: Extract<
    ControlStep,
    { readonly control: "module" | "keys" | "enabled" }
  >,
): StepText {
  switch (step.control) {
    case "module":
      return {
        undo: step.sharedFilter
          ? "module mailbox: unregister; set_ftrace_filter, which it needs here, is emptied"
          : "module mailbox: unregister",
        what: "module",
        change: `not registered -> roots ${
          step.roots.length === 0 ? "any" : listed(step.roots, MANY)
        }; records ${
          step.functions === "all"
            ? "all functions"
            : listed(step.functions, MANY)
        }; ${step.levels === 0 ? "all levels" : `${step.levels} levels`}`,
        by: "module mailbox: reset, configure",
      };
    case "keys":
      return {
        undo: "none are sent any more",
        what: "keys",
        change: `none -> a new one for each CPU every ${step.everyMs} ms`,
        by: "xft_cpu.slot_key, slot_epoch; xft_control.heartbeat_nonce",
      };
    case "enabled":
      return {
        undo: "back to 0",
        what: "enabled",
        change: "0 -> 1",
        by: "xft_control.enabled",
      };
  }
}

function table(rows: readonly (readonly string[])[], indent: string): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.slice(0, -1).forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, shown(cell).length);
    });
  }
  return rows.map((row) =>
    indent + row.map(shown).map((cell, i) =>
      i === row.length - 1 ? cell : cell.padEnd(widths[i])
    ).join("  ").trimEnd() + "\n"
  ).join("");
}

/** A table with a heading; empty when there are no rows. */
function section(
  heading: string,
  rows: readonly (readonly string[])[],
): string {
  return rows.length === 0 ? "" : `${shown(heading)}\n${table(rows, "  ")}`;
}

function commandRow(command: ModuleCommand): string[] {
  if (command.command === "reset") return ["reset", "the rings are emptied"];
  const { roots, functions } = command;
  const some = (count: number, what: string) =>
    `${count} ${what}${count === 1 ? "" : "s"}`;
  return [
    "configure",
    `${some(roots, "root")}, ${
      functions === "all" ? "all functions" : some(functions, "function")
    }`,
  ];
}

/**
 * Lists the changes of all steps, if they have been determined from the guest's
 * memory.
 */
function changesText(steps: readonly PlannedStep[]): string {
  if (steps.every(({ changes }) => changes === undefined)) return "";
  const words: string[][] = [];
  const files: string[][] = [];
  const commands: string[][] = [];
  steps.forEach(({ step, changes }, i) => {
    const number = String(i + 1);
    if (changes === undefined) {
      words.push([number, "where the guest puts them in the new instance"]);
    }
    for (const change of changes ?? []) {
      if (change.way === "word" || change.way === "module") {
        const { where, gva, width, before, after } = change;
        words.push([
          number,
          where,
          hex(gva),
          `${width} B`,
          `${hex(before)} -> ${hex(after)}`,
        ]);
      }
      if (change.way === "module") {
        for (const one of change.commands) {
          commands.push([number, ...commandRow(one)]);
        }
      }
      // For other steps, the step itself names the file.
      if (change.way === "tracefs" && step.control === "enable") {
        files.push([
          number,
          change.path,
          `${beforeText(change)} -> ${afterText(change)}`,
        ]);
      }
    }
  });
  return section("Files written", files) +
    section("Module commands", commands) + section("Words written", words);
}

/**
 * A plan as text; equal plans give equal text.
 *
 * @example
 * ```ts
 * import { open, planText, sys_openat, trace } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * console.log(planText(guest.plan([trace(sys_openat).count()])));
 * ```
 */
export function planText(plan: Plan): string {
  const titles = plan.traces.map((trace) =>
    `${trace.title}  until ${trace.until}`
  );
  const tracer = plan.tracer === undefined ? "" : `tracer ${plan.tracer}  `;
  let text = shown(
    `Plan   ${titles.join("; ")}   target ${plan.target}  kernel ` +
      `${plan.kernel}  ${tracer}seal: ${plan.seal}`,
  ) + "\n";
  for (const note of plan.notes) text += `Note   ${shown(note)}\n`;
  const steps = plan.steps.map(stepText);
  if (steps.length === 0) {
    text += plan.live
      ? "Control writes: none\n"
      : "Control writes: none (a recording is only read)\n";
  }
  text += section(
    "Control writes (undone in reverse)",
    steps.map(({ what, change, by }, i) => [String(i + 1), what, change, by]),
  );
  text += changesText(plan.steps);
  for (const trace of plan.traces) {
    const rows = trace.passes.map((pass, i) => [
      String(i + 1),
      pass.what,
      pass.reason === "" ? pass.text : `${pass.text}   (${pass.reason})`,
    ]);
    rows.push([String(rows.length + 1), "sinks", trace.sinks.join(", ")]);
    text += section(
      plan.traces.length === 1
        ? "Decode passes"
        : `Decode passes of ${trace.title}`,
      rows,
    );
  }
  return text + section(
    "Undo",
    steps.map(({ what, undo }, i) => [String(i + 1), what, undo]).reverse(),
  );
}

/** A change in JSON; unknown values are `null`. */
function changeJson(change: Change): object {
  switch (change.way) {
    case "word": {
      const { where, gva, width, before, after } = change;
      return { where, gva, width, before, after };
    }
    case "module": {
      const { where, gva, width, before, after, commands } = change;
      return { where, gva, width, before, after, commands };
    }
    case "tracefs": {
      const { path, text, append, before, remove } = change;
      return {
        path,
        text,
        append,
        before: before.known ? before.text : null,
        ...(remove === undefined ? {} : { remove }),
      };
    }
    case "instance":
      return { instance: change.name };
  }
}

/**
 * A plan as JSON, indented by two; addresses and words are hex.
 *
 * @example
 * ```ts
 * import { open, planJson, sys_openat, trace } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * console.log(planJson(guest.plan([trace(sys_openat).count()])));
 * ```
 */
export function planJson(plan: Plan): string {
  const { steps, notes, ...rest } = plan;
  const looked = steps.every(({ changes }) => changes !== undefined);
  const written = {
    ...rest,
    steps: steps.map((planned) => ({
      step: planned.step,
      ...stepText(planned),
    })),
    notes,
    ...(looked
      ? {
        writes: steps.flatMap(({ changes }, i) =>
          (changes ?? []).map((change) => ({
            step: i + 1,
            ...changeJson(change),
          }))
        ),
      }
      : {}),
  };
  const inHex = (_: string, item: unknown) =>
    typeof item === "bigint" ? hex(item) : item;
  return shownJson(JSON.stringify(written, inHex, 2)) + "\n";
}
