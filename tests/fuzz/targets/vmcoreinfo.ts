/**
 * The note in which a kernel describes itself.
 *
 * @module
 */
import { archNamed } from "../../../engine/arch/all.ts";
import {
  findVmcoreinfo,
  parseVmcoreinfo,
} from "../../../engine/kernel/locate/vmcoreinfo.ts";
import { BufferMemory } from "../../../engine/memory/buffer_memory_fixture.ts";
import { allOf } from "../all_of.ts";
import type { Target } from "../target.ts";
import { decoded, encoded, mutateTexts } from "../texts.ts";
import { NOTE } from "./elf_core.ts";

export const vmcoreinfo: Target = {
  name: "vmcoreinfo",
  open() {
    const bytes = new Uint8Array(0x8000);
    const memory = new BufferMemory(bytes);
    const { finder } = archNamed();
    return {
      seeds: [[encoded(NOTE)]],
      mutate: (input, random) =>
        mutateTexts(input, random, NOTE.split(/[\n=]/)),
      run([text]) {
        bytes.fill(0);
        bytes.set(text.subarray(0, 0x2000), 0x2000);
        const note = parseVmcoreinfo(decoded(text));
        allOf([
          () => note && finder.byNote(memory, note),
          ...findVmcoreinfo(memory).map((found) => () =>
            finder.byNote(memory, found)
          ),
        ]);
      },
    };
  },
};
