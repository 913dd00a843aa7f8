import assert from "node:assert/strict";
import { LayoutError } from "../memory/ram_layout.ts";
import { parseMaps } from "./proc.ts";
import { askedPlan, parseFlatView } from "./qmp_layout.ts";

const MIB = 2 ** 20;

/** Output of QEMU 7.2 for an i440fx with two DIMMs, shortened. */
const TREE = `FlatView #0
 AS "I/O", root: io
 Root memory region: io
  0000000000000000-0000000000000007 (prio 0, i/o): dma-chan

FlatView #1
 AS "cpu-memory-0", root: system
 AS "memory", root: system
 Root memory region: system
  0000000000000000-000000000009ffff (prio 0, ram): pc.ram
  00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem
  00000000000c0000-00000000000cafff (prio 0, rom): pc.ram @00000000000c0000
  00000000000cb000-00000000000cdfff (prio 0, ram): pc.ram @00000000000cb000
  00000000000e0000-00000000000effff (prio 1, rom): isa-bios
  0000000000100000-000000001fffffff (prio 0, ram): pc.ram @0000000000100000
  00000000fd000000-00000000fdffffff (prio 1, ram): vga.vram
  00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi
  0000000100000000-000000010fffffff (prio 0, ram): late0
  0000000110000000-000000011fffffff (prio 0, ram): late1
  0000000200000000-000000020fffffff (prio 0, nv-ram): pmem
`;

Deno.test("QEMU's flat view: the RAM blocks, complete below 1 MiB", () => {
  const blocks = new Set(["pc.ram", "late0", "late1"]);
  assert.deepEqual(parseFlatView(TREE, blocks), [
    { start: 0, end: 512 * MIB, block: "pc.ram", offset: 0 },
    { start: 2 ** 32, end: 2 ** 32 + 256 * MIB, block: "late0", offset: 0 },
    {
      start: 2 ** 32 + 256 * MIB,
      end: 2 ** 32 + 512 * MIB,
      block: "late1",
      offset: 0,
    },
  ]);
  assert.deepEqual(parseFlatView("FlatView #0\nnothing\n", blocks), []);
});

/**
 * HVAs: the later DIMM is at the lower address, since mmap allocates downwards.
 */
const HVA: Record<string, string> = {
  "0x0": "7f0040000000",
  "0x100000000": "7f0020000000",
  "0x110000000": "7f0000000000",
};

function monitor(
  command: string,
  args: Readonly<Record<string, string>> = {},
): unknown {
  const line = args["command-line"] ?? "";
  if (command === "query-memdev") {
    return [{ id: "pc.ram" }, { id: "late0" }, { id: "late1" }, { id: "pmem" }];
  }
  if (command === "query-memory-devices") {
    return [
      { type: "dimm", data: { memdev: "/objects/late0" } },
      { type: "nvdimm", data: { memdev: "/objects/pmem" } },
    ];
  }
  if (line === "info mtree -f") return TREE;
  const hva = HVA[line.replace("gpa2hva ", "")];
  return `Host virtual address for it (x) is 0x${hva}\r\n`;
}

/** Two anonymous DIMMs, and a shared file of 1 GiB of which half is RAM. */
const MAPS = `7f0000000000-7f0010000000 rw-p 00000000 00:00 0 
7f0020000000-7f0030000000 rw-p 00000000 00:00 0 
7f0040000000-7f0050000000 rw-s 20000000 00:1d 7                /dev/shm/ram
7f0050000000-7f0060000000 rw-s 30000000 00:1d 7                /dev/shm/ram
`;

Deno.test("a layout from QEMU's monitor and the process's mappings", () => {
  const memory = { vmas: parseMaps(MAPS), fds: [] };
  const plan = askedPlan(monitor, memory, "/proc/10/mem");
  assert.equal(plan.access, "process");
  assert.deepEqual(
    plan.backings.map(({ id, mappings }) => [id, mappings[0].start]),
    [["pc.ram", 0x7f0040000000], ["late0", 0x7f0020000000], [
      "late1",
      0x7f0000000000,
    ]],
  );
  // Offsets are relative to the file.
  assert.equal(plan.layout.regions[0].offset, 512 * MIB);
  assert.equal(plan.layout.regions[2].offset, 0);
  assert.equal(plan.backings[0].shared, true);
});

Deno.test("answers of QEMU's monitor must match the process", () => {
  const vmas = parseMaps(MAPS.split("\n").slice(1).join("\n"));
  assert.throws(
    () => askedPlan(monitor, { vmas, fds: [] }, ""),
    /backend late1.*was not found/,
  );
  const silent = (command: string, args?: Readonly<Record<string, string>>) =>
    args === undefined ? monitor(command) : "";
  assert.throws(
    () => askedPlan(silent, { vmas, fds: [] }, ""),
    LayoutError,
  );
});

Deno.test("any answers of a monitor give a layout or a LayoutError", () => {
  const vmas = parseMaps(MAPS);
  const answers: unknown[] = [null, 7, "x", [], [{}], { id: 1 }, [{ id: {} }]];
  for (const answer of answers) {
    assert.throws(
      () => askedPlan(() => answer, { vmas, fds: [] }, ""),
      LayoutError,
    );
  }
  const many = Array.from({ length: 2000 }, (_, i) => `block${i}`);
  const tree = 'FlatView #1\n AS "memory", root: system\n' +
    many.map((id, i) => {
      const hex = (at: number) => at.toString(16).padStart(16, "0");
      return `  ${hex(i * 4096)}-${
        hex(i * 4096 + 4095)
      } (prio 0, ram): ${id}\n`;
    }).join("");
  assert.throws(
    () =>
      askedPlan(
        (command) =>
          command === "query-memdev"
            ? many.map((id) => ({ id }))
            : command === "query-memory-devices"
            ? []
            : tree,
        { vmas, fds: [] },
        "",
      ),
    /more than 512 blocks of RAM/,
  );
});
