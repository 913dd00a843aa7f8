import assert from "node:assert/strict";
import { checked } from "../../../detect/core/check_fixture.ts";
import { RootsGuest } from "../../../detect/core/cpu_roots_fixture.ts";
import { FIXTURE_TEXT } from "../../../kernel/symbols/symbols_fixture.ts";
import { cpuRegisters } from "./xf026_registers.ts";

/** A guest with one CPU's area, at 0, that holds `gdt_page` and breakpoints. */
function guestWithCpu() {
  const roots = new RootsGuest();
  const { guest } = roots;
  const page = guest.image(4);
  const area = guest.image(5);
  guest.symbol("__per_cpu_offset", page);
  guest.symbol("cr4_pinned_bits", page + 0x100n);
  guest.symbol("gdt_page", area);
  guest.symbol("bp_per_reg", area + 0x400n);
  // A second area, one page on, is the one in use.
  const own = guest.image(6);
  guest.setU64(page, own - area);
  for (const at of [page, area, own]) {
    roots.tables.map(at, BigInt(guest.gpa(at)), 4096);
  }
  return { roots, guest, own, pinned: page + 0x100n };
}

/** What the check finds on vCPUs with these registers. */
function found(
  { roots, own }: ReturnType<typeof guestWithCpu>,
  ...cpus: readonly Record<string, bigint>[]
) {
  const reading = roots.reading(
    ...cpus.map((values, cpu) =>
      roots.cpu({ "gdtr.base": own, cpl: 0n, hlt: 1n, ...values }, cpu)
    ),
  );
  const said = checked(cpuRegisters, roots.guest.kernel, { reading });
  return {
    where: said.findings.map(({ where }) => where),
    unjudged: said.unjudged.map(({ what }) => what),
    known: said.known,
    notRun: said.notRun,
  };
}

Deno.test("registers as the kernel sets them; what is not told is said", () => {
  const guest = guestWithCpu();
  const clean = found(guest, { dr7: 0x400n, "gs.base": 0n });
  assert.deepEqual([clean.where, clean.unjudged], [[], []]);
  assert.deepEqual(clean.known, [
    "not judged, since they are not told by a monitor: LSTAR",
  ]);
  const notes = guest.roots.cpu();
  const { efer: _, ...values } = notes.values;
  const reading = guest.roots.reading({ ...notes, values });
  const said = checked(cpuRegisters, guest.guest.kernel, { reading });
  assert.match(said.known.join(), /not told by a monitor: EFER, DR7, LSTAR$/);
});

Deno.test("without registers it is not run, and says why", () => {
  const { guest } = guestWithCpu();
  const { notRun } = checked(cpuRegisters, guest.kernel, {
    reading: { why: "the monitor is busy" },
  });
  assert.equal(notRun, "the monitor is busy");
});

Deno.test("write protection, NX and system calls are off on one vCPU", () => {
  const guest = guestWithCpu();
  assert.deepEqual(
    found(guest, {}, { cr0: 0x80040033n }).where,
    ["vCPU 1: CR0.WP"],
  );
  assert.deepEqual(
    found(guest, { efer: 0x500n }).where,
    ["vCPU 0: EFER.NXE", "vCPU 0: EFER.SCE"],
  );
});

Deno.test("a bit of CR4 that others have, or that the kernel has pinned", () => {
  const guest = guestWithCpu();
  assert.deepEqual(
    found(guest, {}, { cr4: 0x200000n }).where,
    ["vCPU 1: CR4.SMEP"],
  );
  // Neither of these processors has SMEP or SMAP.
  assert.deepEqual(found(guest, { cr4: 0n }, { cr4: 0n }).where, []);
  guest.guest.setU64(guest.pinned, 0x300000n);
  assert.deepEqual(
    found(guest, { cr4: 0n }).where,
    ["vCPU 0: CR4.SMEP", "vCPU 0: CR4.SMAP"],
  );
});

Deno.test("another GDT, and an IDT with another limit", () => {
  const guest = guestWithCpu();
  const other = guest.guest.allocate(4096, 4096);
  assert.deepEqual(
    found(guest, { "gdtr.base": other }).where,
    ["vCPU 0: GDTR"],
  );
  assert.deepEqual(
    found(guest, { "idtr.limit": 0xfen }).where,
    ["vCPU 0: IDTR limit"],
  );
  // What a processor sets when it leaves a guest of its own.
  assert.deepEqual(found(guest, { "idtr.limit": 0xffffn }).where, []);
});

Deno.test("breakpoints in the kernel are found, and programs' own are not", () => {
  const guest = guestWithCpu();
  const kernel = FIXTURE_TEXT + 0x100n;
  const set = (values: Record<string, bigint>) => found(guest, values).where;
  assert.deepEqual(set({ dr1: kernel, dr7: 0x404n }), ["vCPU 0: DR1"]);
  assert.deepEqual(set({ dr1: kernel, dr7: 0x408n }), ["vCPU 0: DR1"]);
  // Not enabled, or in a program.
  assert.deepEqual(set({ dr1: kernel, dr7: 0x400n }), []);
  assert.deepEqual(set({ dr1: 0x401000n, dr7: 0x404n }), []);
  assert.deepEqual(set({ dr7: 0x2400n }), ["vCPU 0: DR7.GD"]);
});

Deno.test("entries of system calls are judged where they are told", () => {
  const guest = guestWithCpu();
  guest.guest.symbol("entry_SYSCALL_64", FIXTURE_TEXT + 0x200n);
  assert.deepEqual(found(guest, { lstar: FIXTURE_TEXT + 0x200n }).where, []);
  assert.deepEqual(
    found(guest, { lstar: FIXTURE_TEXT + 0x300n }).where,
    ["vCPU 0: LSTAR"],
  );
});

Deno.test("kernel mode with a GS that is no CPU's", () => {
  const guest = guestWithCpu();
  const rip = FIXTURE_TEXT + 0x100n;
  const own = guest.guest.kernel.perCpuOffsets[0];
  assert.deepEqual(found(guest, { rip, "gs.base": own }).where, []);
  assert.deepEqual(found(guest, { rip, "gs.base": 5n }).where, ["vCPU 0: GS"]);
  // While it runs, its registers may be told of two instants.
  const running = found(guest, { rip, "gs.base": 5n, hlt: 0n });
  assert.deepEqual([running.where, running.unjudged], [[], ["vCPU 0: GS"]]);
});
