/** `xftrace functions`: the functions of a guest's kernel that can be traced. */
import type { Command } from "@commander-js/extra-typings";
import { XftraceError } from "../../../engine/base/errors.ts";
import { traceableFunctions } from "../../../engine/kernel/functions/traceable.ts";
import type { Kernel } from "../../../engine/kernel/core/kernel.ts";
import { globRegExp } from "../../../engine/base/glob.ts";
import { didYouMean } from "../../../engine/base/near_names.ts";
import { openTarget, withTarget } from "../target.ts";
import { out, outJson } from "../terminal.ts";

/** One function in what `functions --json` prints. */
export interface FunctionInfo {
  readonly name: string;
  /** Name of its module; null for the kernel itself. */
  readonly module: string | null;
  /** GVA of its call to Ftrace, in hex. */
  readonly ip: string;
  /** Whether something listens to it now. */
  readonly enabled: boolean;
  /** In C; null when the kernel does not tell. */
  readonly prototype: string | null;
}

/** A function's prototype in C. */
function prototypeText(kernel: Kernel, name: string): string | null {
  const prototype = kernel.types.prototype(name);
  if (prototype === undefined) return null;
  const parameters = prototype.parameters.map((parameter) =>
    declared(parameter.typeName, parameter.name)
  );
  return declared(
    prototype.returns,
    `${name}(${parameters.join(", ") || "void"})`,
  );
}

function declared(type: string, name: string): string {
  if (name === "") return type;
  return type.endsWith("*") ? type + name : `${type} ${name}`;
}

function noneFound(kernel: Kernel, glob: string): XftraceError {
  const entry = kernel.arch.syscalls.names.entry(glob);
  if (entry !== glob && kernel.symbols.tryAddress(entry) !== undefined) {
    return new XftraceError(
      `no function ${glob} can be traced${didYouMean([entry])}`,
    );
  }
  return new XftraceError(
    kernel.symbols.tryAddress(glob) === undefined
      ? `the guest's kernel has no function "${glob}"` +
        didYouMean(kernel.symbols.near(glob, 3))
      : `the guest's kernel has ${glob}, but it cannot be traced: it was ` +
        `built without a call to Ftrace (notrace, inlined or assembly)`,
  );
}

/** Adds the command. */
export function registerFunctions(program: Command): void {
  withTarget(program.command("functions"))
    .summary("functions that can be traced")
    .description(
      "Lists the functions of the guest's kernel that can be traced, modules'\n" +
        "included, as its available_filter_functions does.",
    )
    .argument("[glob]", "such as vfs_*; default: all")
    .option("--module <name>", "only those of a module")
    .option("--enabled", "only those that something listens to now")
    .option("--prototype", "with their parameters")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Examples:
  xftrace functions 'vfs_*'
  xftrace functions '__x64_sys_*' --prototype
  xftrace functions --module ext4 | wc -l
  xftrace functions --enabled`,
    )
    .action((glob, options) => {
      using session = openTarget(options);
      const { kernel } = session;
      const pattern = glob === undefined ? undefined : globRegExp(glob);
      const matching = traceableFunctions(kernel).filter((each) =>
        pattern === undefined || pattern.test(each.name)
      );
      if (glob !== undefined && matching.length === 0) {
        throw noneFound(kernel, glob);
      }
      const modules = kernel.live.modules.map((module) => module.name);
      if (options.module !== undefined && !modules.includes(options.module)) {
        throw new XftraceError(
          `the guest has not loaded a module ${options.module}; it has ` +
            (modules.join(", ") || "none"),
        );
      }
      const chosen = matching.filter((each) =>
        (options.module === undefined || each.module === options.module) &&
        (options.enabled !== true || each.enabled)
      );
      if (options.json === true) {
        return outJson(chosen.map((each): FunctionInfo => ({
          name: each.name,
          module: each.module ?? null,
          ip: `0x${each.ip.toString(16)}`,
          enabled: each.enabled,
          prototype: prototypeText(kernel, each.name),
        })));
      }
      out(
        chosen.map((each) => {
          const name = options.prototype === true
            ? prototypeText(kernel, each.name) ?? each.name
            : each.name;
          return name + (each.module === undefined ? "" : ` [${each.module}]`) +
            "\n";
        }).join(""),
      );
    });
}
