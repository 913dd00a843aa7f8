import assert from "node:assert/strict";
import { CONTROL, CPU, MAX_ROOTS } from "../seal/page/abi.ts";
import { ModuleGuest } from "../seal/page/module_fixture.ts";
import { readModuleFacts } from "./read_module.ts";

Deno.test("a module that is idle can be used", () => {
  const guest = new ModuleGuest({ entries: 128 });
  // Room for 1964 functions, of which the roots may take 512.
  guest.set32(CONTROL.mail_bytes, 16384);
  assert.deepEqual(readModuleFacts(guest.kernel, "nop"), {
    seal: "siphash+ratchet",
    maxRoots: MAX_ROOTS,
    maxFunctions: 1452,
    sharedFilter: true,
    tracefs: true,
    page: guest.control,
    ringEntries: 128,
  });
});

Deno.test("where only one user of the function graph is allowed, a tracer keeps the module out", () => {
  const facts = readModuleFacts(new ModuleGuest().kernel, "function_graph");
  assert.match(
    facts?.problem ?? "",
    /tracer is function_graph, and .* only one/,
  );
  assert.equal(facts?.tracefs, true);
});

Deno.test("a module that somebody else uses says so, and its mailbox is left alone", () => {
  const guest = new ModuleGuest();
  guest.set32(CONTROL.enabled, 1);
  const facts = readModuleFacts(guest.kernel, "nop");
  assert.equal(facts?.tracefs, false);
  assert.match(facts?.problem ?? "", /recording for somebody else/);
});

Deno.test("a guest without the module has no facts about it", () => {
  const guest = new ModuleGuest();
  guest.modules.length = 0;
  assert.equal(readModuleFacts(guest.kernel, "nop"), undefined);
});

Deno.test("a module whose page fails a check is a problem, and no failure", () => {
  const versions = new ModuleGuest();
  versions.set32(CONTROL.abi_version, 99);
  const other = readModuleFacts(versions.kernel, "nop");
  assert.match(other?.problem ?? "", /speaks version 99/);
  assert.deepEqual([other?.page, other?.ringEntries, other?.tracefs], [
    0n,
    0,
    false,
  ]);

  const rings = new ModuleGuest();
  rings.setCpu64(1, CPU.ring_entries, 100);
  const facts = readModuleFacts(rings.kernel, "nop");
  assert.match(facts?.problem ?? "", /CPU 1 claims a ring of 100 entries/);

  // Its rings lie where nothing is mapped.
  const lost = new ModuleGuest();
  lost.setCpu64(0, CPU.ring, 0xffff000000000000n);
  assert.ok(readModuleFacts(lost.kernel, "nop")?.problem !== undefined);
});
