import assert from "node:assert/strict";
import {
  ABI_VERSION,
  COMMAND,
  CONFIG,
  CONFIG_FLAG,
  CONTROL,
  CPU,
  ENTRY,
  ENTRY_FLAG,
  ENTRY_KIND,
  MAX_RANGES,
  MAX_ROOTS,
  PAGE_MAGIC,
  PATH_BYTES,
  PATH_PIECES,
  PHASE,
  SEAL,
  SYSCALLS,
} from "./abi.ts";
import { parseHeader } from "./abi_header_fixture.ts";

const header = parseHeader(
  Deno.readTextFileSync(new URL("../../../guest/xftrace.h", import.meta.url)),
);

Deno.test("the host's layouts match guest/xftrace.h", () => {
  const layout = (name: string) =>
    Object.fromEntries(header.structs.get(name) ?? []);
  assert.deepEqual(layout("xft_entry"), ENTRY);
  assert.deepEqual(layout("xft_cpu"), CPU);
  assert.deepEqual(layout("xft_control"), CONTROL);
  assert.deepEqual(layout("xft_config"), CONFIG);
});

Deno.test("the host's constants match guest/xftrace.h", () => {
  const group = (prefix: string, table: Readonly<Record<string, number>>) =>
    Object.entries(table).map(([name, value]): [string, bigint] => [
      `XFT_${prefix}${name.toUpperCase()}`,
      BigInt(value),
    ]);
  const ours = new Map<string, bigint>([
    ["XFT_ABI_VERSION", BigInt(ABI_VERSION)],
    ["XFT_MAGIC", PAGE_MAGIC],
    ...group("COMMAND_", COMMAND),
    ...group("PHASE_", PHASE),
    ...group("SEAL_", SEAL),
    ...group("", CONFIG_FLAG),
    ...group("KIND_", ENTRY_KIND),
    ...group("ENTRY_", ENTRY_FLAG),
    ["XFT_MAX_ROOTS", BigInt(MAX_ROOTS)],
    ["XFT_MAX_RANGES", BigInt(MAX_RANGES)],
    ["XFT_PATH_BYTES", BigInt(PATH_BYTES)],
    ["XFT_PATH_PIECES", BigInt(PATH_PIECES)],
    ["XFT_SYSCALLS", BigInt(SYSCALLS)],
  ]);
  assert.deepEqual(header.defines, ours);
});

Deno.test("a header whose layout depends on the compiler is refused", () => {
  assert.throws(
    () => parseHeader("struct a { __u8 x; __u32 y; };"),
    /struct a has padding before y/,
  );
  assert.throws(
    () => parseHeader("struct a { __u32 y; __u8 x; };"),
    /padding at its end/,
  );
  assert.throws(
    () => parseHeader("struct a { long y; };"),
    /type long; use fixed-width types/,
  );
});
