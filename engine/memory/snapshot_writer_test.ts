import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { XftraceError } from "../base/errors.ts";
import { BufferMemory } from "./buffer_memory_fixture.ts";
import { FrozenMemory } from "./frozen_memory.ts";
import type { GpaRange, PhysicalMemory } from "./physical_memory.ts";
import { layoutSnapshot } from "./snapshot_layout.ts";
import type { SnapshotManifest } from "./snapshot_manifest.ts";
import {
  coreFromBytes,
  elfCoreAt,
  encodeSnapshot,
} from "./snapshot_fixture.ts";
import { writeSnapshot } from "./snapshot_writer.ts";

const INFO = "OSRELEASE=6.1.0-test\nKERNELOFFSET=1000000\n";

function manifestOf(memory: { ranges: readonly GpaRange[] }): SnapshotManifest {
  return {
    format: 1,
    xftrace: "0.1.0",
    created: "2024-01-02T03:04:05Z",
    target: "qemu:web1",
    content: "needed",
    ram: memory.ranges.map(({ start, end }) => [start, end]),
    kernel: { release: "6.1.0-test", pageOffset: "0xffff888000000000" },
  };
}

/** Memory with holes, like a sparse file. */
class SparseMemory extends BufferMemory {
  readonly #data: GpaRange[];
  constructor(bytes: Uint8Array, data: GpaRange[]) {
    super([{ gpa: 0x1_0000_0000, bytes }]);
    this.#data = data;
  }
  override dataRanges(): GpaRange[] {
    return this.#data;
  }
}

function numbered(pages: number): Uint8Array {
  const bytes = new Uint8Array(pages * 4096);
  const words = new Uint32Array(bytes.buffer);
  for (let i = 0; i < words.length; i++) words[i] = i + 1;
  return bytes;
}

Deno.test("what was read is saved, and the same reads work on the snapshot", () => {
  const memory = new BufferMemory(numbered(64));
  const frozen = new FrozenMemory(memory);
  const needle = new Uint8Array(Uint32Array.of(50 * 1024 + 1).buffer);
  const work = (m: PhysicalMemory) => {
    const out: number[] = [];
    const word = new Uint8Array(8);
    m.read(0x3ffc, word);
    out.push(...word);
    m.read(0x9000, word);
    out.push(...word);
    out.push(...m.search(needle));
    return out;
  };
  const live = work(frozen);
  assert.deepEqual(frozen.touched(), [
    { start: 0x3000, end: 0x5000 },
    { start: 0x9000, end: 0xa000 },
    { start: 0x32000, end: 0x33000 },
  ]);
  assert.equal(frozen.pageCount, 4);
  const core = coreFromBytes(
    "snap",
    encodeSnapshot({
      memory,
      ranges: frozen.touched(),
      machine: 62,
      manifest: manifestOf(memory),
      vmcoreinfo: INFO,
    }),
  );
  assert.deepEqual(work(core), live);
  assert.equal(core.vmcoreinfo, INFO);
  assert.equal(core.manifest?.target, "qemu:web1");
  assert.equal(core.segments[0].vaddr, 0xffff888000003000n);
  assert.throws(
    () => core.read(0x5000, new Uint8Array(1)),
    /was not saved in the snapshot/,
  );
  assert.throws(
    () => core.read(0x99999000, new Uint8Array(1)),
    /holds no memory there/,
  );
});

Deno.test("holes are saved as zeros that occupy no space", () => {
  const bytes = new Uint8Array(100 * 4096);
  const base = 0x1_0000_0000;
  bytes.fill(5, 10 * 4096, 12 * 4096);
  bytes.fill(6, 50 * 4096, 51 * 4096);
  const memory = new SparseMemory(bytes, [
    { start: base + 10 * 4096, end: base + 12 * 4096 },
    { start: base + 50 * 4096, end: base + 51 * 4096 },
  ]);
  const content = {
    memory,
    ranges: memory.ranges,
    machine: 62,
    manifest: { ...manifestOf(memory), content: "full" as const },
  };
  const layout = layoutSnapshot(content);
  assert.equal(layout.segments, 3);
  assert.ok(layout.size < 5 * 4096);
  const core = coreFromBytes("full", encodeSnapshot(content));
  assert.deepEqual(core.ranges, memory.ranges);
  const all = new Uint8Array(bytes.length);
  core.read(base, all);
  assert.deepEqual(all, bytes);
});

Deno.test("any set of ranges is read back byte for byte", () => {
  const memory = new BufferMemory([
    { gpa: 0, bytes: numbered(40) },
    { gpa: 0x100000, bytes: numbered(40) },
  ]);
  fc.assert(fc.property(
    fc.array(fc.tuple(fc.nat(0x130000), fc.nat(0x9000)), { minLength: 1 }),
    (list) => {
      const ranges = list.map(([start, n]) => ({ start, end: start + n }));
      let bytes: Uint8Array;
      try {
        bytes = encodeSnapshot({
          memory,
          ranges,
          machine: 62,
          manifest: manifestOf(memory),
        });
      } catch (error) {
        assert.ok(error instanceof XftraceError);
        assert.match(error.message, /nothing to save/);
        return;
      }
      const core = coreFromBytes("x", bytes);
      for (const { start, end } of core.ranges) {
        const ours = new Uint8Array(end - start);
        const theirs = new Uint8Array(end - start);
        core.read(start, ours);
        memory.read(start, theirs);
        assert.deepEqual(ours, theirs);
      }
    },
  ));
});

Deno.test("a segment count beyond 16 bits is stored in section 0", () => {
  const base = 0x1_0000_0000;
  const bytes = new Uint8Array(70_000 * 2 * 4096);
  bytes[0] = 42;
  // All but the first page are holes, so that the core stays small.
  const memory = new SparseMemory(bytes, [{ start: base, end: base + 4096 }]);
  const ranges = Array.from({ length: 70_000 }, (_, i) => ({
    start: base + i * 8192,
    end: base + i * 8192 + 4096,
  }));
  const core = coreFromBytes(
    "many",
    encodeSnapshot({
      memory,
      ranges,
      machine: 62,
      manifest: manifestOf(memory),
    }),
  );
  assert.equal(core.segments.length, 70_000);
  assert.equal(core.ranges.length, 70_000);
  const first = new Uint8Array(1);
  core.read(base, first);
  assert.equal(first[0], 42);
});

Deno.test("a manifest that is damaged or has a newer format is refused", () => {
  const memory = new BufferMemory(numbered(2));
  const bytes = encodeSnapshot({
    memory,
    ranges: memory.ranges,
    machine: 62,
    manifest: manifestOf(memory),
  });
  const text = new TextDecoder("latin1").decode(bytes);
  const at = text.indexOf('"format":1');
  bytes[at + 9] = "7".charCodeAt(0);
  assert.throws(
    () => coreFromBytes("snap.core", bytes),
    /snap\.core is a snapshot of format 7.*use a newer xftrace/,
  );
  bytes[at + 9] = "x".charCodeAt(0);
  assert.throws(() => coreFromBytes("snap.core", bytes), /is damaged/);
});

Deno.test("the top page table also appears under its own GVA", () => {
  const memory = new BufferMemory(numbered(64));
  const core = coreFromBytes(
    "x",
    encodeSnapshot({
      memory,
      ranges: [{ start: 0x8000, end: 0xc000 }],
      machine: 62,
      manifest: manifestOf(memory),
      vmcoreinfo: INFO,
      aliases: [{ gva: 0xffffffff8ec10000n, gpa: 0xa000, length: 0x1000 }],
    }),
  );
  assert.deepEqual(
    core.segments.map(({ vaddr, paddr, memSize }) => [vaddr, paddr, memSize]),
    [
      [0xffff888000008000n, 0x8000, 0x4000],
      [0xffffffff8ec10000n, 0xa000, 0x1000],
    ],
  );
  assert.equal(core.segments[1].offset, core.segments[0].offset + 0x2000);
});

Deno.test("files are compressed according to their names, and are complete or absent", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const memory = new BufferMemory(numbered(64));
    const content = {
      memory,
      ranges: [{ start: 0, end: 0x8000 }, { start: 0x20000, end: 0x21000 }],
      machine: 62,
      manifest: manifestOf(memory),
      vmcoreinfo: INFO,
      aliases: [{ gva: 0xffffffff81000000n, gpa: 0x1000, length: 0x100000 }],
    };
    for (const name of ["a.core", "a.core.zst", "a.core.gz"]) {
      const path = `${folder}/${name}`;
      let last = 0;
      const summary = await writeSnapshot(path, content, {
        onProgress: (done) => last = done,
      });
      assert.equal(summary.pages, 9);
      assert.equal(summary.segments, 4);
      assert.equal(last, summary.coreBytes);
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.equal(statSync(path).size, summary.fileBytes);
      using core = elfCoreAt(path);
      const page = new Uint8Array(4096);
      core.read(0x20000, page);
      assert.deepEqual(page, memory.view(0x20000, 4096));
      assert.equal(core.segments[2].vaddr, 0xffffffff81000000n);
      assert.equal(core.segments[2].paddr, 0x1000);
    }
    const readelf = spawnSync("readelf", ["-a", `${folder}/a.core`], {
      encoding: "utf8",
    });
    if (readelf.error === undefined) {
      assert.equal(readelf.stderr, "");
      assert.match(readelf.stdout, /VMCOREINFO/);
    }
    await assert.rejects(
      writeSnapshot(`${folder}/none/a.core`, content),
      /the folder .*none does not exist/,
    );
    const broken = { ...content, memory: new BufferMemory(numbered(64)) };
    broken.memory.read = () => {
      throw new XftraceError("the guest ended");
    };
    await assert.rejects(
      writeSnapshot(`${folder}/a.core`, broken),
      /the guest ended/,
    );
    assert.ok(existsSync(`${folder}/a.core`));
    using kept = elfCoreAt(`${folder}/a.core`);
    assert.equal(kept.vmcoreinfo, INFO);
    assert.deepEqual(
      [...Deno.readDirSync(folder)].map((entry) => entry.name).sort(),
      ["a.core", "a.core.gz", "a.core.zst"],
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
