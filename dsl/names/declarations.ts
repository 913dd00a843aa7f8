/**
 * TypeScript declarations of one guest's functions, events and structs, for
 * editors and the type checker.
 *
 * @module
 */
import { shown, shownJson } from "../../engine/base/shown.ts";
import { EXIT, XftraceError } from "../../engine/base/errors.ts";
import { TraceEvents } from "../../engine/ftrace/events/events.ts";
import { eventFieldKind } from "../../engine/ftrace/events/field_kinds.ts";
import type { Kernel } from "../../engine/kernel/core/kernel.ts";
import {
  declaredMembers,
  declareStructs,
} from "../../engine/kernel/view/declare_structs.ts";

const NAME = /^[A-Za-z_$][\w$]*$/;
const string = (text: string) => shownJson(JSON.stringify(text));
const quoted = (name: string) => NAME.test(name) ? name : string(name);

/**
 * Writes the declarations as the text of a `.d.ts` file.
 *
 * @param structs names of structs whose members to declare as well
 * @throws {XftraceError} when the kernel has no such struct.
 *
 * @example
 * ```ts
 * import { declarations, open } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const text = declarations(guest.session.kernel, ["pci_dev"]);
 * console.log(text.split("\n").length, "lines for kernel.d.ts");
 * ```
 */
export function declarations(
  kernel: Kernel,
  structs: readonly string[] = [],
): string {
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
    shapes += `    ${string(`${event.system}:${event.name}`)}: ${shape};\n`;
  }
  return `// Functions and events of the kernel ${
    shown(kernel.facts.release)
  }, for editors.
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
${structsText(kernel, structs)}}
`;
}

function structsText(kernel: Kernel, structs: readonly string[]): string {
  if (structs.length === 0) return "";
  const missing = structs.find((name) =>
    declaredMembers(kernel.types, name) === undefined
  );
  if (missing !== undefined) {
    throw new XftraceError(
      `this kernel has no struct ${missing}: --struct takes names without "struct", such as --struct task_struct`,
      { exitCode: EXIT.usage },
    );
  }
  const members = declareStructs(structs, [kernel.types], "    ");
  return `  interface GuestStructs {\n${members}  }\n`;
}
