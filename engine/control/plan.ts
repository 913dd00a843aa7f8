/**
 * A plan: what a script comes to on one target, as data. It can be read
 * before anything is written, prints as stable text and as JSON, and runs on
 * a live guest or on a recording.
 *
 * @module
 */

/** What a control write steers. */
export type ControlStep =
  | {
    readonly control: "roots";
    /** Kernel functions, in the order of their names. */
    readonly functions: readonly string[];
  }
  | { readonly control: "depth"; readonly levels: number }
  | {
    readonly control: "mute";
    /** `system:name` of the events that nothing asks for. */
    readonly events: readonly string[];
  }
  | {
    /** Events that are recorded while the trace runs. */
    readonly control: "enable";
    /** `system:name` of each. */
    readonly events: readonly string[];
  }
  | { readonly control: "recording"; readonly on: boolean }
  | {
    /** The module is told what to record, by commands in its mailbox. */
    readonly control: "module";
    /** Whose calls, with what is below them; empty: those of all functions. */
    readonly roots: readonly string[];
    /** What is recorded below a root, besides the roots. */
    readonly functions: readonly string[] | "all";
    /** Levels below a root, root included; 0: all. */
    readonly levels: number;
  }
  | { readonly control: "keys" }
  | { readonly control: "enabled" };

/** One step that steers the guest. */
export interface PlannedStep {
  readonly step: ControlStep;
  /** In one word: `roots`. */
  readonly what: string;
  /** What it changes: `sys_open -> __x64_sys_open`. */
  readonly change: string;
  /** Who carries it out: `ftrace_graph_hash`, `module mailbox`. */
  readonly by: string;
  /** How it is taken back. */
  readonly undo: string;
}

/** One thing done to the events on the host. */
export interface DecodePass {
  /** In one word: `pages`, `calls`, `filter`, `merge`. */
  readonly what: string;
  readonly text: string;
  /** Why the guest is not told to do it; empty where that makes no sense. */
  readonly reason: string;
}

/** One trace of the script with its sinks. */
export interface PlannedTrace {
  /** The traced functions or events as the script names them. */
  readonly title: string;
  /** When it ends: `5s`, `100 events`, `Ctrl-C`. */
  readonly until: string;
  /** How its events are seen. */
  readonly via:
    | "graph returns"
    | "graph calls"
    | "module calls"
    | "syscall events"
    | "events";
  readonly passes: readonly DecodePass[];
  readonly sinks: readonly string[];
}

/** Writes of one word, as they are to be carried out. */
export interface PlannedWrite {
  /** The variable or member: `trace_buffer.record_disabled`. */
  readonly where: string;
  /** GVA in hex. */
  readonly gva: string;
  /** Bytes. */
  readonly width: 4 | 8;
  /** Hex, masked. */
  readonly before: string;
  readonly after: string;
  /** The step (counted from 1) that it belongs to. */
  readonly step: number;
}

/** What a script comes to on one target. */
export interface Plan {
  readonly format: 1;
  readonly target: string;
  readonly kernel: string;
  /** How entries are sealed: `none` on a stock guest. */
  readonly seal: string;
  readonly live: boolean;
  readonly traces: readonly PlannedTrace[];
  /** Carried out in order, undone in reverse. */
  readonly steps: readonly PlannedStep[];
  /** The words written; filled in once the guest's memory was looked at. */
  readonly writes?: readonly PlannedWrite[];
  /** What the user should know, one sentence each. */
  readonly notes: readonly string[];
}

function table(rows: readonly (readonly string[])[], indent: string): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.slice(0, -1).forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  }
  return rows.map((row) =>
    indent + row.map((cell, i) =>
      i === row.length - 1 ? cell : cell.padEnd(widths[i])
    ).join("  ").trimEnd() + "\n"
  ).join("");
}

/** A plan as text; the same plan always gives the same text. */
export function planText(plan: Plan): string {
  const titles = plan.traces.map((trace) =>
    `${trace.title}  until ${trace.until}`
  );
  let text = `Plan   ${titles.join("; ")}   target ${plan.target}  kernel ` +
    `${plan.kernel}  seal: ${plan.seal}\n`;
  for (const note of plan.notes) text += `Note   ${note}\n`;
  if (plan.steps.length === 0) {
    text += plan.live
      ? "Control writes: none\n"
      : "Control writes: none (a recording is only read)\n";
  } else {
    text += "Control writes (undone in reverse)\n";
    text += table(
      plan.steps.map((step, i) => [
        String(i + 1),
        step.what,
        step.change,
        step.by,
      ]),
      "  ",
    );
  }
  if (plan.writes !== undefined && plan.writes.length > 0) {
    text += "Words written\n" + table(
      plan.writes.map((write) => [
        String(write.step),
        write.where,
        write.gva,
        `${write.width} B`,
        `${write.before} -> ${write.after}`,
      ]),
      "  ",
    );
  }
  for (const trace of plan.traces) {
    text += plan.traces.length === 1
      ? "Decode passes\n"
      : `Decode passes of ${trace.title}\n`;
    const rows = trace.passes.map((pass, i) => [
      String(i + 1),
      pass.what,
      pass.reason === "" ? pass.text : `${pass.text}   (${pass.reason})`,
    ]);
    rows.push([String(rows.length + 1), "sinks", trace.sinks.join(", ")]);
    text += table(rows, "  ");
  }
  if (plan.steps.length > 0) {
    text += "Undo\n" + table(
      plan.steps.map((step, i) => [String(i + 1), step.what, step.undo])
        .reverse(),
      "  ",
    );
  }
  return text;
}

/** A plan as JSON, indented by two. */
export function planJson(plan: Plan): string {
  return JSON.stringify(plan, null, 2) + "\n";
}
