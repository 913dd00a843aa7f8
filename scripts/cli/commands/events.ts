/** `xftrace events`: lists the events that a guest's kernel can record. */
import { shown } from "xftrace";
import type { Command } from "@commander-js/extra-typings";
import {
  type EventField,
  type EventFormat,
  eventFormat,
  findEvents,
  listEvents,
  openInstance,
} from "xftrace/ftrace";
import { rawReason, traceMeta } from "xftrace/output";
import { datTarget, openDat } from "../traces/dat_target.ts";
import { usage } from "../option_values.ts";
import { openGuest, withTarget } from "../target.ts";
import { faint, out, outJson, strong, warn } from "../terminal.ts";

/** What `events --json` prints for each event. */
export interface EventInfo {
  readonly system: string;
  readonly name: string;
  readonly id: number;
  /** Whether it is recorded when it happens; null for a trace.dat. */
  readonly enabled: boolean | null;
  /**
   * Whether it is enabled but muted, by a trigger or by xftrace; null for a
   * trace.dat.
   */
  readonly muted: boolean | null;
  /** Whether a tracer makes it: it cannot be enabled or disabled. */
  readonly internal: boolean;
  /**
   * Why it is shown as raw fields; null when it is shown as the kernel does.
   */
  readonly raw: string | null;
  /** Only with `--format`. */
  readonly format?: {
    readonly printFmt: string;
    readonly fields: readonly {
      readonly name: string;
      readonly type: string;
      /** Bytes from the start of the entry. */
      readonly offset: number;
      /** Bytes. */
      readonly size: number;
      readonly signed: boolean;
    }[];
  };
}

/** The members of a field that are in the event's `format` file. */
function formatField(field: EventField): EventField {
  const { name, type, offset, size, signed } = field;
  return { name, type, offset, size, signed };
}

/** An event's format as in tracefs, without the common fields. */
function formatText(format: EventFormat): string {
  const fields = format.fields.map((field) =>
    `    ${shown(`${field.type} ${field.name}`).padEnd(40)} ${
      faint(`offset ${field.offset}, ${field.size} bytes`)
    }\n`
  );
  return fields.join("") + `    print fmt: ${shown(format.printFmt)}\n`;
}

/** The events whose formats are in a trace.dat. */
function listDat(
  target: string,
  glob: string | undefined,
  options: {
    readonly enabled?: boolean;
    readonly all?: boolean;
    readonly format?: boolean;
    readonly json?: boolean;
  },
): void {
  if (options.enabled === true) {
    throw usage(
      `${target} does not say which events are recorded: --enabled is for guests`,
    );
  }
  using trace = openDat(target);
  const chosen = findEvents(trace.header.events, glob).filter(({ system }) =>
    options.all === true || system !== "ftrace"
  );
  const withFormat = options.format === true;
  if (options.json === true) {
    outJson(chosen.map((event): EventInfo => {
      const { system, name, id, printFmt, fields } = eventFormat(event);
      return {
        system,
        name,
        id,
        enabled: null,
        muted: null,
        internal: system === "ftrace",
        raw: null,
        ...(withFormat
          ? { format: { printFmt, fields: fields.map(formatField) } }
          : {}),
      };
    }));
    return;
  }
  let text = "";
  for (const event of chosen) {
    const name = shown(`${event.system}:${event.name}`);
    text += `${withFormat ? strong(name) : name}\n`;
    if (withFormat) text += formatText(eventFormat(event));
  }
  out(text);
}

/** Registers `xftrace events` on the program. */
export function registerEvents(program: Command): void {
  withTarget(program.command("events"))
    .summary("list the events that the kernel can record")
    .description("Lists the events that the guest's kernel can record.")
    .argument("[glob]", "such as sched:*, *_exec or syscalls (default: all)")
    .option(
      "--instance <name>",
      "show the state in this trace instance (default: the top level)",
    )
    .option("--enabled", "list only events that are recorded now")
    .option("--all", "also list events that tracers make themselves")
    .option("--format", "also print their fields and print format")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Examples:
  xftrace events | wc -l
  xftrace events 'sched:*'
  xftrace events sched_switch --format
  xftrace events -t qemu:web1 --enabled --json`,
    )
    .action(async (glob, options) => {
      const dat = datTarget(options.target);
      if (dat !== undefined) return listDat(dat, glob, options);
      using guest = await openGuest(options);
      const { session } = guest;
      const { instance, events, layout } = openInstance(
        session,
        options.instance,
      );
      const matching = findEvents(listEvents(instance, events), glob);
      const chosen = matching.filter((event) =>
        (options.all === true || !event.internal) &&
        (options.enabled !== true || event.enabled)
      );
      const withFormat = options.format === true;
      if (options.json === true) {
        const meta = traceMeta(instance, events, layout);
        outJson(chosen.map((event): EventInfo => {
          const format = events.format(event.id);
          return {
            system: event.system,
            name: event.name,
            id: event.id,
            enabled: event.enabled,
            muted: event.softDisabled,
            internal: event.internal,
            raw: format === undefined ? null : rawReason(format, meta) ?? null,
            ...(withFormat && format !== undefined
              ? {
                format: {
                  printFmt: format.printFmt,
                  fields: format.fields.map(formatField),
                },
              }
              : {}),
          };
        }));
        if (events.leftOut !== undefined) warn(events.leftOut);
        return;
      }
      let text = "";
      for (const event of chosen) {
        const name = shown(`${event.system}:${event.name}`);
        const state = event.enabled
          ? event.softDisabled ? "  (muted)" : "  (enabled)"
          : "";
        text += (withFormat ? strong(name) : name) +
          (options.enabled === true
            ? state.replace("  (enabled)", "")
            : state) +
          "\n";
        const format = withFormat ? events.format(event.id) : undefined;
        if (format !== undefined) text += formatText(format);
      }
      out(text);
      if (events.leftOut !== undefined) warn(events.leftOut);
    });
}
