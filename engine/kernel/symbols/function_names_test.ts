import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import { resolveFunction } from "./function_names.ts";
import { FIXTURE_TEXT, fixtureSymbolTable } from "./symbols_fixture.ts";

const at = (n: number) => FIXTURE_TEXT + 0x1000n + BigInt(n * 0x40);

const SYMBOLS = fixtureSymbolTable([
  "__x64_sys_open",
  "__x64_sys_openat",
  "__x64_sys_read",
  "__se_sys_old",
  "sys_ancient",
  "vfs_read",
  "vfs_write",
  "twice",
  "twice",
  "__x64_sys_clone",
].map((name, i) => [name, at(i)]));

Deno.test("a system call is its function, and those that replaced it", () => {
  assert.deepEqual(resolveFunction(SYMBOLS, "sys_read"), {
    asked: "sys_read",
    functions: [{ name: "__x64_sys_read", gva: at(2) }],
  });
  const open = resolveFunction(SYMBOLS, "sys_open");
  assert.deepEqual(open.functions, [
    { name: "__x64_sys_open", gva: at(0) },
    { name: "__x64_sys_openat", gva: at(1) },
  ]);
  assert.match(open.note ?? "", /stands for __x64_sys_open, __x64_sys_openat/);
  // As kernels of before 4.17 spelled it.
  assert.deepEqual(resolveFunction(SYMBOLS, "SyS_read").functions, [
    { name: "__x64_sys_read", gva: at(2) },
  ]);
});

Deno.test("a call that the kernel has only the successor of", () => {
  const fork = resolveFunction(SYMBOLS, "sys_fork");
  assert.deepEqual(fork.functions, [{ name: "__x64_sys_clone", gva: at(9) }]);
});

Deno.test("names of older kernels' system calls", () => {
  assert.equal(
    resolveFunction(SYMBOLS, "sys_old").functions[0].name,
    "__se_sys_old",
  );
  assert.equal(
    resolveFunction(SYMBOLS, "sys_ancient").functions[0].name,
    "sys_ancient",
  );
});

Deno.test("a function by its own name, all of that name", () => {
  assert.deepEqual(resolveFunction(SYMBOLS, "vfs_read"), {
    asked: "vfs_read",
    functions: [{ name: "vfs_read", gva: at(5) }],
  });
  const twice = resolveFunction(SYMBOLS, "twice");
  assert.deepEqual(twice.functions.map(({ gva }) => gva), [at(7), at(8)]);
  assert.match(twice.note ?? "", /names 2 functions/);
  assert.equal(
    resolveFunction(SYMBOLS, "__x64_sys_open").functions.length,
    1,
  );
});

Deno.test("globs", () => {
  const found = resolveFunction(SYMBOLS, "vfs_*");
  assert.deepEqual(found.functions.map(({ name }) => name), [
    "vfs_read",
    "vfs_write",
  ]);
  assert.equal(found.note, "vfs_* matches 2 functions");
  assert.deepEqual(
    resolveFunction(SYMBOLS, "sys_open*").functions.map(({ name }) => name),
    ["__x64_sys_open", "__x64_sys_openat"],
  );
  // One name, two functions: each once.
  assert.equal(resolveFunction(SYMBOLS, "twic?").functions.length, 2);
  assert.throws(
    () => resolveFunction(SYMBOLS, "none_*"),
    /no function of the guest's kernel matches none_\*/,
  );
});

Deno.test("an unknown name offers near ones as users write them", () => {
  assert.throws(() => resolveFunction(SYMBOLS, "sys_opennat"), (error) => {
    assert.ok(error instanceof KernelError);
    assert.match(
      error.message,
      /has no function sys_opennat; near: .*sys_open/,
    );
    assert.doesNotMatch(error.message, /__x64_/);
    return true;
  });
  assert.throws(
    () => resolveFunction(SYMBOLS, "vfs_raed"),
    /near: .*vfs_read/,
  );
});
