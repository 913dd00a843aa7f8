import assert from "node:assert/strict";
import { brokenByAllocation, OWN_GROWTH } from "./allocations.ts";
import { readText } from "./files.ts";

/** The line numbers at which a text breaks the rule. */
function lines(text: string, path = "engine/kernel/a.ts"): number[] {
  return brokenByAllocation(path, text).map(({ line }) => line);
}

Deno.test("a size that is computed from something else is reported", () => {
  for (
    const line of [
      "const table = new Uint8Array(count);",
      "const table = new Uint8Array(count * ENTRY);",
      "const words = new BigUint64Array(slots.size / 8);",
      'const bytes = new Uint8Array(types.struct("module").size);',
      "const bytes = new Uint8Array(Math.min(size, LIMIT));",
      "const bytes = new Uint8Array(at.length(), 8);",
      "const bytes = new Uint8Array<ArrayBuffer>(size);",
      "const view = new DataView(new ArrayBuffer(2 * size));",
      "const shared = new SharedArrayBuffer(size);",
      "const list = new Array<bigint>(count).fill(0n);",
      "const list = Array(count);",
      "return Array.from({ length: count }, (_, i) => i);",
      "return Array.from({ length }, (_, i) => i);",
      "const bytes = Buffer.alloc(size);",
      "const bytes = Buffer.allocUnsafe(header.size);",
      'const line = " ".repeat(width);',
      'const text = name.padEnd(width, " ");',
      "const copy = new Uint8Array(bytes);",
      "const copy = new Uint8Array(length(buffer));",
      "const grown = new Uint8Array(2 ** bits);",
    ]
  ) assert.deepEqual(lines(line), [1], line);
});

Deno.test("the line is the one on which the call begins", () => {
  assert.deepEqual(
    lines("\nconst a = new Uint8Array(\n  count *\n    ENTRY,\n);\n"),
    [2],
  );
});

Deno.test("constants, copies and views are allowed", () => {
  for (
    const line of [
      "const word = new Uint8Array(8);",
      "const chunk = new Uint8Array(1 << 20);",
      "const chunk = new Uint8Array(0x10_000);",
      "const page = new Uint8Array(CHUNK * ENTRY.bytes + 1);",
      "const head = new Uint8Array(Math.max(HEAD, TAIL));",
      "const marks = new Uint8Array(this.#text.length);",
      "const at = new Uint32Array(Math.floor(words.length / 3) + 1);",
      "const both = new Uint8Array(head.length + body.length);",
      "const words = new Uint32Array(bytes.buffer, at, size / 4);",
      "const words = new Uint32Array(buffer, from, count);",
      "const bytes = new Uint8Array(this.#word.buffer);",
      "const none = new Uint8Array();",
      "const pause = new Int32Array(new SharedArrayBuffer(4));",
      "const magic = new Uint8Array([0x9f, 0xeb, first]);",
      "const words = new Int32Array(bytes.slice(KEY, KEY + 16).buffer);",
      "const copy = Uint8Array.from(bytes);",
      "const names = Array.from(found, (name) => name);",
      "const six = Array.from({ length: 6 }, () => new Set());",
      'const hex = byte.toString(16).padStart(2, "0");',
      "const bytes = allocateBytes(size, LIMIT, gva);",
      "const list: Array<number> = [];",
      "if (Array.isArray(found)) return;",
      "// A table of new Uint8Array(count).",
      " * @example new Uint8Array(count)",
    ]
  ) assert.deepEqual(lines(line), [], line);
});

Deno.test("it holds where guests and files are read", () => {
  const text = "const table = new Uint8Array(count);";
  for (
    const path of [
      "engine/memory/elf_core.ts",
      "engine/arch/x86_64/idt.ts",
      "engine/seal/keys/klog.ts",
      "engine/targets/proc.ts",
      "engine/detect/checks/xf001.ts",
      "engine/base/host_file/read.ts",
      "ffi/mapping.ts",
    ]
  ) assert.deepEqual(lines(text, path), [1], path);
  for (
    const path of [
      "engine/base/allocate.ts",
      "engine/memory/elf_core_test.ts",
      "engine/memory/snapshot_fixture.ts",
      "engine/ftrace/ring/columns.ts",
      "lab/guest/cpio.ts",
      "docs/a.md",
    ]
  ) assert.deepEqual(lines(text, path), [], path);
});

Deno.test("files with own growth exist, and allocate", () => {
  for (const [path, why] of Object.entries(OWN_GROWTH)) {
    assert.match(readText(path), /new \w+Array\(|\.padEnd\(/, path);
    assert.ok(why.length > 10);
  }
});
