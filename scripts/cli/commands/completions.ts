/** `xftrace completions`: completion scripts for shells. */
import type {
  Command,
  CommandUnknownOpts,
  Option,
} from "@commander-js/extra-typings";
import { listVms, targetOf } from "xftrace/targets";
import {
  type CompletedCommand,
  completionScript,
  SHELLS,
} from "../completion_scripts.ts";
import { usage } from "../option_values.ts";
import { out } from "../terminal.ts";

/** What options call a value that is a file, a folder, or several. */
const FILE = /<(?:file|dir|paths)>/;

/** What a program's commands say of themselves. */
export function describe(program: Command): CompletedCommand[] {
  const line = (text: string) => text.replaceAll(/\s+/g, " ").trim();
  return program.commands.map((command) => ({
    name: command.name(),
    description: line(command.summary() || command.description()),
    words: command.name() === "completions"
      ? SHELLS
      : command.commands.map((inner) => inner.name()),
    takesTarget: command.registeredArguments.some((argument) =>
      /\btarget\b|^as with -t/.test(
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

/** Options of a command and of its subcommands, each name once. */
function ownOptions(command: CommandUnknownOpts): readonly Option[] {
  const all = [command, ...command.commands].flatMap((one) => one.options);
  return [...new Map(all.map((option) => [option.long, option])).values()];
}

/** Adds the command. */
export function registerCompletions(program: Command): void {
  program.command("completions")
    .summary("completions for bash, zsh and fish")
    .description("Prints what completes xftrace's commands in a shell.")
    .argument("<shell>", `${SHELLS.join(", ")}, or targets: those to choose`)
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
          if (vm.attachable) out(`${targetOf(vm)}\n`);
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
