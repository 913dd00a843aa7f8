import assert from "node:assert/strict";
import { x86_64 } from "../../arch/x86_64/mod.ts";
import { KernelError } from "../../base/errors.ts";
import {
  FIXTURE_TEXT,
  fixtureSymbolTable,
} from "../symbols/symbols_fixture.ts";
import type { FunctionIndex } from "./index.ts";
import {
  functionNotes,
  type NamedFunctions,
  resolveFunctions,
} from "./resolve.ts";
import { namedSyscall, renamedSyscalls } from "./successors.ts";

const at = (n: number) => FIXTURE_TEXT + 0x1000n + BigInt(n * 0x40);

/** A kernel that has these functions, in this order. */
function index(
  names: readonly string[],
  untraceable: readonly bigint[] = [],
): FunctionIndex {
  const symbols = fixtureSymbolTable(names.map((name, i) => [name, at(i)]));
  return {
    kernel: "6.1.0-test",
    syscalls: x86_64.syscalls.names,
    offsets: x86_64.ftraceSites.offsets,
    addresses: (name) => symbols.addresses(name),
    glob: (pattern) => symbols.glob(pattern),
    near: (name) => symbols.near(name),
    state: (gva) => untraceable.includes(gva) ? "untraceable" : "idle",
  };
}

const KERNEL = index([
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
], [at(8)]);
const resolve = (asked: string) => resolveFunctions(KERNEL, asked);
const namesOf = ({ functions }: NamedFunctions) =>
  functions.map(({ name }) => name);

Deno.test("a system call resolves to its function and to those that replaced it", () => {
  assert.deepEqual(resolve("sys_read"), {
    asked: "sys_read",
    functions: [{ name: "__x64_sys_read", addresses: [at(2)] }],
    outdated: [],
  });
  const open = resolve("sys_open");
  assert.deepEqual(open.functions, [
    { name: "__x64_sys_open", addresses: [at(0)] },
    { name: "__x64_sys_openat", addresses: [at(1)] },
  ]);
  assert.deepEqual(open.outdated, ["__x64_sys_open"]);
  assert.equal(
    open.note,
    "sys_open: programs of today call openat for it, which is traced too",
  );
  // The spelling of kernels before 4.17.
  assert.deepEqual(resolve("SyS_read").functions, [
    { name: "__x64_sys_read", addresses: [at(2)] },
  ]);
});

Deno.test("a call of which the kernel has only the successor", () => {
  const fork = resolve("sys_fork");
  assert.deepEqual(fork.functions, [
    { name: "__x64_sys_clone", addresses: [at(9)] },
  ]);
  assert.deepEqual(fork.outdated, []);
  assert.match(fork.note ?? "", /today call clone for it, which is traced$/);
});

Deno.test("names of system calls that older kernels used", () => {
  assert.equal(resolve("sys_old").functions[0].name, "__se_sys_old");
  assert.equal(resolve("sys_ancient").functions[0].name, "sys_ancient");
});

Deno.test("a function by its own name gives all traceable ones with that name", () => {
  assert.deepEqual(resolve("vfs_read"), {
    asked: "vfs_read",
    functions: [{ name: "vfs_read", addresses: [at(5)] }],
    outdated: [],
  });
  const both = index(["twice", "twice"]);
  const twice = resolveFunctions(both, "twice");
  assert.deepEqual(twice.functions, [
    { name: "twice", addresses: [at(0), at(1)] },
  ]);
  assert.match(functionNotes([twice])[0], /names 2 functions/);
  assert.deepEqual(resolve("twice").functions[0].addresses, [at(7)]);
  assert.equal(resolve("__x64_sys_open").functions.length, 1);
});

Deno.test("globs", () => {
  const found = resolve("vfs_*");
  assert.deepEqual(namesOf(found), ["vfs_read", "vfs_write"]);
  assert.deepEqual(functionNotes([found]), ["vfs_* matches 2 functions"]);
  assert.deepEqual(namesOf(resolve("sys_open*")), [
    "__x64_sys_open",
    "__x64_sys_openat",
  ]);
  // One name with two functions appears once.
  assert.deepEqual(resolve("twic?").functions, [
    { name: "twice", addresses: [at(7), at(8)] },
  ]);
  assert.throws(
    () => resolve("none_*"),
    /no function of the kernel 6.1.0-test matches "none_\*"/,
  );
});

Deno.test("an unknown name suggests similar ones in the spelling of users", () => {
  assert.throws(() => resolve("sys_opennat"), (error) => {
    assert.ok(error instanceof KernelError);
    assert.match(
      error.message,
      /has no function "sys_opennat": did you mean "sys_open/,
    );
    assert.doesNotMatch(error.message, /__x64_/);
    return true;
  });
  assert.throws(() => resolve("vfs_raed"), /did you mean .*"vfs_read"/);
});

Deno.test("a function that cannot be traced is refused, with what to do", () => {
  const kernel = index(["native_halt", "__x64_sys_stat"], [at(0)]);
  assert.throws(
    () => resolveFunctions(kernel, "native_halt"),
    /"native_halt" cannot be traced: .* trace a function that calls it/,
  );
});

Deno.test("the table of successors leads only to calls that have no successors", () => {
  for (const call of renamedSyscalls()) {
    const { own, today } = namedSyscall(call);
    assert.ok(own !== call || today.length > 0, call);
    for (const newer of today) {
      assert.deepEqual(namedSyscall(newer), { own: newer, today: [] }, newer);
      assert.notEqual(newer, own);
    }
  }
});
