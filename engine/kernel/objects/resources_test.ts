import assert from "node:assert/strict";
import { systemRam } from "./resources.ts";
import { ResourceGuest } from "./resources_fixture.ts";

Deno.test("RAM is found at the top of the resource tree and below devices", () => {
  const fixture = new ResourceGuest([
    [0x1000, 0x9fff, "System RAM", [[0x2000, 0x2fff, "Kernel code"]]],
    [0xa0000, 0xbffff, "PCI Bus 0000:00", [[0xa0000, 0xa0fff, "0000:00:01.0"]]],
    [0x100000, 0x1fffff, "virtio2", [
      [0x100000, 0x13ffff, "System RAM (virtio_mem)"],
      [0x180000, 0x1bffff, "System RAM (virtio_mem)"],
    ]],
    [0x300000, 0x3fffff, "Persistent Memory", [
      [0x300000, 0x3fffff, "System RAM (kmem)"],
    ]],
  ]);
  const within = { start: 0x100000, end: 0x200000 };
  const name = "System RAM (virtio_mem)";
  assert.deepEqual(systemRam(fixture.guest.kernel), [
    { start: 0x1000, end: 0xa000, name: "System RAM" },
    { start: 0x100000, end: 0x140000, name, within },
    { start: 0x180000, end: 0x1c0000, name, within },
  ]);
});

Deno.test("a resource tree without end is refused", () => {
  const fixture = new ResourceGuest([]);
  const [first, second] = fixture.set([
    [0, 0xfff, "one"],
    [0x1000, 0x1fff, "two"],
  ]);
  fixture.guest.setU64(second + 24n, first);
  assert.throws(() => systemRam(fixture.guest.kernel), /does not end within/);
  fixture.guest.setU64(second + 24n, 0n);
  fixture.guest.setU64(first + 32n, first);
  assert.deepEqual(systemRam(fixture.guest.kernel), []);
});
