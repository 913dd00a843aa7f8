import assert from "node:assert/strict";
import { backingText, shareAdvice, shareOptions } from "./advice.ts";
import type { VmBacking, VmProcess } from "./vm.ts";

const MIB = 2 ** 20;

function vm(backings: VmBacking[], more: Partial<VmProcess> = {}): VmProcess {
  const access = backings.every((backing) => backing.open !== undefined)
    ? "map" as const
    : "process" as const;
  return {
    pid: 7,
    kind: "qemu",
    name: "web1",
    named: true,
    accel: "kvm",
    machine: "q35",
    memoryBytes: 512 * MIB,
    libvirt: false,
    startTime: 1,
    plans: [{
      backings,
      layout: { source: "q35", regions: [] },
      access,
      memPath: "/proc/7/mem",
      plugged: [],
      spare: [],
    }],
    attachable: true,
    ...more,
  };
}

const file: VmBacking = {
  id: "ram",
  size: 512 * MIB,
  path: "/dev/shm/web1",
  deleted: false,
  memfd: false,
  hugetlb: false,
  shared: true,
  open: "/proc/7/fd/9",
  mappings: [],
};
const { path: _path, open: _open, ...unnamed } = file;

Deno.test("where memory is, in a few words", () => {
  assert.equal(backingText(vm([file])), "file /dev/shm/web1");
  assert.equal(
    backingText(vm([{ ...file, deleted: true }])),
    "file /dev/shm/web1 (deleted)",
  );
  const memfd = { ...file, memfd: true };
  assert.equal(backingText(vm([memfd, memfd])), "2 backends: memfd");
  assert.equal(
    backingText(vm([{ ...memfd, hugetlb: true }])),
    "memfd of huge pages",
  );
  assert.equal(
    backingText(vm([{ ...unnamed, shared: false }])),
    "private (through its process)",
  );
  assert.equal(backingText({ ...vm([]), plans: [] }), "");
});

Deno.test("how to share memory, using the VM's own size and name", () => {
  assert.match(shareOptions(512 * MIB), /size=512M,share=on/);
  assert.match(shareOptions(0), /size=SIZE/);
  assert.match(shareAdvice(vm([file]))[0], /^start QEMU with: -object .*512M/);
  assert.match(
    shareAdvice(vm([file], { libvirt: true }))[0],
    /^virsh edit web1: .*<memoryBacking>/,
  );
});
