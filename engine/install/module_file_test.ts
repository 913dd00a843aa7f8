import assert from "node:assert/strict";
import { readModuleFile } from "./module_file.ts";

/** A relocatable ELF file with the given `.modinfo`. */
function module(info: string, end = ""): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder();
  const names = text.encode("\0.modinfo\0.shstrtab\0");
  const modinfo = text.encode(info);
  const table = 64 + names.length + modinfo.length;
  const file = new Uint8Array(table + 3 * 64 + end.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46]);
  view.setUint16(16, 1, true);
  view.setBigUint64(0x28, BigInt(table), true);
  view.setUint16(0x3a, 64, true);
  view.setUint16(0x3c, 3, true);
  view.setUint16(0x3e, 2, true);
  file.set(names, 64);
  file.set(modinfo, 64 + names.length);
  const section = (i: number, name: number, at: number, size: number) => {
    view.setUint32(table + 64 * i, name, true);
    view.setUint32(table + 64 * i + 4, 1, true);
    view.setBigUint64(table + 64 * i + 0x18, BigInt(at), true);
    view.setBigUint64(table + 64 * i + 0x20, BigInt(size), true);
  };
  section(1, 1, 64 + names.length, modinfo.length);
  section(2, 10, 64, names.length);
  file.set(text.encode(end), table + 3 * 64);
  return file;
}

const INFO =
  "version=0.1.0\0license=GPL\0name=xftrace\0vermagic=6.1.0-57-amd64 SMP preempt mod_unload modversions \0";

Deno.test("a module's file states its name, version and kernel", () => {
  const { name, version, release, signed, sha256 } = readModuleFile(
    "xftrace.ko",
    module(INFO),
  );
  assert.deepEqual([name, version, release, signed], [
    "xftrace",
    "0.1.0",
    "6.1.0-57-amd64",
    false,
  ]);
  assert.match(sha256, /^[0-9a-f]{64}$/);
  const end = "~Module signature appended~\n";
  assert.equal(readModuleFile("xftrace.ko", module(INFO, end)).signed, true);
});

Deno.test("a file that is not a module is refused, and the error names it", () => {
  assert.throws(
    () => readModuleFile("a.ko", new Uint8Array(10)),
    /a\.ko is no module of a kernel/,
  );
  assert.throws(
    () => readModuleFile("a.ko", module("name=xftrace\0")),
    /a\.ko does not state its kernel/,
  );
});
