import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { checked } from "../core/check_fixture.ts";
import { securityModuleHooks } from "./xf014_security_hooks.ts";

const SIZE = 40n;
const TYPES = fixtureTypes({
  hlist_node: { size: 16, members: { next: [0, "u64"], pprev: [8, "u64"] } },
  security_hook_list: {
    size: Number(SIZE),
    members: {
      list: [0, "hlist_node"],
      head: [16, "u64"],
      hook: [24, "u64"],
      lsm: [32, "u64"],
    },
  },
  security_hook_heads: {
    size: 24,
    members: {
      ptrace_traceme: [0, "u64"],
      file_open: [8, "u64"],
      inode_create: [16, "u64"],
    },
  },
});
const COUNT = 3n;

/** A guest with a security module of three hooks, one on each list. */
function guestWith({ registered = true, listed = true, names = "" }) {
  const guest = new FixtureGuest(TYPES);
  const heads = guest.image();
  const table = heads + 0x100n;
  guest.symbol("security_hook_heads", heads);
  guest.symbol("sample_hooks", table);
  guest.symbol("after_the_hooks", table + COUNT * SIZE);
  guest.symbol("_end", heads + 0x1000n);
  for (let i = 0n; i < COUNT; i++) {
    const entry = table + i * SIZE;
    if (listed) guest.setU64(heads + i * 8n, entry);
    guest.setU64(entry + 16n, heads + i * 8n);
    guest.setU64(entry + 24n, heads + 0x800n + i * 16n);
    guest.setU64(entry + 32n, registered ? 0x1000n : 0n);
  }
  if (names !== "") {
    guest.symbol("lsm_names", heads + 0x400n);
    guest.setU64(heads + 0x400n, guest.text(names));
  }
  const read = () => checked(securityModuleHooks, guest.kernel);
  return { guest, heads, table, read };
}

Deno.test("a security module whose hooks are all in use, or that was never registered, is in order", () => {
  assert.deepEqual(guestWith({}).read().findings, []);
  const off = guestWith({ registered: false, listed: false });
  assert.deepEqual(off.read().findings, []);
});

Deno.test("a hook that was taken off its list is found", () => {
  const { guest, heads, table, read } = guestWith({});
  guest.setU64(heads + 8n, 0n);
  const wheres = () => read().findings.map(({ where }) => where);
  assert.deepEqual(wheres(), ["sample_hooks[1]"]);
  // Nor does it help to forget whose it was, or where it belongs.
  guest.setU64(table + SIZE + 32n, 0n);
  assert.deepEqual(wheres(), ["sample_hooks[1]"]);
  guest.setU64(table + SIZE + 16n, 0n);
  assert.deepEqual(wheres(), ["sample_hooks[1]"]);
});

Deno.test("a security module that the kernel calls active has its hooks", () => {
  const gone = { registered: false, listed: false };
  const names = "sample";
  assert.equal(guestWith({ ...gone, names }).read().findings.length, 3);
  // Its table has another name: nothing says what became of its hooks.
  const { findings, unjudged } = guestWith({ ...gone, names: "yama" }).read();
  assert.deepEqual(findings, []);
  assert.match(unjudged.at(-1)?.why ?? "", /no table of hooks of yama/);
});

Deno.test("SELinux may be switched off as a whole, by kernels that can", () => {
  const selinux = (...more: string[]) => {
    const { guest, table, read, heads } = guestWith({ listed: false });
    guest.symbol("selinux_hooks", table);
    for (const name of more) guest.symbol(name, heads + 0x900n);
    return read().findings.filter(({ where }) => where.startsWith("selinux"));
  };
  assert.equal(selinux().length, 3);
  assert.equal(selinux("selinux_disable").length, 0);
});

Deno.test("a function of init code that is called like a table is none", () => {
  const { guest, heads, read } = guestWith({});
  // Not mapped any more, as with PTI.
  const init = heads + 0x10000n;
  guest.symbol("__init_begin", init);
  guest.symbol("security_add_hooks", init + 0x100n);
  guest.symbol("__init_end", init + 0x1000n);
  const { findings, unjudged } = read();
  assert.deepEqual([findings, unjudged], [[], []]);
});
