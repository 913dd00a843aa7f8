import assert from "node:assert/strict";
import { statSync, truncateSync, writeFileSync } from "node:fs";
import { isAlive, listVms } from "./discover.ts";
import { parseMaps, Proc, ProcPermissionError, type Vma } from "./proc.ts";
import { FakeProc, qemu, vma } from "./proc_fixture.ts";
import { resolveTarget } from "./resolve.ts";

const MIB = 2 ** 20;

Deno.test("maps with names that contain spaces are parsed", () => {
  const [heap, file, memfd] = parseMaps(
    "55d0c0000000-55d0c0021000 rw-p 00000000 00:00 0    [heap]\n" +
      "7f0000000000-7f0020000000 rw-s 00100000 00:1d 42   /dev/shm/a b\n" +
      "7f0030000000-7f0040000000 rw-s 00000000 00:01 7 " +
      "/memfd:ram (deleted)\n",
  );
  assert.equal(heap.path, "[heap]");
  assert.deepEqual(
    [file.path, file.offset, file.inode, file.end - file.start],
    ["/dev/shm/a b", 0x100000, 42, 512 * MIB],
  );
  assert.deepEqual([memfd.path, memfd.deleted], ["/memfd:ram", true]);
  assert.deepEqual(parseMaps("garbage\n\0"), []);
});

Deno.test("a shared file is mapped through the process's file descriptor", () => {
  using fake = new FakeProc();
  const file = `${fake.folder}/ram`;
  writeFileSync(file, "");
  truncateSync(file, 512 * MIB);
  const { ino } = statSync(file);
  fake.add(10, {
    args: qemu(
      `-name web1 -M q35,memory-backend=m -m 512M -object ` +
        `memory-backend-file,id=m,size=512M,mem-path=${file},share=on`,
    ),
    maps: vma(0x7f0000000000, 512 * MIB, "rw-s", file, ino),
    fds: { 3: "/dev/null", 9: file },
  });
  const vm = fake.only();
  assert.equal(vm.attachable, true);
  assert.deepEqual(
    [vm.name, vm.machine, vm.memoryBytes, vm.accel, vm.plans.length],
    ["web1", "q35", 512 * MIB, "tcg", 1],
  );
  const [plan] = vm.plans;
  assert.equal(plan.access, "map");
  assert.equal(plan.backings[0].open, `${fake.root}/10/fd/9`);
  assert.deepEqual(plan.layout.regions, [
    { start: 0, end: 512 * MIB, backing: 0, offset: 0 },
  ]);
  assert.deepEqual(plan.backings[0].mappings, [
    { start: 0x7f0000000000, end: 0x7f0020000000, offset: 0 },
  ]);
  const byFile = resolveTarget(`file:${file}`, { proc: fake.proc });
  assert.equal(byFile.kind === "vm" && byFile.vm.pid, 10);
  fake.remove(10);
  const left = resolveTarget(`file:${file}`, { proc: fake.proc });
  assert.deepEqual(left.kind === "file" && left.layouts[0].regions, [
    { start: 0, end: 512 * MIB, backing: 0, offset: 0 },
  ]);
});

Deno.test("deleted files and memfds are opened through /proc/PID/fd", () => {
  using fake = new FakeProc();
  fake.add(10, {
    args: qemu(
      "-M pc -m 2G -object memory-backend-memfd,id=a,size=1G " +
        "-object memory-backend-file,id=b,size=1G,mem-path=/dev/shm,share=on " +
        "-numa node,memdev=a -numa node,memdev=b",
    ),
    maps: vma(
      0x7f0000000000,
      1024 * MIB,
      "rw-s",
      "/memfd:memory-backend-memfd (deleted)",
      5,
    ) + vma(
      0x7f0080000000,
      1024 * MIB,
      "rw-s",
      "/dev/shm/qemu_back_mem.b.Xy12Zw (deleted)",
      6,
    ),
    fds: {
      4: "/memfd:memory-backend-memfd (deleted)",
      5: "/dev/shm/qemu_back_mem.b.Xy12Zw (deleted)",
    },
  });
  const [plan] = fake.only().plans;
  assert.deepEqual(
    plan.backings.map((b) => [b.id, b.memfd, b.deleted, b.open]),
    [
      ["a", true, false, `${fake.root}/10/fd/4`],
      ["b", false, true, `${fake.root}/10/fd/5`],
    ],
  );
  assert.equal(plan.access, "map");
});

Deno.test("RAM without a backend is read from the process", () => {
  using fake = new FakeProc();
  const ram = vma(0x7f0000200000, 512 * MIB);
  const noise = vma(0x7e0000000000, 64 * MIB) +
    vma(0x7e1000000000, 1024 * MIB, "---p") +
    vma(0x55d000000000, 512 * MIB, "rw-p", "[heap]");
  fake.add(10, { args: qemu("-m 512 -enable-kvm"), maps: noise + ram });
  let vm = fake.only();
  assert.equal(vm.name, "pid:10");
  assert.equal(vm.named, false);
  assert.equal(vm.accel, "kvm");
  assert.equal(vm.plans[0].access, "process");
  assert.equal(vm.plans[0].memPath, `${fake.root}/10/mem`);
  assert.deepEqual(vm.plans[0].backings[0].mappings, [
    { start: 0x7f0000200000, end: 0x7f0020200000, offset: 0 },
  ]);

  // madvise on a part of RAM splits its mapping.
  fake.remove(10);
  fake.add(10, {
    args: qemu("-m 512"),
    maps: noise + vma(0x7f0000200000, 200 * MIB) +
      vma(0x7f0000200000 + 200 * MIB, 312 * MIB),
  });
  vm = fake.only();
  assert.deepEqual(
    vm.plans[0].backings[0].mappings.map((m) => m.offset),
    [0, 200 * MIB],
  );

  // No mapping has that size: an error, not the closest one.
  fake.remove(10);
  fake.add(10, { args: qemu("-m 512"), maps: noise });
  vm = fake.only();
  assert.equal(vm.attachable, false);
  assert.match(vm.whyNot ?? "", /pc\.ram.*not found among the process's/);
});

Deno.test("a private file mapping is read from the process", () => {
  using fake = new FakeProc();
  fake.add(10, {
    args: qemu(
      "-m 256 -M q35,memory-backend=m -object " +
        "memory-backend-file,id=m,size=256M,mem-path=ram.img",
    ),
    maps: vma(0x7f0000000000, 256 * MIB, "rw-p", "/srv/vm/ram.img", 8),
    fds: { 7: "/srv/vm/ram.img" },
  });
  const [plan] = fake.only().plans;
  assert.equal(plan.access, "process");
  assert.equal(plan.backings[0].shared, false);
  assert.equal(plan.backings[0].open, undefined);
});

Deno.test("backends that look alike give one plan for each possible order", () => {
  using fake = new FakeProc();
  fake.add(10, {
    args: qemu(
      "-M q35 -m 512 -object memory-backend-ram,id=a,size=256M " +
        "-object memory-backend-ram,id=b,size=256M " +
        "-numa node,memdev=a -numa node,memdev=b",
    ),
    maps: vma(0x7f0000000000, 256 * MIB) + vma(0x7f0020000000, 256 * MIB),
  });
  const { plans } = fake.only();
  assert.deepEqual(
    plans.map((plan) => plan.backings.map((b) => b.mappings[0].start)),
    [[0x7f0020000000, 0x7f0000000000], [0x7f0000000000, 0x7f0020000000]],
  );
});

Deno.test("a VM that cannot be attached to gives the reason", () => {
  using fake = new FakeProc();
  const maps = vma(0x7f0000200000, 128 * MIB);
  fake.add(1, { args: ["init"], exe: "/sbin/init" });
  fake.add(2, { args: ["timeout", "9", "qemu-system-x86_64"], exe: "/bin/t" });
  fake.add(3, { args: [] });
  fake.add(4, { args: qemu("-m 128"), state: "Z", maps });
  fake.add(5, {
    args: ["qemu-system-aarch64", "-M", "virt"],
    exe: "/usr/bin/qemu-system-aarch64",
    maps,
  });
  fake.add(6, {
    args: qemu("-name s -M q35,confidential-guest-support=s -m 128"),
    maps,
  });
  fake.add(7, { args: qemu("-M xenfv -m 128"), maps });
  fake.add(8, {
    args: ["cloud-hypervisor", "--memory", "size=4G", "--api-socket", "/a"],
    exe: "/usr/bin/cloud-hypervisor",
  });
  fake.add(9, {
    args: ["firecracker", "--id", "fc1", "--api-sock", "/run/fc.sock"],
    exe: "/usr/bin/firecracker",
  });
  const vms = listVms(fake.proc);
  assert.deepEqual(vms.map((vm) => vm.pid), [5, 6, 7, 8, 9]);
  assert.ok(vms.every((vm) => !vm.attachable && vm.plans.length === 0));
  assert.match(vms[0].whyNot ?? "", /guest is aarch64/);
  assert.match(vms[1].whyNot ?? "", /memory is encrypted/);
  assert.match(vms[2].whyNot ?? "", /machine type xenfv/);
  assert.match(vms[3].whyNot ?? "", /ch-remote coredump/);
  assert.equal(vms[3].memoryBytes, 4096 * MIB);
  assert.equal(vms[3].qmpSocket, "/a");
  assert.equal(vms[4].name, "fc1");
  assert.throws(
    () => resolveTarget("qemu:s", { proc: fake.proc }),
    /qemu:s cannot be read: its memory is encrypted/,
  );
});

Deno.test("targets: the only VM, names, similar names, pids", () => {
  using fake = new FakeProc();
  const maps = vma(0x7f0000200000, 128 * MIB);
  const resolve = (target?: string, environment?: string) => {
    const found = resolveTarget(target, { proc: fake.proc, environment });
    return found.kind === "vm" ? found.vm.pid : found.kind;
  };
  assert.throws(() => resolve(), /no VM runs on this host/);
  fake.add(10, {
    args: qemu(
      "-name guest=web1,debug-threads=on -uuid ABCDEF00-1111-2222-3333-44",
    ),
    maps,
  });
  assert.equal(resolve(), 10);
  fake.add(11, { args: qemu("-name web2"), maps });
  assert.throws(() => resolve(), /2 VMs run.*qemu:web1, qemu:web2/);
  assert.equal(resolve(undefined, "qemu:web2"), 11);
  assert.equal(resolve("qemu:web1", "qemu:web2"), 10);
  assert.equal(resolve("pid:11"), 11);
  assert.equal(resolve("qemu:abcdef00-1111-2222-3333-44"), 10);
  assert.throws(() => resolve("qemu:wbe1"), /did you mean qemu:web1/);
  assert.throws(() => resolve("qemu:db"), /there are qemu:web1, qemu:web2/);
  assert.throws(() => resolve("pid:99"), /no process 99/);
  fake.add(12, { args: ["bash"], exe: "/bin/bash" });
  assert.throws(() => resolve("pid:12"), /\(bash\) does not run a VM/);
  fake.add(13, { args: qemu("-name web2"), maps });
  assert.throws(() => resolve("qemu:web2"), /pid:11, pid:13/);
  assert.equal(resolve("core:/nowhere"), "core");
});

Deno.test("a process counts as alive while its start time is the same", () => {
  using fake = new FakeProc();
  const maps = vma(0x7f0000200000, 128 * MIB);
  fake.add(10, { args: qemu("-name a"), maps, start: 500 });
  const vm = fake.only();
  assert.equal(vm.startTime, 500);
  assert.equal(isAlive(vm, fake.proc), true);
  fake.remove(10);
  assert.equal(isAlive(vm, fake.proc), false);
  fake.add(10, { args: qemu("-name a"), maps, start: 501 });
  assert.equal(isAlive(vm, fake.proc), false);
  fake.remove(10);
  fake.add(10, { args: qemu("-name a"), maps, start: 500, state: "Z" });
  assert.equal(isAlive(vm, fake.proc), false);
});

Deno.test("bare files that are not memory are refused in one sentence", () => {
  using fake = new FakeProc();
  const file = (name: string, bytes: Uint8Array) => {
    writeFileSync(`${fake.folder}/${name}`, bytes);
    return `file:${fake.folder}/${name}`;
  };
  const resolve = (target: string) =>
    resolveTarget(target, { proc: fake.proc });
  assert.throws(() => resolve("file:/no/such"), /no such file: \/no\/such/);
  assert.throws(() => resolve(`file:${fake.folder}`), /a folder, not a/);
  assert.throws(() => resolve(file("empty", new Uint8Array(0))), /is empty/);
  assert.throws(() => resolve(file("odd", new Uint8Array(99))), /99 bytes/);
  const elf = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2);
  assert.throws(() => resolve(file("elf", elf)), /use core:/);
});

Deno.test("another user's process is reached through the path, or the message names the user", () => {
  class DeniedProc extends Proc {
    override maps(pid: number): Vma[] {
      throw new ProcPermissionError(`${this.root}/${pid}/maps`, undefined);
    }
  }
  using fake = new FakeProc();
  const file = `${fake.folder}/ram`;
  writeFileSync(file, "");
  truncateSync(file, 128 * MIB);
  fake.add(10, { args: qemu("-name a -m 128") });
  fake.add(11, {
    args: qemu(
      "-name b -M q35,memory-backend=m -object " +
        `memory-backend-file,id=m,size=128M,mem-path=${file},share=on`,
    ),
  });
  const [a, b] = listVms(new DeniedProc(fake.root));
  assert.match(a.whyNot ?? "", /no permission to read .*10\/maps; run as root/);
  assert.equal(b.plans[0].backings[0].open, file);
  assert.equal(b.plans[0].access, "map");
  truncateSync(file, 64 * MIB);
  assert.equal(listVms(new DeniedProc(fake.root))[1].attachable, false);
});
