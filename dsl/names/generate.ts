/**
 * Writes dsl/names/syscalls.ts and dsl/names/events.ts from what recorded
 * kernels say of themselves: their `syscall_metadata` and event formats.
 *
 *     deno run --allow-read --allow-write=dsl/names dsl/names/generate.ts \
 *       SNAPSHOT...
 *
 * Several snapshots: the union; of an entry that differs the last one counts.
 *
 * @module
 */
import { TraceEvents } from "../../engine/ftrace/events/events.ts";
import {
  argumentKind,
  eventFieldKind,
} from "../../engine/ftrace/events/field_kinds.ts";
import { openCoreSession } from "../../engine/session.ts";

const KEY = /^[A-Za-z_$][\w$]*$/;
const quoted = (name: string) => KEY.test(name) ? name : JSON.stringify(name);

function shape(fields: readonly [name: string, kind: string][]): string {
  return fields.length === 0
    ? "Empty"
    : `{ ${
      fields.map(([name, kind]) => `${quoted(name)}: ${JSON.stringify(kind)}`)
        .join("; ")
    } }`;
}

const calls = new Map<string, { args: [string, string][]; types: string[] }>();
const events = new Map<string, [string, string][]>();
const releases: string[] = [];

for (const path of Deno.args) {
  using session = openCoreSession(`core:${path}`, path);
  const list = new TraceEvents(session.kernel);
  releases.push(session.kernel.facts.release);
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

const from = `Written by generate.ts from the kernels ${releases.join(", ")}.`;

let text = `/**
 * The system calls by their kernel names, with their arguments.
 * ${from}
 *
 * @module
 */
import type { Empty } from "./events.ts";
import { syscall, type SystemCall } from "./functions.ts";

`;
for (const [name, { args, types }] of [...calls].sort()) {
  const list = args.map(([arg], i) => `${types[i]} ${arg}`).join(", ");
  text += `/** \`${name}(${list})\` */\n`;
  text += `export const ${name}: SystemCall<${JSON.stringify(name)}, ${
    shape(args)
  }> = syscall(${JSON.stringify(name)});\n`;
}
Deno.writeTextFileSync(new URL("syscalls.ts", import.meta.url), text);

const names = new Set<string>();
for (const { args } of calls.values()) for (const [arg] of args) names.add(arg);
for (const fields of events.values()) {
  for (const [name] of fields) names.add(name);
}

text = `/**
 * The kernel's trace events with their own fields, for the editor and the
 * type checker. ${from}
 * \`xftrace types TARGET\` adds those of another kernel.
 *
 * @module
 */

/** An event without fields of its own. */
export type Empty = Record<never, never>;

/** Kinds of each event's own fields, by \`system:name\`. */
export interface KnownEvents {
`;
for (const [name, fields] of [...events].sort()) {
  text += `  ${JSON.stringify(name)}: ${shape(fields)};\n`;
}
text += `}

/** Names of system calls' arguments and of events' own fields. */
export interface KnownArguments {
`;
for (const name of [...names].sort()) text += `  ${quoted(name)}: true;\n`;
text += "}\n";
Deno.writeTextFileSync(new URL("events.ts", import.meta.url), text);
console.log(
  `${calls.size} system calls, ${events.size} events, ${names.size} names`,
);
