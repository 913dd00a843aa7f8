/** `xftrace types`: declarations of a guest's functions and events. */
import type { Command } from "@commander-js/extra-typings";
import { TraceEvents } from "../../../engine/ftrace/events/events.ts";
import type { Kernel } from "../../../engine/kernel/core/kernel.ts";
import { eventFieldKind } from "../../../engine/ftrace/events/field_kinds.ts";
import { oneTarget, openTarget, withTarget } from "../target.ts";
import { out } from "../terminal.ts";

const NAME = /^[A-Za-z_$][\w$]*$/;
const quoted = (name: string) => NAME.test(name) ? name : JSON.stringify(name);

/** The text of the declarations. */
export function declarations(kernel: Kernel): string {
  const functions = new Set<string>();
  for (const name of kernel.symbols.glob("*")) {
    // Functions have prototypes in the kernel's types; data has none.
    if (NAME.test(name) && kernel.types.prototype(name) !== undefined) {
      functions.add(name);
    }
  }
  const events = new TraceEvents(kernel);
  const fields = new Set<string>();
  let shapes = "";
  for (const event of events.all()) {
    const format = events.format(event.id);
    if (format === undefined || event.system === "ftrace") continue;
    const own: string[] = [];
    for (const field of format.fields) {
      const kind = eventFieldKind(field);
      if (kind === undefined) continue;
      fields.add(field.name);
      own.push(`${quoted(field.name)}: ${JSON.stringify(kind)}`);
    }
    const shape = own.length === 0 ? "Empty" : `{ ${own.join("; ")} }`;
    shapes += `    ${
      JSON.stringify(`${event.system}:${event.name}`)
    }: ${shape};\n`;
  }
  return `// Functions and events of the kernel ${kernel.facts.release}, for editors.
// Written by \`xftrace types\`; put it beside your scripts.
import type { Empty, TracedFunction } from "xftrace";

declare module "xftrace" {
  interface KernelFunctions {
${
    [...functions].sort().map((name) =>
      `    readonly ${name}: TracedFunction;\n`
    ).join("")
  }  }
  interface GuestEvents {
${shapes}  }
  interface KnownArguments {
${[...fields].sort().map((name) => `    ${quoted(name)}: true;\n`).join("")}  }
}
`;
}

/** Adds the command. */
export function registerTypes(program: Command): void {
  withTarget(program.command("types"))
    .summary("write declarations of a guest's functions and events")
    .description(
      "Prints TypeScript declarations of the guest's kernel functions and\n" +
        "events, for editors and the type checker.",
    )
    .argument("[target]", "as with -t")
    .addHelpText(
      "after",
      `
Examples:
  xftrace types qemu:web1 > kernel.d.ts
  xftrace types -t core:web1.core.zst > kernel.d.ts`,
    )
    .action((argument, options) => {
      const target = oneTarget(argument, options.target);
      using session = openTarget(
        target === undefined ? options : { ...options, target },
      );
      out(declarations(session.kernel));
    });
}
