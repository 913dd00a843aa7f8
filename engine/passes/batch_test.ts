import assert from "node:assert/strict";
import { EventColumns, KIND, PageArena } from "../ftrace/ring/columns.ts";
import { Batch } from "./batch.ts";

/** One row whose every column has its own value. */
function source(): EventColumns {
  const columns = new EventColumns(77n);
  columns.length = 3;
  const row = 1;
  columns.ts[row] = 1;
  columns.cpu[row] = 2;
  columns.type[row] = 3;
  columns.pid[row] = -4;
  columns.offset[row] = 5;
  columns.size[row] = 6;
  columns.kind[row] = KIND.entryRetaddr;
  columns.func.set([0x80000008, 0xffffffff], 2 * row);
  columns.depth[row] = -9;
  columns.duration[row] = 10;
  return columns;
}

/** A batch, and the times and arenas of the rows that it has passed on. */
function setting() {
  const got: { times: number[]; arena: PageArena }[] = [];
  const batch = new Batch(77n, ({ columns, arena, ordered }) => {
    assert.ok(ordered);
    got.push({ times: [...columns.ts.subarray(0, columns.length)], arena });
  });
  return { batch, got };
}

Deno.test("rows are copied whole, and passed on at the end of a batch", () => {
  const arena = new PageArena(64);
  let taken = 0;
  const batch = new Batch(77n, ({ columns }) => {
    taken++;
    assert.deepEqual(
      [
        ...[columns.epoch, columns.length, columns.ts[0], columns.cpu[0]],
        ...[columns.type[0], columns.pid[0], columns.offset[0]],
        ...[columns.size[0], columns.kind[0], columns.functionAt(0)],
        ...[columns.depth[0], columns.duration[0]],
      ],
      [77n, 1, 1, 2, 3, -4, 5, 6, 3, 0xffffffff80000008n, -9, 10],
    );
  });
  batch.add(source(), 1, arena);
  assert.equal(taken, 0);
  batch.end();
  batch.end();
  assert.equal(taken, 1);
});

Deno.test("rows of another arena begin another batch", () => {
  const { batch, got } = setting();
  const arenas = [new PageArena(64), new PageArena(64)];
  const from = source();
  for (const [ts, arena] of [[1, 0], [2, 0], [3, 1], [4, 0]]) {
    from.ts[1] = ts;
    batch.add(from, 1, arenas[arena]);
  }
  batch.end();
  assert.deepEqual(got.map(({ times }) => times), [[1, 2], [3], [4]]);
  assert.ok(got.every(({ arena }, i) => arena === arenas[i % 2]));
});

Deno.test("a batch that is full is passed on, and no row is left out", () => {
  const { batch, got } = setting();
  const arena = new PageArena(64);
  const from = source();
  const count = 2 * 65536 + 5;
  for (let i = 0; i < count; i++) {
    from.ts[1] = i;
    batch.add(from, 1, arena);
  }
  assert.deepEqual(got.map(({ times }) => times.length), [65536, 65536]);
  batch.end();
  const times = got.flatMap(({ times }) => times);
  assert.equal(times.length, count);
  assert.ok(times.every((ts, i) => ts === i));
});

Deno.test("an empty batch is not passed on", () => {
  const { batch, got } = setting();
  batch.end();
  assert.deepEqual(got, []);
});
