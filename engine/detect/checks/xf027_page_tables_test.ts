import assert from "node:assert/strict";
import { DIRECT_MAP } from "../../kernel/core/kernel_fixture.ts";
import { FIXTURE_TEXT } from "../../kernel/symbols/symbols_fixture.ts";
import { checked } from "../core/check_fixture.ts";
import { rootVerdict } from "../core/cpu_roots.ts";
import { RootsGuest } from "../core/cpu_roots_fixture.ts";
import type { RegisterReading } from "../../arch/registers.ts";
import { pageTables } from "./xf027_page_tables.ts";

/** What the check says, and the verdict on the root. */
function told({ guest: { kernel } }: RootsGuest, reading?: RegisterReading) {
  const { findings, unjudged, judged } = checked(
    pageTables,
    kernel,
    reading === undefined ? {} : { reading },
  );
  const root = rootVerdict(kernel, reading);
  return {
    findings: findings.map(({ summary }) => summary),
    unjudged: unjudged.map(({ what, why }) => `${what}: ${why}`),
    judged,
    root,
  };
}

Deno.test("page tables that show one kernel, and processors that use them", () => {
  const roots = new RootsGuest();
  const cpus = [
    roots.cpu(),
    roots.cpu({ cr3: 0x1000n }, 1),
    roots.cpu({ cr0: 0x10n, hlt: 1n }, 2),
  ];
  const { findings, unjudged, judged, root } = told(
    roots,
    roots.reading(...cpus),
  );
  assert.deepEqual([findings, unjudged], [[], []]);
  assert.equal(judged, 8);
  assert.deepEqual(root, {
    verified: true,
    cpus: 2,
    from: "a monitor",
    why: undefined,
  });
});

Deno.test("without registers nothing verifies the root, and why is said", () => {
  const roots = new RootsGuest();
  assert.deepEqual(told(roots).findings, []);
  assert.equal(told(roots).root.verified, false);
  const silent = told(roots, { why: "the monitor is busy" });
  assert.deepEqual(silent.findings, []);
  assert.deepEqual(silent.root, {
    verified: false,
    cpus: 0,
    from: undefined,
    why: "the monitor is busy",
  });
  const off = told(roots, roots.reading(roots.cpu({ cr0: 1n, hlt: 1n })));
  assert.match(`${off.root.why}`, /no vCPU is switched on/);
});

Deno.test("a process whose tables show another text is found without registers", () => {
  const roots = new RootsGuest();
  roots.redirect();
  const { findings } = told(roots);
  assert.equal(findings.length, 1);
  assert.match(
    findings[0],
    /^process 17: the page tables at 0x80000 map 0xffffffff81000000 \(_s?text\) to 0x90000, and those that the kernel is read through to 0x1000000$/,
  );
});

Deno.test("a listed process whose tables are none, or map no kernel, is unjudged", () => {
  for (const pgd of [0n, 0x1234n, DIRECT_MAP + 0x90000n, 1n << 63n]) {
    const roots = new RootsGuest();
    const { guest } = roots;
    const words = [guest.u64(roots.task + 24n) + 8n];
    // Its mm leads nowhere.
    if (pgd === 0x1234n) words.push(roots.task + 24n);
    words.forEach((word) => guest.setU64(word, pgd));
    const { findings, unjudged } = told(roots);
    assert.deepEqual([findings, unjudged], [[], [
      "page tables of process 17: they cannot be read, or do not map the kernel",
    ]]);
  }
});

Deno.test("what says where page tables are cannot be missing", () => {
  for (
    const name of [
      "init_top_pgt",
      "init_mm",
      "phys_base",
      "mm_struct.pgd",
      "task_struct.pid",
      "task_struct.active_mm",
    ]
  ) {
    const roots = new RootsGuest(false, name);
    roots.redirect();
    const { findings, unjudged } = told(roots);
    assert.match(
      unjudged.join("\n"),
      new RegExp(name.split(".").at(-1) ?? name),
    );
    // What does not need it is judged all the same.
    assert.equal(findings.length > 0, !name.includes("."), name);
  }
});

Deno.test("a processor on tables that no process has, and that show another text", () => {
  const roots = new RootsGuest();
  const { guest } = roots;
  roots.redirect();
  // The process itself has the kernel's own tables.
  guest.setU64(guest.u64(roots.task + 24n) + 8n, DIRECT_MAP + 0x1000n);
  // Another vCPU agrees: it may be a process that has ended meanwhile.
  const fine = roots.cpu({ cr3: 0x1000n }, 1);
  const passing = told(roots, roots.reading(roots.cpu(), fine));
  assert.deepEqual(passing.findings, []);
  assert.match(passing.unjudged.join(), /^vCPU 0: the page tables at 0x80000/);
  assert.equal(passing.root.verified, false);
  const all = told(roots, roots.reading(roots.cpu()));
  assert.match(
    all.findings.join(),
    /^vCPU 0 does not run the kernel that is read/,
  );
});

Deno.test("another interrupt table, and page tables of another depth", () => {
  const roots = new RootsGuest();
  const other = roots.guest.image(2);
  roots.tables.map(other, BigInt(roots.guest.gpa(other)), 4096);
  for (
    const [values, why] of [
      [{ "idtr.base": other }, /its IDTR is 0x[0-9a-f]+, which is not idt_t/],
      [{ "idtr.base": 0n }, /its IDTR is 0x0, which is not idt_table/],
      [{ cr4: 0x1000n }, /page tables of 5 levels, and .* has 4/],
    ] as const
  ) {
    const { findings, root } = told(roots, roots.reading(roots.cpu(values)));
    assert.equal(findings.length, 1);
    assert.match(findings[0], why);
    assert.equal(root.verified, false);
    assert.match(`${root.why}`, why);
  }
});

Deno.test("an image that does not lie in one piece, where phys_base says", () => {
  const roots = new RootsGuest();
  roots.guest.alias(FIXTURE_TEXT, DIRECT_MAP + 0x90000n);
  const { findings } = told(roots);
  assert.match(
    findings.join("\n"),
    /^the page of _s?text lies at 0x90000 in physical memory, apart from/,
  );
});

Deno.test("the copy of page tables for user programs: with its full set beside it", () => {
  const roots = new RootsGuest();
  const { guest } = roots;
  const { bytes } = guest;
  // At 0x81000 lies a table of the process; the pair begins at 0xa0000.
  bytes.copyWithin(0xa0000, roots.process, roots.process + 4096);
  const slot = 8 * 511;
  // The copy maps nothing of the kernel but its text.
  bytes.copyWithin(0xa1000 + slot, 0xa0000 + slot, 0xa0000 + slot + 8);
  const user = roots.cpu({ cr3: 0xa1000n });
  assert.deepEqual(told(roots, roots.reading(user)).root.verified, true);
  // And nothing at all.
  bytes.fill(0, 0xa1000, 0xa2000);
  assert.deepEqual(told(roots, roots.reading(user)).root.verified, true);
  bytes.fill(0, 0xa0000, 0xa1000);
  assert.deepEqual(told(roots, roots.reading(user)).root.verified, false);
});

Deno.test("init_mm with tables of its own, and a phys_base that is another", () => {
  const roots = new RootsGuest();
  const { base, guest } = roots;
  assert.deepEqual(told(roots).findings, []);
  guest.setU64(base, 0x200000);
  assert.match(
    told(roots).findings.join(),
    /^phys_base is 0x200000, and the kernel was found by 0x0$/,
  );
  guest.setU64(base, 0);
  roots.redirect();
  const init = guest.kernel.symbols.address("init_mm");
  guest.setU64(init + 8n, DIRECT_MAP + BigInt(roots.process));
  assert.match(
    told(roots).findings.join("\n"),
    /^init_mm: the page tables at 0x80000 map/m,
  );
});

Deno.test("a processor in a call of its firmware is read again", () => {
  const roots = new RootsGuest();
  const { guest } = roots;
  const page = guest.image(3);
  guest.symbol("efi_mm", page);
  roots.tables.map(page, BigInt(guest.gpa(page)), 4096);
  roots.tables.map(0xffffffef00000000n, 0x90000n, 4096);
  // The firmware's tables are no process's.
  guest.setU64(guest.u64(roots.task + 24n) + 8n, DIRECT_MAP + 0x1000n);
  const reading = roots.reading(roots.cpu());
  assert.equal(told(roots, reading).findings.length, 1);
  guest.setU64(page + 8n, DIRECT_MAP + BigInt(roots.process));
  const { findings, unjudged } = told(roots, reading);
  assert.deepEqual(findings, []);
  assert.deepEqual(unjudged, ["vCPU 0: it is in a call of its firmware"]);
});
