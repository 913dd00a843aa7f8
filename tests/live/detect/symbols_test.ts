/**
 * Symbols of running guests: they are those of the vmlinuz that was booted, and
 * whoever renames one, or states another BUILD-ID, is found.
 */
import assert from "node:assert/strict";
import { TemporaryFolder } from "../../../engine/base/temporary_folder_fixture.ts";
import { textRecords } from "../../../engine/detect/text/text_record.ts";
import { parseVmcoreinfo } from "../../../engine/kernel/locate/vmcoreinfo.ts";
import { expandKallsyms } from "../../../engine/kernel/symbols/kallsyms.ts";
import { nameAt } from "../../../engine/kernel/symbols/symbol_blob.ts";
import type { Session } from "../../../engine/session.ts";
import { readKernelFile } from "../../../scripts/cli/kernel_file.ts";
import { attachTo, bootGuest, KERNELS } from "../support_fixture.ts";
import {
  assertClean,
  check,
  findingsOf,
  vmlinuzOf,
} from "./support_fixture.ts";

/** Changes a byte in the guest's memory; returns what undoes it. */
function poke({ memory }: Session, gpa: number, value: number): () => void {
  const was = new Uint8Array(1);
  memory.read(gpa, was);
  memory.write(gpa, Uint8Array.of(value));
  return () => memory.write(gpa, was);
}

/** GVA of the last code of a symbol's compressed name. */
function lastCodeOf({ kernel }: Session, name: string): bigint {
  const tables = kernel.origin?.tables();
  assert.ok(tables);
  const { blob } = expandKallsyms(tables, kernel.arch.image.range);
  const note = parseVmcoreinfo(kernel.facts.vmcoreinfo ?? "");
  const at = note?.symbol("kallsyms_names") ?? 0n;
  let from = 0;
  for (let i = 0; i < blob.count; i++) {
    const last = from + tables.names[from];
    if (nameAt(blob, i) === name) return at + BigInt(last);
    from = last + 1;
  }
  return assert.fail(`no symbol ${name}`);
}

for (const series of KERNELS) {
  Deno.test(`symbols of a ${series} guest`, async (t) => {
    await using guest = await bootGuest(series);
    using session = attachTo(guest, true);
    const { kernel } = session;
    const vmlinux = readKernelFile(await vmlinuzOf(series));
    using temporary = new TemporaryFolder();
    const folder = temporary.path;
    const options = { textRecords: textRecords(folder, session.key ?? "") };
    const gpaOf = (gva: bigint) => kernel.space.translate(gva).gpa;

    await t.step(
      "they are the image's, and agree with each other",
      async () => {
        const run = await check(kernel, ["XF028"], { vmlinux });
        assertClean(run);
        console.log(`  XF028 took ${run.ms.toFixed(0)} ms`);
        assertClean(await check(kernel, ["XF020", "XF028"], options));
        assertClean(await check(kernel, ["XF020", "XF028"], options));
        assert.equal(kernel.origin?.changed(), undefined);
      },
    );

    await t.step("a renamed symbol is found, and blinds no check", async () => {
      const undo = poke(session, gpaOf(lastCodeOf(session, "vfs_write")), 0x5a);
      try {
        using opened = attachTo(guest);
        const judged = await check(opened.kernel, ["XF028"], { vmlinux });
        assert.match(
          findingsOf(judged)[0].expected ?? "",
          /^vfs_write \(T\) at/,
        );
        const recorded = await check(opened.kernel, ["XF028"], options);
        assert.match(findingsOf(recorded)[0].where, /^symbols$/);
        const alone = await check(opened.kernel, ["XF028"]);
        assert.match(alone.outcomes[0].unjudged[0].why, /BTF has a function/);
        assert.match(kernel.origin?.changed() ?? "", /symbols are others/);
      } finally {
        undo();
      }
      assertClean(await check(kernel, ["XF028"], { vmlinux, ...options }));
    });

    await t.step(
      "another BUILD-ID is compared with the old record",
      async () => {
        const [note, ...more] = kernel.origin?.candidates ?? [];
        assert.deepEqual(more, []);
        const at = kernel.facts.vmcoreinfo?.indexOf("BUILD-ID=") ?? -1;
        assert.ok(at > 0 && note.gpa >= 0);
        const digit = kernel.facts.buildId?.[0] === "0" ? "1" : "0";
        const undo = poke(session, note.gpa + at + 9, digit.charCodeAt(0));
        try {
          using opened = attachTo(guest);
          assert.notEqual(opened.kernel.facts.buildId, kernel.facts.buildId);
          const run = await check(opened.kernel, ["XF020"], options);
          assert.match(
            findingsOf(run)[0].summary,
            /^the guest says that its kernel is .*, but its text is that of/,
          );
        } finally {
          undo();
        }
      },
    );

    await t.step("a forged note at a lower address does not win", () => {
      const text = kernel.facts.vmcoreinfo ?? "";
      const [{ gpa }] = kernel.origin?.candidates ?? [];
      // A page that nobody uses while the guest is idle: low memory.
      const page = 0x3000;
      assert.ok(page < gpa);
      const was = new Uint8Array(4096);
      session.memory.read(page, was);
      const forged = new Uint8Array(4096);
      const release = text.replace("OSRELEASE=", "OSRELEASE=9");
      forged.set(new TextEncoder().encode(release));
      session.memory.write(page, forged);
      try {
        using opened = attachTo(guest);
        const { candidates = [] } = opened.kernel.origin ?? {};
        assert.deepEqual(
          candidates.map(({ gpa, taken }) => [gpa, taken]),
          [[page, false], [gpa, true]],
        );
        // One that agrees with the kernel, which has its note elsewhere.
        const other = new Uint8Array(4096);
        const buildId = text.replace("BUILD-ID=", "BUILD-ID=f");
        other.set(new TextEncoder().encode(buildId));
        session.memory.write(page, other);
        using again = attachTo(guest);
        const [first, second] = again.kernel.origin?.candidates ?? [];
        assert.match(first.why, /is not the kernel's own/);
        assert.equal(second.gpa, gpa);
      } finally {
        session.memory.write(page, was);
      }
    });
  });
}
