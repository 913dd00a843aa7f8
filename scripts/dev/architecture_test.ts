import assert from "node:assert/strict";
import {
  brokenByArchImport,
  brokenByArchitecture,
  isNeutral,
} from "./architecture.ts";

/** The line numbers at which a text breaks the rule. */
function lines(text: string, path = "engine/kernel/a.ts"): number[] {
  return [...new Set(brokenByArchitecture(path, text).map(({ line }) => line))];
}

Deno.test("words of one architecture are reported, in code and in comments", () => {
  for (
    const line of [
      "const NAME = `__x64_${call}`;",
      '  "__ia32_sys_open",',
      "// As x64_sys_call does.",
      " * Past an ENDBR64 lies the call.",
      "/** Addresses (fentry) of roots. */",
      "const nop5 = [0x0f, 0x1f];",
      " * Pointers of x86-64, in bytes.",
      "  // Source: arch/x86/kernel/idt.c.",
      "const TOP = 0xffffffff00000000n;",
      "const DIRECT = 0xffff_8880_0000_0000n;",
      "    cr3: hex(root),",
      " * The IDTR is a register.",
      "import { a } from './b.ts'; // R_X86_64_PC32",
      "const ENTRY = [0xf3, 0x0f, 0x1e, 0xfa];",
      "const EMPTY = [0x0f, 0x1f, 0x44, 0x00, 0x00];",
      '  if (machine === "x64") return;',
      "// Not on i386.",
      "const upper = (high: number) => high >= 0xffff8000;",
      "const BASE = BigInt.asUintN(64, -0x80000000n);",
    ]
  ) assert.deepEqual(lines(line), [1], line);
});

Deno.test("words that only look like an architecture's are allowed", () => {
  for (
    const line of [
      "const U64 = 0xffffffffffffffffn;",
      "const LAST = 0xffff_ffff_ffff_ffffn;",
      '  boot_cpu_data: "struct cpuinfo_x86",',
      "// Fedora's 6.11.4-301.fc41.x86_64.",
      'import { own } from "./x86_64/mod.ts";',
      "  xftrace functions '__x64_sys_*' --prototype",
      "const description = hdr.ripple;",
    ]
  ) assert.deepEqual(lines(line), [], line);
});

Deno.test("page sizes are reported, named limits are not", () => {
  for (
    const line of [
      "const PAGE = 4096;",
      "export const PAGE_SIZE = 4096n;",
      "  const end = start + 4096n;",
      "  for (let i = 0; i < Math.min(n, 0x1000); i++) {",
      "  const at = gva & ~0xfffn;",
      "  const frame = gpa >> 12;",
      "  const gva = frame << 12n;",
      "  const end = start + 4_096;",
      "  const at = gpa & ~0xFFF;",
      "  const at = gpa & ~4095;",
      "  const end = start + 0x1_000;",
      "  const end = start + 2 ** 12;",
      "  const end = start + 4 * 1024;",
      "  const end = start + (4 << 10);",
      "  return `page ${gpa / 4096}`;",
    ]
  ) assert.deepEqual(lines(line), [1], line);
  for (
    const line of [
      "const MAX_OPS = 4096;",
      "export const GRANULE = 4096;",
      "  // Nor for more than 4096 functions.",
      '  "give a power of two, such as 4096",',
      "const IPMODIFY = 1n << 12n;",
      "const flag = 1 << 12;",
      "const n = 40960;",
      "const MAX_ERRNO = 4095;",
      "const CHUNK = 64 * 1024;",
      "  const gib = high * 0x1_0000_0000;",
      "  return `give ${n}, such as 4096`;",
    ]
  ) assert.deepEqual(lines(line), [], line);
});

Deno.test("the rule applies to the library and the commands only", () => {
  for (
    const path of [
      "engine/kernel/a.ts",
      "engine/detect/checks/xf001.ts",
      "ffi/libc.ts",
      "dsl/compile/a.ts",
      "mod.ts",
      "live.ts",
      "scripts/cli/commands/check.ts",
      "scripts/collector/main.ts",
    ]
  ) {
    assert.ok(isNeutral(path), path);
    assert.deepEqual(lines("// x86", path), [1], path);
  }
  for (
    const path of [
      "engine/arch/x86_64/image.ts",
      "engine/arch/all.ts",
      "engine/kernel/a_test.ts",
      "engine/kernel/a_fixture.ts",
      "lab/guest/qemu.ts",
      "tests/live/a_test.ts",
      "scripts/demo.ts",
      "guest/xftrace_main.c",
    ]
  ) {
    assert.ok(!isNeutral(path), path);
    assert.deepEqual(lines("// x86", path), [], path);
  }
});

Deno.test("an @example may name what its guest has", () => {
  const text = `/**
 * Calls.
 *
 * @example
 * \`\`\`ts
 * flow.get("__x64_sys_openat");
 * \`\`\`
 * @param name as __x64_sys_openat
 */
export const a = "__x64_sys_read";
/** @example __x64_sys_open */
const b = "__x64_sys_write";
`;
  assert.deepEqual(lines(text), [8, 10, 11, 12]);
});

Deno.test("generated files may hold names of kernels", () => {
  const text = "/**\n * Structs. Written by generate.ts from 6.1.\n */\n" +
    'export interface A { readonly x86: "number" }\n';
  assert.deepEqual(lines(text), []);
  assert.deepEqual(lines(text.replace("generate.ts", "hand")), [4]);
});

Deno.test("only the lists import from an architecture's folder", () => {
  const to = "engine/arch/x86_64/mod.ts";
  for (
    const from of [
      "engine/kernel/a.ts",
      "mod.ts",
      "scripts/cli/a.ts",
      "engine/arch/toy64/mod.ts",
    ]
  ) assert.match(brokenByArchImport(from, to) ?? "", /engine\/arch alone/);
  for (
    const from of [
      "engine/arch/all.ts",
      "engine/arch/x86_64/checks/mod.ts",
      "engine/kernel/a_test.ts",
      "engine/kernel/core/kernel_fixture.ts",
      "tests/replay/damaged_memory.ts",
    ]
  ) assert.equal(brokenByArchImport(from, to), undefined, from);
  assert.equal(
    brokenByArchImport("engine/kernel/a.ts", "engine/arch/arch.ts"),
    undefined,
  );
});
