import assert from "node:assert/strict";
import { EventColumns, KIND } from "../ring/columns.ts";
import { RootFilter } from "./root_filter.ts";

const ROOT = 0xffffffff81234560n;
const OTHER = 0xffffffff81999990n;

/** `pid kind function depth`, on a CPU. */
type Row = readonly [
  pid: number,
  kind: keyof typeof KIND,
  func?: bigint,
  depth?: number,
  cpu?: number,
];

/** The rows that are kept. */
function kept(
  rows: readonly Row[],
  roots: readonly bigint[] = [ROOT],
): number[] {
  const columns = new EventColumns(0n, rows.length);
  rows.forEach(([pid, kind, func = 0n, depth = 0, cpu = 0], i) => {
    columns.pid[i] = pid;
    columns.kind[i] = KIND[kind];
    columns.func[2 * i] = Number(func & 0xffffffffn);
    columns.func[2 * i + 1] = Number(func >> 32n);
    columns.depth[i] = depth;
    columns.cpu[i] = cpu;
  });
  columns.length = rows.length;
  const filter = new RootFilter(roots, [0, 4]);
  return rows.map((_, i) => i).filter((i) => filter.keeps(columns, i));
}

Deno.test("keeps a root and everything under it", () => {
  assert.deepEqual(
    kept([
      [1, "entry", OTHER, 0],
      [1, "other"],
      [1, "entry", ROOT, 1],
      [1, "entry", OTHER, 2],
      [1, "other"],
      [1, "return", OTHER, 2],
      [1, "return", ROOT, 1],
      [1, "other"],
      [1, "return", OTHER, 0],
    ]),
    [2, 3, 4, 5, 6],
  );
});

Deno.test("a root may be recorded after its ENDBR64, and with a return address", () => {
  assert.deepEqual(
    kept([
      [1, "entryRetaddr", ROOT + 4n, 0],
      [1, "return", ROOT + 4n, 0],
      [1, "entry", ROOT + 8n, 0],
      // The same low half with another high half.
      [1, "entry", ROOT & 0xffffffffn, 0],
    ]),
    [0, 1],
  );
});

Deno.test("threads are kept apart, idle ones by their CPU", () => {
  assert.deepEqual(
    kept([
      [1, "entry", ROOT, 0],
      [2, "other"],
      [2, "entry", OTHER, 1],
      [1, "other"],
      [0, "entry", ROOT, 0, 0],
      [0, "other", 0n, 0, 1],
      [0, "other", 0n, 0, 0],
      [1, "other", 0n, 0, 1],
    ]),
    [0, 3, 4, 6, 7],
  );
});

Deno.test("a root within a root ends with the outer one", () => {
  assert.deepEqual(
    kept([
      [1, "entry", ROOT, 0],
      [1, "entry", ROOT, 1],
      [1, "return", ROOT, 1],
      [1, "other"],
      [1, "return", ROOT, 0],
      [1, "other"],
    ]),
    [0, 1, 2, 3, 4],
  );
});

Deno.test("a root whose return was lost ends at the first event less deep", () => {
  assert.deepEqual(
    kept([
      [1, "entry", ROOT, 2],
      [1, "return", OTHER, 1],
      [1, "other"],
      [1, "entry", ROOT, 2],
      [1, "entry", OTHER, 2],
      [1, "other"],
      [1, "entry", ROOT, 2],
      [1, "entry", ROOT, 1],
      [1, "other"],
      [1, "return", ROOT, 1],
      [1, "other"],
    ]),
    [0, 3, 6, 7, 8, 9],
  );
});

Deno.test("a return whose entry was before the trace is not kept", () => {
  assert.deepEqual(kept([[1, "return", ROOT, 0], [1, "other"]]), []);
});

Deno.test("several roots, or none", () => {
  const rows: Row[] = [
    [1, "entry", ROOT, 0],
    [1, "return", ROOT, 0],
    [1, "entry", OTHER, 0],
    [1, "return", OTHER, 0],
  ];
  assert.deepEqual(kept(rows, [ROOT, OTHER]), [0, 1, 2, 3]);
  assert.deepEqual(kept(rows, []), []);
});
