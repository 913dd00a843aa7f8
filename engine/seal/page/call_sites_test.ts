import assert from "node:assert/strict";
import { Kernel } from "../../kernel/core/kernel.ts";
import { CONTROL, PHASE } from "./abi.ts";
import { RootCallSites } from "./call_sites.ts";
import { ControlPage } from "./control_page.ts";
import { ModuleGuest } from "./module_fixture.ts";

const CALL = [0xe8, 1, 2, 3, 4];

/** A guest that records, with two functions that call Ftrace. */
function recordingGuest() {
  const guest = new ModuleGuest();
  guest.set32(CONTROL.registered, 1);
  guest.set32(CONTROL.enabled, 1);
  guest.set32(CONTROL.parked, 0);
  guest.set32(CONTROL.phase, PHASE.idle);
  const { fixture } = guest;
  const text = fixture.allocate(64);
  const functions = [text, text + 16n];
  const put = (ip: bigint, bytes: Iterable<number>) =>
    fixture.bytes.set([...bytes], fixture.gpa(ip));
  for (const ip of functions) put(ip, CALL);
  return { guest, functions, put };
}

function pageOf(kernel: Kernel): ControlPage {
  const page = ControlPage.find(kernel);
  assert.ok(page);
  return page;
}

Deno.test("a root whose call of Ftrace has become a no-op is found", () => {
  const { guest, functions, put } = recordingGuest();
  const { nops } = guest.kernel.arch.ftraceSites;
  const [nop] = nops;
  const sites = new RootCallSites(pageOf(guest.kernel), functions);
  for (const one of nops) {
    put(functions[1], CALL);
    assert.deepEqual(sites.check(), []);
    put(functions[1], one);
    assert.deepEqual(sites.check().map(({ problem }) => problem), [
      "not called",
    ]);
  }
  put(functions[0], nop);
  assert.match(sites.check()[0].detail, / and 1 more: its filter was changed/);
  // The module has taken its filter away itself.
  guest.set32(CONTROL.parked, 1);
  assert.deepEqual(sites.check(), []);
});

Deno.test("functions that were not called from the start, or are a module's, are left out", () => {
  const { guest, functions, put } = recordingGuest();
  const { nops: [nop] } = guest.kernel.arch.ftraceSites;
  put(functions[0], nop);
  const own = guest.text + 0x40n;
  put(own, CALL);
  const sites = new RootCallSites(pageOf(guest.kernel), [...functions, own]);
  put(own, nop);
  assert.deepEqual(sites.check(), []);
});

Deno.test("the no-op is the architecture's", () => {
  const { guest, functions, put } = recordingGuest();
  const { arch, space, symbols, types, live, facts } = guest.kernel;
  const nop = Uint8Array.of(0x1f, 0x20, 0x03, 0xd5);
  const other = new Kernel(
    { ...arch, ftraceSites: { ...arch.ftraceSites, nops: [nop] } },
    space,
    symbols,
    types,
    live,
    facts,
  );
  const sites = new RootCallSites(pageOf(other), functions);
  put(functions[0], arch.ftraceSites.nops[0]);
  assert.deepEqual(sites.check(), []);
  put(functions[0], nop);
  assert.equal(sites.check().length, 1);
});
