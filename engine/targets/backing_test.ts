import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { backingAt, matchBackings, NotMappedError } from "./backing.ts";
import { listVms } from "./discover.ts";
import { parseMaps, Proc, type Vma } from "./proc.ts";
import { FakeProc, qemu, vma } from "./proc_fixture.ts";
import { resolveTarget } from "./resolve.ts";

const MIB = 2 ** 20;

Deno.test("xftrace waits for the memory of a QEMU that has just started", () => {
  using fake = new FakeProc();
  const args = qemu("-name new -m 512");
  const ram = vma(0x7f0000000000, 512 * MIB);
  fake.add(10, { args, start: 1000 });
  const uptime = (seconds: number) =>
    writeFileSync(`${fake.root}/uptime`, `${seconds} 1.00\n`);
  const threads = (count: number) =>
    writeFileSync(`${fake.root}/10/status`, `Threads:\t${count}\n`);
  threads(2);

  uptime(11);
  const vm = fake.only();
  assert.equal(vm.starting, true);
  assert.equal(vm.attachable, false);
  assert.match(vm.whyNot ?? "", /started only now.*was not found.*try again/);
  // Too old to count as starting; afterwards the number of threads decides, up
  // to a minute.
  uptime(40);
  assert.equal(fake.only().starting, true);
  threads(4);
  assert.equal(fake.only().starting, undefined);
  threads(2);
  uptime(100);
  assert.equal(fake.only().starting, undefined);

  uptime(11);
  let looks = 0;
  /** Maps the memory only at the fourth reading. */
  class Slow extends Proc {
    override maps(pid: number): Vma[] {
      looks += 1;
      return looks < 4 ? super.maps(pid) : parseMaps(ram);
    }
  }
  const resolved = resolveTarget("qemu:new", { proc: new Slow(fake.root) });
  assert.equal(resolved.kind, "vm");
  assert.equal(looks, 4);
  // A command that ends instead is not waited for.
  uptime(100);
  assert.throws(
    () => resolveTarget("qemu:new", { proc: fake.proc }),
    /qemu:new cannot be read: its memory backend pc\.ram/,
  );
});

Deno.test("for private memory plugged in later, every aligned mapping is a candidate", () => {
  using fake = new FakeProc();
  fake.add(10, {
    args: qemu("-M q35 -m 512M,slots=2,maxmem=4G"),
    maps: vma(0x7f0000200000, 512 * MIB) + // RAM
      vma(0x7f1000000000, 256 * MIB) +
      vma(0x7f2000001000, 256 * MIB) + // a heap
      vma(0x7f3000000000, 64 * MIB, "r--p"),
  });
  const [plan] = fake.only().plans;
  assert.deepEqual(plan.plugged, []);
  assert.deepEqual(
    plan.spare.map(({ size, mappings }) => [size, mappings[0].start]),
    [[256 * MIB, 0x7f1000000000]],
  );
});

Deno.test("a machine that -readconfig describes", () => {
  using fake = new FakeProc();
  const config = `${fake.folder}/vm.cfg`;
  writeFileSync(
    config,
    `# a comment
[machine]
  type = "pc"
  memory-backend = "ram"

[memory]
  size = "256M"

[object "ram"]
  qom-type = "memory-backend-ram"
  size = "256M"

[chardev "mon0"]
  backend = "socket"
  path = "/run/vm,1.qmp"

[mon "control"]
  chardev = "mon0"
  mode = "control"
`,
  );
  fake.add(10, {
    args: qemu(`-name one -readconfig ${config} -append -x`),
    maps: vma(0x7f0000200000, 256 * MIB),
  });
  symlinkSync("/", `${fake.root}/10/root`);
  const vm = fake.only();
  assert.equal(vm.whyNot, undefined);
  assert.equal(vm.machine, "pc");
  assert.equal(vm.memoryBytes, 256 * MIB);
  assert.equal(vm.qmpSocket, "/run/vm,1.qmp");
  rmSync(config);
  const lost = fake.only();
  assert.match(lost.whyNot ?? "", /vm\.cfg, which its -readconfig names/);
  assert.equal(lost.name, "one");
  assert.equal(lost.askable, true);
});

Deno.test("memory plugged in later is found, but not placed", () => {
  using fake = new FakeProc();
  fake.add(10, {
    args: qemu("-M q35 -m 512M,slots=2,maxmem=4G"),
    maps: vma(0x7f0000200000, 512 * MIB) + vma(
      0x7f1000000000,
      256 * MIB,
      "rw-s",
      "/memfd:memory-backend-memfd (deleted)",
      5,
    ),
    fds: { 12: "/memfd:memory-backend-memfd (deleted)" },
  });
  const [plan] = fake.only().plans;
  assert.deepEqual(plan.plugged, [1]);
  assert.equal(plan.backings[1].size, 256 * MIB);
  assert.equal(plan.layout.regions.length, 1);
});

Deno.test("memory plugged in later may be a file of any name", () => {
  using fake = new FakeProc();
  fake.add(10, {
    args: qemu("-M q35 -m 512M,slots=2,maxmem=4G"),
    maps: vma(0x7f0000200000, 512 * MIB) +
      vma(0x7f1000000000, 256 * MIB, "rw-s", "/run/dimm", 5) +
      vma(0x7f2000000000, 256 * MIB, "rw-p", "/run/private", 6) +
      vma(0x7f3000001000, 256 * MIB, "rw-s", "/run/shifted", 7),
    fds: { 12: "/run/dimm" },
  });
  const [plan] = fake.only().plans;
  assert.deepEqual(plan.plugged, []);
  assert.deepEqual(plan.spare.map(({ path }) => path), ["/run/dimm"]);
});

Deno.test("what -readconfig names is a regular file of a bounded size, or nothing", () => {
  using fake = new FakeProc();
  const at = (name: string) => `${fake.folder}/${name}`;
  spawnSync("mkfifo", [at("fifo")]);
  writeFileSync(at("large"), "");
  truncateSync(at("large"), 2 ** 40);
  symlinkSync("/dev/zero", at("zero"));
  const names = ["fifo", "large", "zero", ".", "no\nqemu:forged 1 root"];
  names.forEach((name, i) => {
    fake.add(10 + i, { args: qemu(`-name evil`).concat("-readconfig", name) });
    rmSync(`${fake.root}/${10 + i}/cwd`);
    symlinkSync(fake.folder, `${fake.root}/${10 + i}/cwd`);
  });
  const vms = listVms(fake.proc);
  assert.equal(vms.length, names.length);
  for (const { attachable, whyNot } of vms) {
    assert.ok(!attachable);
    assert.match(whyNot ?? "", /cannot be read as a regular file of at most/);
    assert.doesNotMatch(whyNot ?? "", /\n/);
  }
});

Deno.test("mappings that nearly fit in many ways end the search soon", () => {
  using fake = new FakeProc();
  const count = 24;
  const objects = Array.from({ length: count }, (_, i) => [
    `-object memory-backend-ram,id=m${i},size=1M`,
    `-numa node,memdev=m${i}`,
  ]).flat();
  const GAP = 4 * MIB;
  fake.add(10, {
    args: qemu(`-M q35 -m ${count} ${objects.join(" ")}`),
    // One mapping too few, and then thousands of small ones in a row.
    maps: Array.from(
      { length: count - 1 },
      (_, i) => vma(0x7f0000000000 + i * GAP, MIB),
    ).concat(Array.from(
      { length: 20_000 },
      (_, i) => vma(0x7e0000000000 + i * 8192, 8192),
    )).join(""),
  });
  assert.ok(!fake.only().attachable);
});

Deno.test("a backend of no size, and mappings that end before they begin", () => {
  const line = (start: string, end: string) =>
    `${start}-${end} rw-p 00000000 00:00 0\n`;
  const vmas = parseMaps(
    line("7f0000200000", "7f0000100000") + line("7f0000200000", "7f0000300000"),
  );
  assert.deepEqual(vmas.map(({ start }) => start), [0x7f0000200000]);
  for (const kind of ["ram", "memfd"]) {
    const backend = {
      id: "none",
      kind,
      size: 0,
      share: false,
      offset: 0,
      hugetlb: false,
    };
    assert.throws(
      () => matchBackings([backend], { vmas, fds: [] }),
      NotMappedError,
    );
  }
});

Deno.test("sums above 2^53 do not stand for mappings", () => {
  const vmas = parseMaps(vma(0x7f0000000000, MIB, "rw-s", "/dev/shm/x", 7));
  const huge = {
    kind: "file",
    path: "/dev/shm/x",
    share: true,
    hugetlb: false,
  };
  assert.throws(
    () =>
      matchBackings([{ ...huge, id: "x", size: 1, offset: 2 ** 60 }], {
        vmas,
        fds: [],
      }),
    NotMappedError,
  );
  for (const [at, size] of [[2 ** 62, 1], [0x7f0000000000, 0]] as const) {
    assert.throws(
      () => backingAt({ vmas: [], fds: [] }, "x", at, size),
      NotMappedError,
    );
  }
});
