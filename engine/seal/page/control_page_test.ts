import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import { CONTROL, CPU, PAGE_MAGIC } from "./abi.ts";
import { ControlPage } from "./control_page.ts";
import { ModuleGuest } from "./module_fixture.ts";

Deno.test("the page of a loaded module is found, together with its rings", () => {
  const guest = new ModuleGuest({ cpus: 3, entries: 128 });
  const page = ControlPage.find(guest.kernel);
  assert.equal(page?.gva, guest.control);
  assert.deepEqual(page.cpus.map(({ cpu, entries }) => [cpu, entries]), [
    [0, 128],
    [1, 128],
    [2, 128],
  ]);
  assert.deepEqual(
    [...page.cpus[1].pages],
    [0, 4096].map((at) => guest.fixture.gpa(guest.cpus[1].ring) + at),
  );
  assert.equal(page.alive, true);
  assert.deepEqual(page.foreignPages(), { pages: [], more: false });
});

Deno.test("CPUs that can never come up have no ring", () => {
  const guest = new ModuleGuest({ cpus: 3 });
  guest.setCpu64(1, CPU.ring, 0);
  const page = ControlPage.find(guest.kernel);
  assert.deepEqual(page?.cpus.map(({ cpu }) => cpu), [0, 2]);
});

Deno.test("without the module, or while it is loading, there is no page", () => {
  const guest = new ModuleGuest();
  guest.set64(CONTROL.magic, 0);
  assert.equal(ControlPage.find(guest.kernel), undefined);
  guest.modules.splice(0);
  assert.equal(ControlPage.find(guest.kernel), undefined);
});

for (
  const [what, change, message] of [
    [
      "a copy of the page",
      (guest) => guest.set64(CONTROL.self, guest.text),
      /not its own: it says that it lies at/,
    ],
    [
      "another version",
      (guest) => guest.set32(CONTROL.abi_version, 2),
      /speaks version 2 and we speak/,
    ],
    [
      "other sizes",
      (guest) => guest.set32(CONTROL.entry_bytes, 32),
      /build and load it again/,
    ],
    [
      "a handler elsewhere",
      (guest) => guest.set64(CONTROL.return_handler, guest.control),
      /a handler lies outside of the module's code/,
    ],
    [
      "too many CPUs",
      (guest) => guest.set32(CONTROL.cpu_count, 9000),
      /it claims 9000 CPUs/,
    ],
    [
      "a ring of any size",
      (guest) => guest.setCpu64(0, CPU.ring_entries, 100),
      /CPU 0 claims a ring of 100 entries/,
    ],
  ] as readonly [string, (guest: ModuleGuest) => void, RegExp][]
) {
  Deno.test(`a page that does not belong to the module is refused: ${what}`, () => {
    const guest = new ModuleGuest();
    change(guest);
    assert.throws(() => ControlPage.find(guest.kernel), (error) => {
      assert.ok(error instanceof KernelError);
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("other pages that look like the control page", () => {
  const guest = new ModuleGuest();
  const page = ControlPage.find(guest.kernel);
  const copy = guest.fixture.allocate(4096, 4096);
  guest.fixture.setU64(copy, PAGE_MAGIC);
  // The magic number alone can be any eight bytes.
  assert.deepEqual(page?.foreignPages(), { pages: [], more: false });
  guest.fixture.setU32(copy + BigInt(CONTROL.control_bytes), CONTROL.bytes);
  assert.deepEqual(page?.foreignPages(), {
    pages: [guest.fixture.gpa(copy)],
    more: false,
  });
});
