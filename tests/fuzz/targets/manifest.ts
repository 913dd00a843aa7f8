/**
 * What a snapshot says of itself, and its registers.
 *
 * @module
 */
import { notedRegisters } from "../../../engine/arch/register_note.ts";
import { archNamed } from "../../../engine/arch/all.ts";
import { CoreMemory } from "../../../engine/memory/elf_core.ts";
import { bytesSource } from "../../../engine/memory/elf_core_source.ts";
import { parseManifest } from "../../../engine/memory/snapshot_manifest.ts";
import { allOf } from "../all_of.ts";
import { mutateJson } from "../json.ts";
import type { Target } from "../target.ts";
import { snapshot } from "./elf_core.ts";

export const manifest: Target = {
  name: "manifest",
  open() {
    const { registers } = archNamed();
    using core = new CoreMemory("seed", bytesSource(snapshot()));
    const own = core.notes.filter(({ name }) => name === "XFTRACE");
    return {
      seeds: [own.map(({ desc }) => desc.slice())],
      mutate(input, random) {
        const part = random.next(input.length);
        input[part] = mutateJson(input[part], random);
      },
      run(input) {
        const notes = own.map((note, i) => ({ ...note, desc: input[i] }));
        allOf([
          () =>
            parseManifest(
              "f.core",
              notes.find(({ type }) => type === 1)?.desc ?? new Uint8Array(),
            ),
          () => {
            const noted = notedRegisters(notes);
            for (const cpu of noted?.cpus ?? []) {
              registers.anchors(cpu);
              registers.paging(cpu);
            }
          },
        ]);
      },
    };
  },
};
