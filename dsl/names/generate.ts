/**
 * Writes dsl/names/syscalls.ts and dsl/names/events.ts from the
 * `syscall_metadata` and the event formats in recorded kernels.
 *
 *     deno task names
 *
 * Several snapshots give the union; where they differ, the last one counts.
 *
 * @module
 */
import { TraceEvents } from "../../engine/ftrace/events/events.ts";
import {
  argumentKind,
  eventFieldKind,
} from "../../engine/ftrace/events/field_kinds.ts";
import type { Kernel } from "../../engine/kernel/core/kernel.ts";
import { openCoreSession } from "../../engine/session.ts";

const KEY = /^[A-Za-z_$][\w$]*$/;
const quoted = (name: string) => KEY.test(name) ? name : JSON.stringify(name);

function shape(
  fields: readonly (readonly [name: string, kind: string])[],
): string {
  return fields.length === 0
    ? "Empty"
    : `{ ${
      fields.map(([name, kind]) => `${quoted(name)}: ${JSON.stringify(kind)}`)
        .join("; ")
    } }`;
}

/** A system call's arguments by name and kind, and their C types. */
interface Call {
  readonly args: readonly (readonly [name: string, kind: string])[];
  readonly types: readonly string[];
}

/** What the files are to say. */
interface Names {
  readonly releases: readonly string[];
  readonly calls: ReadonlyMap<string, Call>;
  /** Fields of each event, by `system:name`. */
  readonly events: ReadonlyMap<
    string,
    readonly (readonly [name: string, kind: string])[]
  >;
}

/** Texts of the two files, before they are formatted. */
export interface NameFiles {
  readonly "syscalls.ts": string;
  readonly "events.ts": string;
}

/**
 * The texts of the files.
 *
 * @param kernels of an entry that differs the last one counts
 */
export function nameFiles(kernels: readonly Kernel[]): NameFiles {
  const names = readNames(kernels);
  return { "syscalls.ts": syscallsText(names), "events.ts": eventsText(names) };
}

function readNames(kernels: readonly Kernel[]): Names {
  const calls = new Map<string, Call>();
  const events = new Map<string, [string, string][]>();
  for (const kernel of kernels) {
    const list = new TraceEvents(kernel);
    for (const event of list.all()) {
      const format = list.format(event.id);
      if (format === undefined) continue;
      const { syscall } = format;
      if (syscall !== undefined) {
        if (syscall.exit) continue;
        const { args, types } = syscall;
        calls.set(syscall.name, {
          args: args.map((arg, i) => [arg, argumentKind(arg, types[i])]),
          types: [...types],
        });
      } else if (event.system !== "ftrace") {
        const fields: [string, string][] = [];
        for (const field of format.fields) {
          const kind = eventFieldKind(field);
          if (kind !== undefined) fields.push([field.name, kind]);
        }
        events.set(`${event.system}:${event.name}`, fields);
      }
    }
  }
  return {
    releases: kernels.map(({ facts }) => facts.release),
    calls,
    events,
  };
}

function from({ releases }: Names): string {
  return `Written by generate.ts from the kernels ${releases.join(", ")}.`;
}

function syscallsText(names: Names): string {
  let text = `/**
 * The system calls by their kernel names, with their arguments.
 * ${from(names)}
 *
 * @module
 */
import type { Empty } from "./events.ts";
import { syscall, type SystemCall } from "./functions.ts";

`;
  for (const [name, { args, types }] of [...names.calls].sort()) {
    const list = args.map(([arg], i) => `${types[i]} ${arg}`).join(", ");
    text += `/** \`${name}(${list})\` */\n`;
    text += `export const ${name}: SystemCall<${JSON.stringify(name)}, ${
      shape(args)
    }> = syscall(${JSON.stringify(name)});\n`;
  }
  return text;
}

function eventsText(names: Names): string {
  const args = new Set<string>();
  for (const call of names.calls.values()) {
    for (const [arg] of call.args) args.add(arg);
  }
  for (const fields of names.events.values()) {
    for (const [name] of fields) args.add(name);
  }
  let text = `/**
 * The kernel's trace events with their own fields, for the editor and the
 * type checker. ${from(names)}
 * \`xftrace types TARGET\` adds those of another kernel.
 *
 * @module
 */

/** An event without fields of its own. */
export type Empty = Record<never, never>;

/** Kinds of each event's own fields, by \`system:name\`. */
export interface KnownEvents {
`;
  for (const [name, fields] of [...names.events].sort()) {
    text += `  ${JSON.stringify(name)}: ${shape(fields)};\n`;
  }
  text += `}

/** Names of system calls' arguments and of events' own fields. */
export interface KnownArguments {
`;
  for (const name of [...args].sort()) text += `  ${quoted(name)}: true;\n`;
  return text + "}\n";
}

if (import.meta.main) {
  const sessions = Deno.args.map((path) =>
    openCoreSession(`core:${path}`, path)
  );
  const files = nameFiles(sessions.map(({ kernel }) => kernel));
  for (const [name, text] of Object.entries(files)) {
    Deno.writeTextFileSync(new URL(name, import.meta.url), text);
  }
}
