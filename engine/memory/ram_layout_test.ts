import assert from "node:assert/strict";
import fc from "fast-check";
import { XftraceError } from "../base/errors.ts";
import {
  I440FX,
  I440FX_1,
  machines,
  MICROVM,
  Q35,
} from "../arch/x86_64/boards.ts";
import {
  type Board,
  candidateLayouts,
  checkLayout,
  layoutRam,
  placePlugged,
} from "./ram_layout.ts";
import { single } from "./ram_layout_fixture.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

Deno.test("NUMA backings follow one another and are split where RAM is", () => {
  const { regions } = layoutRam({
    board: Q35,
    size: 4 * GIB,
    backings: [
      { backing: 5, size: GIB, offset: 4096 },
      { backing: 1, size: 3 * GIB },
    ],
  });
  assert.deepEqual(regions, [
    { start: 0, end: GIB, backing: 5, offset: 4096 },
    { start: GIB, end: 2 * GIB, backing: 1, offset: 0 },
    { start: 4 * GIB, end: 6 * GIB, backing: 1, offset: GIB },
  ]);
  assert.throws(
    () =>
      layoutRam({
        board: Q35,
        size: 4 * GIB,
        backings: [{ backing: 0, size: GIB }],
      }),
    /backends hold 1024 MiB/,
  );
});

Deno.test("DIMMs go above RAM, at the next GiB or at their given address", () => {
  const description = {
    board: Q35,
    size: 3 * GIB,
    maxSize: 16 * GIB,
    backings: [{ backing: 0, size: 3 * GIB }],
  };
  const { regions } = layoutRam({
    ...description,
    dimms: [
      { backing: 1, size: 256 * MIB },
      { backing: 2, size: GIB, address: 6 * GIB },
      { backing: 3, size: GIB },
    ],
  });
  assert.deepEqual(
    regions.slice(2).map((r) => [r.backing, r.start]),
    [[1, 5 * GIB], [2, 6 * GIB], [3, 7 * GIB]],
  );
  assert.throws(
    () =>
      layoutRam({
        ...description,
        dimms: [{ backing: 1, size: GIB, address: 4 * GIB }],
      }),
    /does not fit beside/,
  );
});

Deno.test("a layout that may reach above 1 TiB is refused, not guessed", () => {
  assert.throws(() => single(Q35, 1000 * GIB), /above 1 TiB/);
  assert.equal(single(Q35, 512 * GIB).length, 2);
});

Deno.test("a bare file has one layout as long as machines agree", () => {
  assert.deepEqual(
    candidateLayouts(512 * MIB, machines.boards).map((l) => l.regions),
    [
      [{ start: 0, end: 512 * MIB, backing: 0, offset: 0 }],
    ],
  );
  assert.deepEqual(
    candidateLayouts(4 * GIB, machines.boards).map((
      l,
    ) => [l.source, l.regions[0].end]),
    [
      ["q35", 2 * GIB],
      ["i440fx", 3 * GIB],
      ["firecracker", 0xd0000000],
      ["i440fx-1.x", 0xe0000000],
    ],
  );
  assert.throws(
    () => candidateLayouts(1000, machines.boards),
    /1000 bytes is not a VM's/,
  );
  assert.throws(() => candidateLayouts(0, machines.boards), XftraceError);
});

Deno.test("a layout is checked against the guest's own resource tree", () => {
  const [q35, i440fx] = candidateLayouts(4 * GIB, machines.boards);
  const name = "System RAM";
  const asQ35 = [
    { start: 0x1000, end: 0x9fc00, name },
    { start: 0x9fc00, end: 0x100000, name: "Reserved" },
    { start: 0x100000, end: 0x7ffd7000, name },
    { start: 4 * GIB, end: 6 * GIB, name },
  ];
  assert.equal(checkLayout(q35, asQ35), undefined);
  assert.match(
    checkLayout(i440fx, asQ35) ?? "",
    /System RAM at 0x100000000-0x17fffffff.*i440fx.*0x0-0xbfffffff/,
  );
  assert.match(checkLayout(q35, []) ?? "", /lists no System RAM/);
});

Deno.test("plugged memory is placed by its size, or not at all", () => {
  const [layout] = candidateLayouts(512 * MIB, machines.boards);
  const name = "System RAM";
  const tree = [
    { start: 0x1000, end: 512 * MIB, name },
    { start: 4 * GIB, end: 4 * GIB + 128 * MIB, name },
    { start: 5 * GIB, end: 5 * GIB + 256 * MIB, name },
  ];
  const memory = (backing: number, size: number, named = true) => ({
    backing,
    size,
    offset: backing * MIB,
    named,
  });
  const placed = placePlugged(
    layout,
    [
      memory(1, 256 * MIB),
      memory(2, 128 * MIB),
      // Anonymous memory of the same size as a named one, and one that is not
      // used.
      memory(3, 128 * MIB, false),
      memory(4, GIB, false),
    ],
    tree,
  );
  assert.deepEqual(
    placed.regions.map((r) => [r.start, r.backing, r.offset]),
    [[0, 0, 0], [4 * GIB, 2, 2 * MIB], [5 * GIB, 1, MIB]],
  );
  assert.equal(checkLayout(placed, tree), undefined);
  assert.equal(
    placePlugged(layout, [memory(1, GIB)], tree.slice(0, 1)),
    layout,
  );
  const alike = [memory(1, 128 * MIB, false), memory(2, 128 * MIB, false)];
  assert.throws(() => placePlugged(layout, alike, tree), /2 mappings/);
  assert.throws(
    () => placePlugged(layout, [memory(1, GIB)], tree),
    /0 mappings/,
  );
  const twice = [...tree, { start: 6 * GIB, end: 6 * GIB + 128 * MIB, name }];
  assert.throws(
    () => placePlugged(layout, [memory(1, 128 * MIB)], twice),
    /2 ranges.*1 mappings/,
  );
});

Deno.test("every byte of RAM has one place, whatever the sizes", () => {
  const page = fc.integer({ min: 1, max: 2 ** 21 }).map((n) => n * 8192);
  const boards = fc.constantFrom<Board>(Q35, I440FX, I440FX_1, MICROVM);
  fc.assert(fc.property(
    boards,
    fc.array(page, { minLength: 1, maxLength: 4 }),
    (board, sizes) => {
      const size = sizes.reduce((a, b) => a + b, 0);
      const { regions } = layoutRam({
        board,
        size,
        backings: sizes.map((size, backing) => ({ backing, size })),
      });
      let total = 0;
      let last = 0;
      for (const { start, end, backing, offset } of regions) {
        assert.ok(start >= last && end > start);
        assert.ok(end <= 0xf0000000 || start >= 4 * GIB);
        assert.ok(offset + end - start <= sizes[backing]);
        last = end;
        total += end - start;
      }
      assert.equal(total, size);
    },
  ));
});
