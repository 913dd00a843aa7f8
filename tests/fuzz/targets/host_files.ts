/**
 * Files that earlier commands left on the host: baselines, symbols, texts.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { crc32, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import {
  decodeBaseline,
  encodeBaseline,
} from "../../../engine/detect/flow/baseline.ts";
import {
  flowDifferences,
  sizeDifferences,
} from "../../../engine/detect/flow/compare_flow.ts";
import {
  flow,
  GOOD,
  HOOKED,
} from "../../../engine/detect/flow/flow_fixture.ts";
import { textRecords } from "../../../engine/detect/text/text_record.ts";
import {
  loadSymbols,
  storeSymbols,
} from "../../../engine/kernel/locate/symbol_cache.ts";
import {
  findName,
  nameAt,
  textIndex,
} from "../../../engine/kernel/symbols/symbol_blob.ts";
import { SymbolTable } from "../../../engine/kernel/symbols/symbol_table.ts";
import { parseSystemMap } from "../../../engine/kernel/symbols/system_map.ts";
import { allOf } from "../all_of.ts";
import { type Field, mutateFields, numbers } from "../fields.ts";
import { mutateJson } from "../json.ts";
import type { Target } from "../target.ts";
import { decoded, encoded, mutateTexts } from "../texts.ts";

export const baseline: Target = {
  name: "baseline",
  open() {
    const hooked = flow(50, HOOKED);
    const good = {
      release: "6.1.0",
      buildId: "00ff",
      events: 100,
      flow: flow(2000, GOOD),
    };
    return {
      seeds: [[encoded(encodeBaseline(good))]],
      mutate(input, random) {
        input[0] = mutateJson(input[0], random);
      },
      run([text]) {
        const { flow } = decodeBaseline("good.baseline", decoded(text));
        flowDifferences(flow, hooked);
        sizeDifferences(flow, hooked);
      },
    };
  },
};

const SYSTEM_MAP = [
  "0000000000000000 D __per_cpu_start",
  "000000000001fb80 D current_task",
  "ffffffff81000000 T _text",
  "ffffffff81000000 T _stext",
  "ffffffff81000040 T schedule",
  "ffffffff81000100 t helper.part.0",
  "ffffffff81200000 T _etext",
  "ffffffff81201000 D linux_banner",
  "ffffffff82000000 B _end",
  "",
].join("\n");

export const systemMap: Target = {
  name: "system_map",
  open: () => ({
    seeds: [[encoded(SYSTEM_MAP)]],
    mutate: (input, random) =>
      mutateTexts(input, random, ["T", "A", "a", "_text", "\n", "ffffffff"]),
    run([text]) {
      const blob = parseSystemMap(decoded(text), "System.map");
      findName(blob, "schedule");
      const table = new SymbolTable(blob, 0xffffffff81000000n);
      table.lookup(0xffffffff81000044n);
      table.tryAddress("current_task");
    },
  }),
};

export const symbolCache: Target = {
  name: "symbol_cache",
  open(folder) {
    const dir = `${folder}/symbols`;
    const key = "ab".repeat(32);
    const problem = storeSymbols(
      dir,
      key,
      parseSystemMap(SYSTEM_MAP, "System.map"),
    );
    if (problem !== undefined) throw new Error(problem);
    const path = `${dir}/${key}.symbols`;
    const bytes = Deno.readFileSync(path);
    const fields: Field[] = [
      ...numbers(0, 4, (bytes.length - 4) >> 2),
      ...numbers(24, 1, bytes.length - 24),
    ];
    return {
      seeds: [[bytes]],
      mutate(input, random) {
        input[0] = mutateFields(input[0], fields, random);
      },
      repair([bytes]) {
        if (bytes.length < 24) return;
        new DataView(bytes.buffer).setUint32(
          20,
          crc32(bytes.subarray(24)),
          true,
        );
      },
      run([bytes]) {
        Deno.writeFileSync(path, bytes, { mode: 0o600 });
        const blob = loadSymbols(dir, key);
        if (blob === undefined) return;
        const table = new SymbolTable(blob, 0xffffffff81000000n);
        allOf([
          () => textIndex(blob),
          () => findName(blob, "schedule"),
          () => blob.count > 0 && nameAt(blob, blob.count - 1),
          () => table.lookup(0xffffffff81000044n),
          () => table.tryAddress("current_task"),
          () => table.address("linux_banner"),
        ]);
      },
    };
  },
};

const sha256 = (bytes: Uint8Array) =>
  createHash("sha256").update(bytes).digest("hex");

export const textRecord: Target = {
  name: "text_record",
  open(folder) {
    const dir = `${folder}/texts`;
    const records = textRecords(dir, "vm-1-2");
    records.save("00112233", "kernel", {
      start: 0xffffffff81000000n,
      bytes: new Uint8Array(5000).fill(0x90),
      kernel: "6.1.0",
    });
    const path = `${dir}/vm-1-2-00112233-kernel.text`;
    const bytes = Deno.readFileSync(path);
    const lineEnd = (bytes: Uint8Array) => bytes.indexOf(10) + 1;
    const fields = numbers(lineEnd(bytes), 1, 30);
    const joined = (head: Uint8Array, rest: Uint8Array) =>
      new Uint8Array([...head, ...rest]);
    return {
      seeds: [[bytes]],
      mutate(input, random) {
        const end = lineEnd(input[0]);
        if (random.next(2) === 0) {
          input[0] = mutateFields(input[0], fields, random);
          return;
        }
        const json = mutateJson(input[0].slice(0, end), random);
        input[0] = joined(joined(json, encoded("\n")), input[0].slice(end));
      },
      repair(input) {
        // A digest that is right, of other bytes than the line says.
        const end = lineEnd(input[0]);
        try {
          const bytes = zstdDecompressSync(input[0].subarray(end), {
            maxOutputLength: 1 << 20,
          });
          const line = decoded(input[0].subarray(0, end))
            .replace(/"sha256":"[0-9a-f]*"/, `"sha256":"${sha256(bytes)}"`);
          input[0] = joined(encoded(line), zstdCompressSync(bytes));
        } catch {
          // It is no zstd any more.
        }
      },
      run([bytes]) {
        Deno.writeFileSync(path, bytes, { mode: 0o600 });
        records.boots();
        records.load("00112233", "kernel");
      },
    };
  },
};
