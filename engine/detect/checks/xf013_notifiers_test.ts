import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { checked } from "../core/check_fixture.ts";
import { notifiers } from "./xf013_notifiers.ts";

const TYPES = fixtureTypes({
  atomic_notifier_head: { size: 16, members: { head: [8, "u64"] } },
  notifier_block: {
    size: 24,
    members: { notifier_call: [0, "u64"], next: [8, "u64"] },
  },
});
/** Where functions of the kernel and of a module lie here. */
const OWN = 0xffffffff81000100n;
const FOREIGN = 0xffffffffc0100010n;

/** A guest whose chain holds these functions. */
function guestWith(chain: string, functions: readonly bigint[]): FixtureGuest {
  const guest = new FixtureGuest(TYPES);
  const head = guest.image();
  guest.symbol(chain, head);
  let at = head + 8n;
  for (const func of functions) {
    const block = guest.create("notifier_block");
    guest.setU64(at, block);
    guest.setU64(block, func);
    at = block + 8n;
  }
  return guest;
}

const whose = (gva: bigint) => gva === FOREIGN ? "module" : "kernel";

Deno.test("a keyboard notifier of a module is found", () => {
  const guest = guestWith("keyboard_notifier_list", [OWN, FOREIGN]);
  const { findings, unjudged, judged, known } = checked(
    notifiers,
    guest.kernel,
    { whose },
  );
  assert.deepEqual([unjudged, judged], [[], 2]);
  assert.deepEqual(findings.map(({ where, module }) => [where, module]), [
    ["keyboard_notifier_list", "helper"],
  ]);
  assert.match(findings[0].summary, /: it is told of every key$/);
  assert.equal(known.length, 2);
});

Deno.test("a module that is trusted may listen, and others to other chains", () => {
  const keys = guestWith("keyboard_notifier_list", [FOREIGN]);
  const trusted = checked(notifiers, keys.kernel, { whose, trusted: true });
  assert.deepEqual(trusted.findings, []);
  const panic = guestWith("panic_notifier_list", [FOREIGN]);
  const { findings, judged } = checked(notifiers, panic.kernel, { whose });
  assert.deepEqual([findings, judged], [[], 1]);
});

Deno.test("a chain that runs in circles, and no chain at all, are not clean", () => {
  const guest = guestWith("die_chain", [OWN]);
  const first = guest.kernel.symbols.address("die_chain") + 8n;
  guest.setU64(guest.u64(first) + 8n, guest.u64(first));
  const { unjudged, judged, lost } = checked(notifiers, guest.kernel);
  assert.deepEqual([judged, lost], [0, true]);
  assert.deepEqual(unjudged, [
    { what: "die_chain", why: "die_chain does not end" },
  ]);
  const none = checked(notifiers, new FixtureGuest(TYPES).kernel);
  assert.deepEqual(none.unjudged.map(({ why }) => why), [
    "there was nothing that it could judge",
  ]);
});

Deno.test("a chain whose symbol was renamed is not passed over", () => {
  const guest = guestWith("keyboard_notifier_lisu", [FOREIGN]);
  guest.symbol("register_keyboard_notifier", OWN);
  const { findings, unjudged } = checked(notifiers, guest.kernel, { whose });
  assert.deepEqual(findings, []);
  assert.deepEqual(unjudged.map(({ what }) => what), [
    "keyboard_notifier_list",
  ]);
});
