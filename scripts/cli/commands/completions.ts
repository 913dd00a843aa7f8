/** `xftrace completions`: completion scripts for shells. */
import type {
  Command,
  CommandUnknownOpts,
  Option,
} from "@commander-js/extra-typings";
import { isPlainWord, listVms, targetOf } from "xftrace/targets";
import {
  type CompletedCommand,
  completionScript,
  SHELLS,
} from "../completion_scripts.ts";
import { usage } from "../option_values.ts";
import { out, outLine } from "../terminal.ts";

/** The placeholders of options whose value is a file, a folder, or several. */
const FILE = /<(?:file|dir|paths)>/;

/** Describes a program's commands, for the scripts. */
export function describe(program: Command): CompletedCommand[] {
  const line = (text: string) => text.replaceAll(/\s+/g, " ").trim();
  return program.commands.map((command) => ({
    name: command.name(),
    description: line(command.summary() || command.description()),
    words: command.name() === "completions"
      ? SHELLS
      : command.commands.map((inner) => inner.name()),
    takesTarget: command.registeredArguments.some((argument) =>
      /\btarget\b/.test(
        `${argument.name()} ${argument.description}`,
      )
    ),
    options: ownOptions(command).filter((option) =>
      option.long !== undefined && option.long !== null
    ).map((option) => ({
      ...(option.short ? { short: option.short } : {}),
      long: option.long ?? "",
      takesValue: option.required || option.optional,
      takesFile: FILE.test(option.flags),
      description: line(option.description),
    })),
  }));
}

/** The options of a command and of its subcommands, without repetitions. */
function ownOptions(command: CommandUnknownOpts): readonly Option[] {
  const all = [command, ...command.commands].flatMap((one) => one.options);
  return [...new Map(all.map((option) => [option.long, option])).values()];
}

/** Registers `xftrace completions` on the program. */
export function registerCompletions(program: Command): void {
  program.command("completions")
    .summary("print a completion script for bash, zsh or fish")
    .description(
      "Prints a script that completes xftrace's commands and options in a shell.",
    )
    .argument(
      "<shell>",
      `${SHELLS.join(", ")}; or targets, to list those that run`,
    )
    .addHelpText(
      "after",
      `
Examples:
  source <(xftrace completions bash)                      in ~/.bashrc
  xftrace completions zsh > ~/.zfunc/_xftrace             a folder of $fpath
  xftrace completions fish > ~/.config/fish/completions/xftrace.fish`,
    )
    .action((shell) => {
      if (shell === "targets") {
        for (const vm of listVms()) {
          const target = targetOf(vm);
          if (vm.attachable && isPlainWord(target)) outLine(target);
        }
        return;
      }
      const known = SHELLS.find((each) => each === shell);
      if (known === undefined) {
        throw usage(
          `there are no completions for ${shell}; there are for ${
            SHELLS.join(", ")
          }`,
        );
      }
      out(completionScript(known, describe(program)));
    });
}
