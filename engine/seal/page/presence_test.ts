import assert from "node:assert/strict";
import { Kernel } from "../../kernel/core/kernel.ts";
import { fixtureSymbolTable } from "../../kernel/symbols/symbols_fixture.ts";
import { CONTROL, PAGE_MAGIC } from "./abi.ts";
import { ControlPage } from "./control_page.ts";
import { ModuleGuest } from "./module_fixture.ts";
import { Presence } from "./presence.ts";

/** A guest whose module records, and what watches it. */
function recording(kernelOf = (guest: ModuleGuest) => guest.kernel) {
  const guest = new ModuleGuest();
  const page = ControlPage.find(kernelOf(guest));
  assert.ok(page !== undefined);
  guest.set32(CONTROL.enabled, 1);
  guest.set32(CONTROL.registered, 1);
  const ops = guest.get64(CONTROL.graph_ops);
  const array = guest.fixture.kernel.symbols.address("fgraph_array");
  guest.fixture.setU64(array + 8n, ops);
  const presence = new Presence(page);
  return {
    guest,
    presence,
    array,
    ops,
    problems: (switched: Parameters<Presence["quick"]>[0] = "on") =>
      presence.quick(switched).map(({ problem }) => problem),
  };
}

Deno.test("a module that is in place has no problem", () => {
  const { presence, problems } = recording();
  assert.deepEqual(problems(), []);
  assert.deepEqual(presence.full(), []);
  assert.deepEqual(presence.search(), []);
});

Deno.test("what counts as switched off depends on what the host wanted", () => {
  const { guest, problems } = recording();
  assert.deepEqual(problems("off"), ["switched on"]);
  guest.set32(CONTROL.parked, 1);
  assert.deepEqual(problems("on"), ["switched off"]);
  // It may still be restoring its filter.
  assert.deepEqual(problems("going on"), []);
  guest.set32(CONTROL.enabled, 0);
  assert.deepEqual(problems("off"), []);
  assert.deepEqual(problems("on"), ["switched off"]);
  // A module that nobody uses may do as it likes.
  guest.set32(CONTROL.registered, 0);
  assert.deepEqual(problems("unused"), []);
});

Deno.test("a module that Ftrace does not call any more, whatever the module says", () => {
  const { guest, array, ops, problems } = recording();
  guest.fixture.setU64(array + 8n, 0n);
  assert.deepEqual(problems(), ["not registered"]);
  guest.fixture.setU64(array + 56n, ops);
  assert.deepEqual(problems(), []);
  guest.fixture.setU64(ops + 8n, guest.text + 0x20n);
  assert.deepEqual(problems(), ["handler replaced"]);
});

Deno.test("a page whose magic word is gone is not looked at further", () => {
  const { guest, problems } = recording();
  guest.set64(CONTROL.magic, 0n);
  guest.set32(CONTROL.enabled, 0);
  assert.deepEqual(problems(), ["module gone"]);
});

Deno.test("a second page that claims to be the module's is found", () => {
  const { guest, presence } = recording();
  const copy = guest.fixture.allocate(4096, 4096);
  const at = guest.fixture.gpa(guest.control);
  guest.fixture.bytes.copyWithin(
    guest.fixture.gpa(copy),
    at,
    at + CONTROL.bytes,
  );
  assert.deepEqual(presence.search().map(({ problem }) => problem), [
    "foreign control page",
  ]);
  // The word alone, or a page of another form, is none.
  guest.fixture.setU32(copy + BigInt(CONTROL.control_bytes), 7);
  guest.fixture.setU64(
    guest.fixture.allocate(4096, 4096) + 8n,
    PAGE_MAGIC,
  );
  assert.deepEqual(presence.search(), []);
});

Deno.test("a page that an earlier kernel left is no finding, unless somebody can use it", () => {
  const { guest, presence } = recording();
  const { fixture } = guest;
  const plant = () => {
    const gva = fixture.allocate(4096, 4096);
    fixture.setU64(gva, PAGE_MAGIC);
    fixture.setU32(gva + BigInt(CONTROL.control_bytes), CONTROL.bytes);
    return gva;
  };
  const left = plant();
  assert.deepEqual(presence.search(), []);
  assert.deepEqual(presence.search(), []);
  // An address leads to it now.
  fixture.setU64(left + BigInt(CONTROL.self), left);
  assert.equal(presence.search().length, 1);
  fixture.setU64(left + BigInt(CONTROL.self), 0n);
  assert.deepEqual(presence.search(), []);
  // It was not there at first.
  const later = plant();
  assert.deepEqual(presence.search().map(({ detail }) => detail), [
    `a page at GPA 0x${
      fixture.gpa(later).toString(16)
    } claims to be the control page`,
  ]);
  for (let i = 0; i < 30; i++) plant();
  const many = presence.search();
  assert.equal(many.length, 17);
  assert.match(many[16].detail, /so often/);
});

Deno.test("a module that the kernel's list has no more", () => {
  const { guest, presence } = recording();
  assert.deepEqual(presence.full(), []);
  guest.modules.length = 0;
  assert.deepEqual(presence.full().map(({ problem }) => problem), [
    "module gone",
  ]);
});

Deno.test("a kernel that allows one user: the variables that it calls through", () => {
  let variables = 0n;
  const { guest, problems } = recording((guest) => {
    const { arch, space, types, live, facts } = guest.kernel;
    variables = guest.fixture.image(1);
    const symbols = fixtureSymbolTable([
      ["ftrace_graph_entry", variables],
      ["__ftrace_graph_entry", variables + 8n],
      ["ftrace_graph_return", variables + 16n],
      ["ftrace_graph_entry_test", variables + 0x100n],
      ["fgraph_pid_func", variables + 0x200n],
    ]);
    return new Kernel(arch, space, symbols, types, live, facts);
  });
  const { fixture, text } = guest;
  const set = (entry: bigint, saved: bigint, back: bigint) => {
    fixture.setU64(variables, entry);
    fixture.setU64(variables + 8n, saved);
    fixture.setU64(variables + 16n, back);
  };
  const [entry, back] = [text + 0x10n, text + 0x80n];
  set(entry, entry, back);
  assert.deepEqual(problems(), []);
  // Ftrace's own functions, which call the module's.
  set(variables + 0x100n, variables + 0x200n, back);
  assert.deepEqual(problems(), []);
  set(text + 0x20n, entry, text + 0x30n);
  assert.deepEqual(problems(), ["handler replaced", "handler replaced"]);
  set(entry, 0n, back);
  assert.deepEqual(problems(), ["handler replaced"]);
});
