/** `xftrace types`: writes declarations of a guest's functions and events. */
import type { Command } from "@commander-js/extra-typings";
import { declarations } from "xftrace";
import { nameList } from "../option_values.ts";
import { oneTarget, openGuest, withTarget } from "../target.ts";
import { out } from "../terminal.ts";

/** Registers `xftrace types` on the program. */
export function registerTypes(program: Command): void {
  withTarget(program.command("types"))
    .summary("print TypeScript declarations of a guest's functions and events")
    .description(
      "Prints TypeScript declarations of the guest's kernel functions and\n" +
        "events, for editors and the type checker.",
    )
    .argument("[target]", "the target; same as -t")
    .option(
      "--struct <names>",
      "also declare the members of these structs, for kernel.object(): page,folio",
      nameList,
    )
    .addHelpText(
      "after",
      `
Examples:
  xftrace types qemu:web1 > kernel.d.ts
  xftrace types -t core:web1.core.zst > kernel.d.ts
  xftrace types --struct pci_dev,dma_pool > kernel.d.ts`,
    )
    .action(async (argument, options) => {
      const target = oneTarget(argument, options.target);
      using guest = await openGuest(
        target === undefined ? options : { ...options, target },
      );
      out(declarations(guest.session.kernel, options.struct));
    });
}
