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

/** A page of one byte, with another one in its middle. */
function page(value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(PAGE).fill(value).fill(7, 64, 128);
}

/** Such a page as LZO or Snappy packs it: literals, and copies by one byte. */
const PACKERS = {
  lzo: (bytes: Uint8Array) =>
    Uint8Array.of(
      // One literal and 63 copies, 7 literals' worth of sevens, and the rest.
      ...[18, bytes[0], 0x20, 63 - 2 - 31, 1, 0, 7, 0x20, 63 - 2 - 31, 1, 0],
      ...[bytes[0], 0x20, ...Array(15).fill(0), 3967 - 2 - 31 - 15 * 255, 0, 0],
      ...[17, 0, 0],
    ),
  snappy: (bytes: Uint8Array) =>
    Uint8Array.of(
      ...[0x80, 0x20, 0, bytes[0], 62 << 2 | 2, 1, 0, 0, 7, 62 << 2 | 2, 1, 0],
      ...[0, bytes[0], ...Array(61).fill([63 << 2 | 2, 1, 0]).flat()],
      ...[62 << 2 | 2, 1, 0],
    ),
} as const;

type Packing = "zlib" | "zstd" | "raw" | "lzo" | "snappy";

/** A small kdump with zeros, gaps, notes, and pages that were left out. */
function dump(packing: Packing) {
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
    ...(packing === "lzo" || packing === "snappy"
      ? { pack: PACKERS[packing] }
      : {}),
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

/** Reads a page of a dump that must hold it. */
function readPage(bytes: Uint8Array): Uint8Array {
  using memory = memoryIn("f.dump", bytesSource(bytes));
  const into = new Uint8Array(PAGE);
  memory.read(600 * PAGE, into);
  return into;
}

export const kdump: Target = {
  name: "kdump",
  open() {
    const made = (["zlib", "zstd", "raw", "lzo", "snappy"] as const).map(dump);
    // Their headers have the same places.
    const fields: Field[] = fieldsOf(made[0]);
    for (const { bytes } of made) {
      // Each seed must reach its decompressor.
      if (readPage(bytes)[64] !== 7) throw new Error("a seed is damaged");
    }
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
