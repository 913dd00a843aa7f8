import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { patch, RECORDED, recordedGuest } from "./recorded_guest_fixture.ts";
import { BufferMemory } from "../../memory/buffer_memory_fixture.ts";
import { bytesSource } from "../../memory/elf_core_source.ts";
import { makeKdump, PAGE } from "../../memory/kdump/kdump_fixture.ts";
import { KdumpMemory } from "../../memory/kdump/kdump_memory.ts";
import { describeKernel } from "./describe.ts";
import { parseVmcoreinfo } from "./vmcoreinfo.ts";

/** Runs `body` with a temporary folder, which is removed afterwards. */
function inTemporary(body: (dir: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), "xftrace-cache-"));
  try {
    body(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

for (const kernel of RECORDED) {
  /** The guest, where some symbols lie elsewhere than in the real one. */
  const moved = (live: boolean) => {
    const guest = recordedGuest(kernel, { live });
    const at = guest.describe();
    const offsets = parseVmcoreinfo(guest.note)?.symbol("kallsyms_offsets");
    assert.ok(offsets !== undefined);
    // All symbols from the middle on.
    const length = 4 * 1000;
    const gva = offsets + BigInt(4 * (at.symbols.count >> 1));
    const words = new Int32Array(at.space.bytes(gva, length).slice().buffer);
    for (let i = 0; i < words.length; i++) words[i] = words[0];
    patch(at, gva, new Uint8Array(words.buffer));
    return guest;
  };

  Deno.test(`${kernel}: a stranger's recording does not reach the cache, nor a guest`, () => {
    inTemporary((dir) => {
      const cacheDir = join(dir, "symbols");
      const clean = recordedGuest(kernel, { live: true });
      const truth = clean.describe();
      const names = truth.symbols.glob("*").filter((_, i) => i % 100 === 0);
      const addresses = (of: typeof truth) =>
        names.map((name) => of.symbols.tryAddress(name));
      const right = addresses(truth);

      // The same BUILD-ID, other addresses.
      const stranger = moved(false);
      const forged = stranger.describe({ cacheDir });
      assert.equal(forged.facts.buildId, truth.facts.buildId);
      assert.notDeepEqual(addresses(forged), right);
      assert.throws(() => readdirSync(cacheDir), /ENOENT|No such file/);

      // Even what a running guest says serves only guests that say the same.
      const hostile = moved(true).describe({ cacheDir });
      assert.equal(hostile.facts.describedBy, "guest memory");
      const fresh = clean.describe({ cacheDir });
      assert.equal(fresh.facts.describedBy, "guest memory");
      assert.deepEqual(addresses(fresh), right);
      const cached = clean.describe({ cacheDir, onWarning: assert.fail });
      assert.equal(cached.facts.describedBy, "cache");
      assert.equal(cached.facts.kaslrOffset, truth.facts.kaslrOffset);
      assert.deepEqual(addresses(cached), right);
      assert.equal(readdirSync(cacheDir).length, 2);
      // Recordings do not read it either.
      const recording = recordedGuest(kernel).describe({ cacheDir });
      assert.equal(recording.facts.describedBy, "guest memory");
    });
  });
}

/** A running guest with these pages in addition to its own. */
class NotedMemory extends BufferMemory {
  /** GPA of a clock that advances; -1: none does. */
  clock = -1;
  #now = 0n;

  override read(gpa: number, into: Uint8Array): void {
    super.read(gpa, into);
    if (gpa !== this.clock) return;
    new DataView(into.buffer, into.byteOffset).setBigUint64(0, ++this.#now);
  }
}

for (const kernel of RECORDED) {
  /** The guest with these notes, each at a GPA of its own. */
  const noted = (notes: (own: string) => Readonly<Record<number, string>>) => {
    const guest = recordedGuest(kernel);
    const { space, symbols } = guest.describe();
    const pages = Object.entries(notes(guest.note)).map(([gpa, text]) => {
      const bytes = new Uint8Array(4096);
      bytes.set(new TextEncoder().encode(text));
      return { gpa: Number(gpa), bytes };
    });
    const own = guest.memory.ranges.map(({ start, end }) => {
      const bytes = new Uint8Array(end - start);
      guest.memory.read(start, bytes);
      return { gpa: start, bytes };
    });
    const jiffies = space.translate(symbols.address("jiffies_64")).gpa;
    const has = own.some(({ gpa, bytes }) =>
      jiffies >= gpa && jiffies < gpa + bytes.length
    );
    const page = jiffies - jiffies % 4096;
    if (!has) own.push({ gpa: page, bytes: new Uint8Array(4096) });
    const memory = new NotedMemory([...own, ...pages], {
      name: "guest",
      live: true,
    });
    memory.clock = jiffies;
    return memory;
  };
  const [LOW, MIDDLE, HIGH] = [0x7000_0000, 0x7000_1000, 0x7000_2000];

  Deno.test(`${kernel}: copies of the note are harmless, and forged ones do not win in silence`, () => {
    const copied = noted((own) => ({ [LOW]: own, [HIGH]: own }));
    const { origin, facts } = describeKernel(copied);
    assert.deepEqual(
      origin?.candidates.map(({ gpa, copies, taken }) => [gpa, copies, taken]),
      [[LOW, 2, true]],
    );

    const { buildId = "" } = facts;
    const forged = noted((own) => ({
      [LOW]: own.replace(buildId, buildId.replace(/^./, "0")),
      [HIGH]: own,
    }));
    assert.throws(
      () => describeKernel(forged),
      (error: Error) => {
        assert.match(error.message, /^guest holds 2 descriptions of a running/);
        assert.ok(error.message.includes(`BUILD-ID ${buildId}`));
        return true;
      },
    );
    const chosen = describeKernel(forged, {
      choose: (kernels) => kernels.find((one) => one.facts.buildId === buildId),
    });
    assert.equal(chosen.facts.buildId, buildId);
    assert.deepEqual(
      chosen.origin?.candidates.map(({ gpa, taken }) => [gpa, taken]),
      [[LOW, false], [HIGH, true]],
    );
  });

  Deno.test(`${kernel}: notes that contradict what they describe are refused, each with its reason`, () => {
    const memory = noted((own) => ({
      [LOW]: own.replace(/(OSRELEASE=)(.)/, "$19"),
      [MIDDLE]: own.replace(/(phys_base\)=-?)(.)/, "$11$2"),
      [HIGH]: own,
    }));
    const { origin } = describeKernel(memory);
    const said = origin?.candidates.map(({ gpa, why }) => `${gpa} ${why}`);
    assert.equal(said?.length, 3);
    [
      `${LOW} init_uts_ns does not hold its release 9`,
      `${MIDDLE} its page tables do not map the kernel to where it says`,
      `${HIGH} it agrees with itself`,
    ].forEach((start, i) => assert.ok(said[i].startsWith(start), said[i]));
    // Another kernel's note appears once this one stands still.
    assert.equal(origin?.changed(), undefined);
    const later = noted((own) => ({ [HIGH]: own, [LOW]: "" }));
    const opened = describeKernel(later);
    const other = opened.facts.vmcoreinfo?.replace("BUILD-ID=", "BUILD-ID=00");
    later.write(LOW, new TextEncoder().encode(other));
    assert.equal(opened.origin?.changed(), undefined);
    later.clock = -1;
    assert.match(opened.origin?.changed() ?? "", /another kernel has appeared/);
  });
}

Deno.test("a dump that lacks the kernel says how much of the memory it holds", () => {
  const { bytes } = makeKdump({
    frames: 512,
    pages: new Map([[1, new Uint8Array(PAGE).fill(7)]]),
    leftOut: Array.from({ length: 255 }, (_, i) => i + 2),
    vmcoreinfo: [
      "OSRELEASE=6.1.0-fixture",
      "SYMBOL(swapper_pg_dir)=ffffffff82a10000",
      "SYMBOL(_stext)=ffffffff81000000",
      "NUMBER(phys_base)=0",
      "NUMBER(pgtable_l5_enabled)=0",
      "KERNELOFFSET=1000000",
      "",
    ].join("\n"),
  });
  using memory = new KdumpMemory("x", bytesSource(bytes));
  const { vmcoreinfo = "" } = memory;
  assert.throws(
    () => describeKernel(memory, { vmcoreinfo }),
    /core:x holds 0\.0 MiB of the guest's 1\.0 MiB of memory, and its kernel/,
  );
});
