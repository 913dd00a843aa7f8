/**
 * Dumps that are no ELF cores: compressed kdumps, plain and flattened, LiME,
 * and the layouts of raw memory.
 *
 * @module
 */
import { refuseNamedMachine } from "../../../engine/arch/all.ts";
import { makeLime } from "../../../engine/memory/dump/lime_fixture.ts";
import { memoryIn } from "../../../engine/memory/dump/open_core.ts";
import { bytesSource } from "../../../engine/memory/elf_core_source.ts";
import { encodeNotes } from "../../../engine/memory/elf_core_notes.ts";
import {
  flattened,
  makeKdump,
  PAGE,
} from "../../../engine/memory/kdump/kdump_fixture.ts";
import { type Field, mutateFields, numbers, packed } from "../fields.ts";
import { mutateJson } from "../json.ts";
import type { Target } from "../target.ts";
import { encoded } from "../texts.ts";
import { NOTE, readCore } from "./elf_core.ts";

type Packing = "zlib" | "zstd" | "raw";

/** A small kdump with zeros, gaps, notes, and pages that were left out. */
function dump(packing: Packing) {
  const page = (value: number) =>
    new Uint8Array(PAGE).fill(value).fill(7, 64, 128);
  return makeKdump({
    frames: 2000,
    pages: new Map([
      [0, page(1)],
      [1, new Uint8Array(PAGE)],
      [2, new Uint8Array(PAGE)],
      [600, page(2)],
      [601, page(3)],
      [1999, page(4)],
    ]),
    leftOut: [3, 4, 5],
    packing,
    notes: encodeNotes([
      { name: "CORE", type: 1, desc: new Uint8Array(336) },
      { name: "QEMU", type: 0, desc: new Uint8Array(440) },
    ]),
    vmcoreinfo: NOTE,
  });
}

/** Headers, notes' heads, bitmaps' words and descriptors. */
function fieldsOf({ sub, bitmap, descriptors }: ReturnType<typeof dump>) {
  return [
    { at: 8, size: 4 },
    { at: 272, size: 65, text: true },
    ...numbers(424, 4, 10),
    ...packed(sub, [8, 4, 4, ...Array(11).fill(8)]),
    ...numbers(sub + 104, 4, 8),
    ...numbers(bitmap, 8, 32),
    ...Array.from(
      { length: 6 },
      (_, i) => packed(descriptors + 24 * i, [8, 4, 4, 8]),
    ).flat(),
    ...numbers(descriptors + 24 * 6, 1, 32),
  ];
}

function read(bytes: Uint8Array): void {
  using memory = memoryIn("f.dump", bytesSource(bytes), {
    refuseNamed: refuseNamedMachine,
  });
  readCore(memory);
}

export const kdump: Target = {
  name: "kdump",
  open() {
    const made = (["zlib", "zstd", "raw"] as const).map(dump);
    // Their headers have the same places.
    const fields: Field[] = fieldsOf(made[0]);
    return {
      seeds: made.map(({ bytes }) => [bytes]),
      mutate(input, random) {
        input[0] = mutateFields(input[0], fields, random);
      },
      run: ([bytes]) => read(bytes),
    };
  },
};

export const flattenedKdump: Target = {
  name: "flattened",
  open() {
    const { bytes } = dump("zlib");
    const size = 3000;
    const flat = flattened(bytes, size);
    const fields: Field[] = numbers(16, 8, 2);
    for (
      let at = 4096, length = 100;
      at + 16 <= flat.length;
      at += 16 + length, length = size
    ) fields.push(...numbers(at, 8, 2));
    return {
      seeds: [[flat], [flattened(bytes, 100_000)]],
      mutate(input, random) {
        input[0] = mutateFields(input[0], fields, random);
      },
      run: ([bytes]) => read(bytes),
    };
  },
};

export const lime: Target = {
  name: "lime",
  open() {
    const lengths = [4096, 300, 8192];
    const bytes = makeLime(
      lengths.map((length, i) =>
        [i * 0x10000, new Uint8Array(length).fill(7)] as const
      ),
    );
    const fields: Field[] = [];
    let at = 0;
    for (const length of lengths) {
      fields.push(...packed(at, [4, 4, 8, 8, 8]));
      at += 32 + length;
    }
    return {
      seeds: [[bytes], [flattened(bytes, 500)]],
      mutate(input, random) {
        input[0] = mutateFields(input[0], fields, random);
      },
      run: ([bytes]) => read(bytes),
    };
  },
};

export const rawLayout: Target = {
  name: "layout",
  open() {
    const memory = bytesSource(new Uint8Array(5 * 4096).fill(7));
    const layout = {
      ranges: [
        { start: 0, end: 4096 },
        { start: "0x2000", end: "0x3c00" },
        { start: "0x100000000", end: "0x100001000", offset: "0x3000" },
      ],
    };
    return {
      seeds: [[encoded(JSON.stringify(layout))]],
      mutate(input, random) {
        input[0] = mutateJson(input[0], random);
      },
      run([bytes]) {
        using raw = memoryIn("f.raw", memory, {
          // Of a larger file no more is read, to say that it is one.
          layout: new TextDecoder().decode(bytes.subarray(0, (1 << 20) + 1)),
        });
        readCore(raw);
      },
    };
  },
};
