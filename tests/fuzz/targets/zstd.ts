/**
 * Compressed cores: frames of zstd, gzip.
 *
 * @module
 */
import { gzipSync, zstdCompressSync } from "node:zlib";
import { openCore } from "../../../engine/memory/dump/open_core.ts";
import { type Field, mutateFields, numbers, spliced } from "../fields.ts";
import type { Target } from "../target.ts";
import { readCore, snapshot } from "./elf_core.ts";

const joined = (...parts: Uint8Array[]) =>
  new Uint8Array(parts.flatMap((part) => [...part]));

export const zstd: Target = {
  name: "zstd",
  open(folder) {
    const bytes = snapshot();
    const skippable = new Uint8Array([
      0x50,
      0x2a,
      0x4d,
      0x18,
      4,
      0,
      0,
      0,
      1,
      2,
      3,
      4,
    ]);
    const frames = joined(
      new Uint8Array(zstdCompressSync(bytes.subarray(0, 4096))),
      skippable,
      new Uint8Array(zstdCompressSync(bytes.subarray(4096))),
    );
    // Zeros without end: what they unpack to must be limited.
    const bombs = [1 << 20, 32 << 20].map((size) =>
      new Uint8Array(zstdCompressSync(new Uint8Array(size)))
    );
    const fields: Field[] = [
      ...numbers(0, 1, 40),
      ...numbers(0, 4, 10),
      ...numbers(frames.length >> 1, 1, 20),
    ];
    return {
      seeds: [
        [new Uint8Array(zstdCompressSync(bytes))],
        [frames],
        [new Uint8Array(gzipSync(bytes))],
        [joined(frames, bombs[0])],
      ],
      mutate(input, random) {
        if (random.next(16) === 0) {
          // Frames, again and again.
          const bomb = random.pick([...Array(7).fill(bombs[0]), bombs[1]]);
          for (let i = random.next(4); i >= 0; i--) {
            input[0] = spliced(input[0], input[0].length, 0, bomb);
          }
        } else input[0] = mutateFields(input[0], fields, random);
      },
      run([bytes]) {
        const path = `${folder}/core`;
        Deno.writeFileSync(path, bytes);
        using core = openCore(path);
        readCore(core);
      },
    };
  },
};
