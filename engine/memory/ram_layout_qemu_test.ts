import assert from "node:assert/strict";
import fc from "fast-check";
import { XftraceError } from "../base/errors.ts";
import { machines } from "../arch/x86_64/boards.ts";
import { parseKeyValues, parseSize } from "./ram_layout_options.ts";
import {
  parseQemuMachine,
  qemuLayout,
  unplacedBackings,
} from "./ram_layout_qemu.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

function parse(line: string) {
  return parseQemuMachine(
    line.split(" ").filter((word) => word !== ""),
    machines.defaults,
  );
}

Deno.test("sizes are read as QEMU reads them", () => {
  assert.equal(parseSize("512", MIB), 512 * MIB);
  assert.equal(parseSize("4G", MIB), 4 * GIB);
  assert.equal(parseSize("1.5g", 1), 1536 * MIB);
  assert.equal(parseSize("0x10000000", 1), 256 * MIB);
  assert.equal(parseSize("2097152k", MIB), 2 * GIB);
  assert.equal(parseSize("lots", 1), undefined);
  assert.equal(parseSize(undefined, 1), undefined);
});

Deno.test("options: doubled commas, flags and JSON", () => {
  assert.deepEqual(
    [...parseKeyValues("q35,accel=kvm,nosmm,usb,path=/a,,b", "type")],
    [
      ["type", "q35"],
      ["accel", "kvm"],
      ["smm", "off"],
      ["usb", "on"],
      ["path", "/a,b"],
    ],
  );
  assert.deepEqual(
    [...parseKeyValues('{"a":1,"b":true,"c":{"d":"x"}}', "type")],
    [["a", "1"], ["b", "on"], ["c.d", "x"]],
  );
  assert.deepEqual([...parseKeyValues("{broken", "type")], []);
});

Deno.test("a plain command line takes the defaults of QEMU", () => {
  const machine = parse("-kernel bzImage -nographic -append -x=1");
  assert.equal(machine.type, "pc");
  assert.equal(machine.ramSize, 128 * MIB);
  assert.equal(machine.accel, "tcg");
  assert.deepEqual(machine.backends.map((b) => [b.id, b.kind, b.share]), [
    ["pc.ram", "ram", false],
  ]);
  assert.equal(qemuLayout(machine, machines.boards).regions.length, 1);
});

Deno.test("the port of the guest's agent", () => {
  const port = (line: string) => parse(line).agent;
  const device =
    "-device virtserialport,chardev=ga,name=org.qemu.guest_agent.0";
  assert.deepEqual(
    port(
      `-chardev socket,id=m,path=/m -chardev socket,path=/run/qga,server=on,wait=off,id=ga -device virtio-serial ${device}`,
    ),
    { kind: "socket", socket: "/run/qga" },
  );
  // With libvirt, which opens the socket itself.
  assert.deepEqual(
    port(
      `-chardev socket,id=charchannel0,fd=31,server=on,wait=off -device {"driver":"virtserialport","bus":"virtio-serial0.0","nr":1,"chardev":"charchannel0","id":"channel0","name":"org.qemu.guest_agent.0"}`,
    ),
    { kind: "socket", socket: undefined },
  );
  assert.deepEqual(port(`-chardev pty,id=ga ${device}`), {
    kind: "pty",
    socket: undefined,
  });
  assert.equal(
    port(
      `-chardev socket,id=ga,path=/x -device virtserialport,chardev=ga,name=other`,
    ),
    undefined,
  );
});

Deno.test("libvirt's command line", () => {
  const machine = parseQemuMachine([
    "-name",
    "guest=web1,debug-threads=on",
    "-S",
    "-object",
    '{"qom-type":"secret","id":"masterKey0","format":"raw","file":"/var/k"}',
    "-machine",
    "pc-q35-7.2,usb=off,smm=on,dump-guest-core=off,memory-backend=pc.ram",
    "-accel",
    "kvm",
    "-cpu",
    "host,migratable=on",
    "-m",
    "size=4194304k",
    "-object",
    '{"qom-type":"memory-backend-memfd","id":"pc.ram","share":true,' +
    '"x-use-canonical-path-for-ramblock-id":false,"size":4294967296}',
    "-overcommit",
    "mem-lock=off",
    "-uuid",
    "d2b1f7d1-7a1f-4a3d-9a52-6d9d4b6f5f11",
    "-chardev",
    "socket,id=charmonitor,fd=33,server=on,wait=off",
    "-mon",
    "chardev=charmonitor,id=monitor,mode=control",
  ], machines.defaults);
  assert.equal(machine.name, "web1");
  assert.equal(machine.libvirt, true);
  assert.equal(machine.accel, "kvm");
  assert.equal(machine.uuid, "d2b1f7d1-7a1f-4a3d-9a52-6d9d4b6f5f11");
  assert.equal(machine.qmpSocket, undefined);
  assert.deepEqual(machine.ram, [0]);
  assert.equal(machine.backends[0].share, true);
  assert.deepEqual(
    qemuLayout(machine, machines.boards).regions.map((
      r,
    ) => [r.start, r.end, r.offset]),
    [[0, 2 * GIB, 0], [4 * GIB, 6 * GIB, 2 * GIB]],
  );
});

Deno.test("NUMA nodes in the order of their numbers, DIMMs, and a QMP socket", () => {
  const machine = parse(
    "-M q35,max-ram-below-4g=1G -m 3G,slots=4,maxmem=8G " +
      "-object memory-backend-file,id=b,size=1G,mem-path=/dev/shm/b,share=on " +
      "-object memory-backend-memfd,id=a,size=2G,hugetlb=on,hugetlbsize=2M " +
      "-object memory-backend-ram,id=d,size=1G " +
      "-numa node,nodeid=1,memdev=b -numa node,nodeid=0,memdev=a " +
      "-numa dist,src=0,dst=1,val=20 " +
      "-device pc-dimm,id=dimm0,memdev=d,addr=0x200000000 " +
      "-chardev socket,id=mon,path=/run/q.sock,server=on " +
      "-mon chardev=mon,mode=control",
  );
  assert.deepEqual(machine.ram, [1, 0]);
  assert.equal(machine.maxRamSize, 8 * GIB);
  assert.equal(machine.qmpSocket, "/run/q.sock");
  assert.equal(machine.backends[1].share, true);
  assert.equal(machine.backends[1].hugePageSize, 2 * MIB);
  assert.deepEqual(
    qemuLayout(machine, machines.boards).regions.map((
      r,
    ) => [r.start, r.backing, r.offset]),
    [[0, 1, 0], [4 * GIB, 1, GIB], [5 * GIB, 0, 0], [8 * GIB, 2, 0]],
  );
});

Deno.test("the backend gives the size when -m is missing", () => {
  const machine = parse(
    "-machine q35 -machine memory-backend=m -qmp unix:/tmp/s,server=on " +
      "-object memory-backend-file,id=m,size=256M,mem-path=/x,offset=4096",
  );
  assert.equal(machine.ramSize, 256 * MIB);
  assert.equal(machine.type, "q35");
  assert.equal(machine.qmpSocket, "/tmp/s");
  assert.equal(qemuLayout(machine, machines.boards).regions[0].offset, 4096);
});

Deno.test("a description that is not understood is an error, not a guess", () => {
  assert.throws(
    () => qemuLayout(parse("-M virt -m 1G"), machines.boards),
    /machine type virt is not known/,
  );
  assert.throws(() => parse("-M q35,memory-backend=x"), /backend x/);
  assert.throws(() => parse("-m lots"), /RAM size/);
  const sev = parse("-M q35,memory-encryption=s -object sev-guest,id=s");
  assert.equal(sev.confidential, "sev-guest");
  const nvdimm = qemuLayout(
    parse(
      "-M q35,nvdimm=on -m 1G,slots=1,maxmem=4G " +
        "-object memory-backend-file,id=n,size=1G,mem-path=/n " +
        "-device nvdimm,memdev=n",
    ),
    machines.boards,
  );
  assert.equal(nvdimm.regions.length, 1);
});

Deno.test("a virtio-mem device without an address is left to the resource tree", () => {
  const device = "-M q35 -m 1G,maxmem=4G " +
    "-object memory-backend-memfd,id=v,size=1G -device virtio-mem-pci,memdev=v";
  const machine = parse(device);
  assert.deepEqual(unplacedBackings(machine), [0]);
  assert.equal(qemuLayout(machine, machines.boards).regions.length, 1);
  const placed = parse(`${device},memaddr=0x140000000`);
  assert.deepEqual(unplacedBackings(placed), []);
  assert.deepEqual(
    qemuLayout(placed, machines.boards).regions.map(({ start }) => start),
    [0, 0x140000000],
  );
});

Deno.test("no command line causes worse than a clear error", () => {
  const word = fc.oneof(
    fc.constantFrom(
      "-m",
      "-M",
      "-object",
      "-numa",
      "-device",
      "-machine",
      "node,memdev=a",
      "memory-backend-ram,id=a,size=1G",
      "pc-dimm,memdev=a",
      "q35,memory-backend=a",
      "1G,maxmem=2G",
      "{}",
      '{"qom-type":null}',
    ),
    fc.string(),
  );
  fc.assert(fc.property(fc.array(word), (args) => {
    try {
      qemuLayout(parseQemuMachine(args, machines.defaults), machines.boards);
    } catch (error) {
      assert.ok(error instanceof XftraceError, String(error));
    }
  }));
});

Deno.test("all QMP sockets with a path, wherever they stand", () => {
  const { qmpSocket, monitors } = parse(
    [
      "-M q35 -m 64M -mon chardev=late,mode=control",
      "-qmp unix:path=/run/a,,b.sock,server=on -qmp tcp:localhost:4444,server",
      "-qmp unix:/run/hidden,abstract=on -qmp-pretty unix:/run/c.sock,server",
      "-chardev socket,id=late,path=/run/late.sock,server=on",
      "-chardev socket,id=passed,fd=25 -mon chardev=passed,mode=control",
      "-chardev socket,id=hmp,path=/run/hmp.sock -mon chardev=hmp",
    ].join(" "),
  );
  assert.deepEqual(monitors, [
    "/run/a,b.sock",
    "/run/c.sock",
    "/run/late.sock",
  ]);
  assert.equal(qmpSocket, "/run/a,b.sock");
});

Deno.test("words of a command line are cut in messages", () => {
  const long = "x".repeat(100_000);
  for (
    const args of [
      ["-m", long],
      ["-machine", `q35,memory-backend=${long}`],
      ["-machine", long],
    ]
  ) {
    assert.throws(
      () =>
        qemuLayout(parseQemuMachine(args, machines.defaults), machines.boards),
      (error) => error instanceof Error && error.message.length < 400,
    );
  }
});
