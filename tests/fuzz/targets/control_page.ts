/**
 * The module's control page, its rings, and its mailbox.
 *
 * @module
 */
import { ControlPage } from "../../../engine/seal/page/control_page.ts";
import { Mailbox } from "../../../engine/seal/page/mailbox.ts";
import { ModuleGuest } from "../../../engine/seal/page/module_fixture.ts";
import { moduleState } from "../../../engine/seal/page/module_state.ts";
import { RingReader } from "../../../engine/seal/page/ring_reader.ts";
import { ENTRY_KIND } from "../../../engine/seal/page/abi.ts";
import { readLimits } from "../../../engine/memory/read_limits.ts";
import { allOf } from "../all_of.ts";
import { PatchedMemory } from "../patches.ts";
import type { OpenTarget, Target } from "../target.ts";

/** Steps of a ring's reader: more than a ring that ends needs. */
const MOST_STEPS = 50;

const NOBODY = {
  entries() {},
  lost() {},
  movedBack() {},
  movedAhead() {},
};

/** A guest with the module, of which words are changed. */
function guestWithModule(
  run: (guest: ModuleGuest, page: ControlPage) => void | Promise<void>,
): OpenTarget {
  const guest = new ModuleGuest({ cpus: 2, entries: 64 });
  guest.files.set("trace", "text\n");
  for (let i = 0; i < 20; i++) {
    guest.push(i % 2, { kind: ENTRY_KIND.entry, func: BigInt(i) });
  }
  const { bytes } = guest.fixture;
  const page = guest.fixture.gpa(guest.control);
  const area = guest.fixture.gpa(guest.cpus[0].gva);
  // The control page and the CPUs' areas are worth changing where zero, too.
  const more = [
    ...Array.from({ length: 64 }, (_, i) => page + 8 * i),
    ...Array.from({ length: 32 }, (_, i) => area + 8 * i),
  ];
  const memory = new PatchedMemory(bytes, 0x10000, [], more);
  const { kernel } = guest;
  return {
    seeds: memory.seeds,
    mutate: (input, random) => memory.mutate(input, random),
    mutateBytes: (input, random) => memory.mutateBytes(input, random),
    async run(input) {
      memory.apply(input);
      kernel.space.budget.allow(readLimits(kernel.memory));
      const found = ControlPage.find(kernel);
      if (found !== undefined) await run(guest, found);
    },
  };
}

export const controlPage: Target = {
  name: "control_page",
  open: () =>
    guestWithModule((_guest, page) => {
      allOf([
        () => page.foreignPages(),
        () => moduleState(page),
        () => page.alive,
        ...page.cpus.map((area) => () => {
          const reader = new RingReader(page, area);
          for (let i = 0; i < MOST_STEPS; i++) {
            reader.read(reader.head(), NOBODY);
          }
        }),
      ]);
    }),
};

export const mailbox: Target = {
  name: "mailbox",
  open: () =>
    guestWithModule(async (_guest, page) => {
      const box = new Mailbox(page);
      await box.command("ping", undefined, { timeoutMs: 1 });
      box.progress("ping", 0);
      await box.command("tracefs_read", new TextEncoder().encode("trace\0"), {
        timeoutMs: 1,
      });
    }),
};
