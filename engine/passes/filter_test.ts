import assert from "node:assert/strict";
import { EventColumns, PageArena } from "../ftrace/ring/columns.ts";
import type { Expression } from "../query/expression.ts";
import {
  type Access,
  COLUMN_FIELDS,
  numberBy,
  textByKey,
} from "./fields/access.ts";
import type { Frame } from "./fields/frame.ts";
import { compact, compileFilter, type ProcessTest } from "./filter.ts";

const COMMS = ["", "init", "sshd", "sshd", undefined];
const ADDRESSES = [0n, 1n, 0xffffffff81000000n, 0xffffffffffffffffn, 2n];
const SIZES = [NaN, 0, 4096, -1, 2 ** 40 + 5];

/** Rows 0 to 4, with pids 0 to 4. */
function frameOf(): Frame {
  const columns = new EventColumns(0n);
  columns.length = COMMS.length;
  COMMS.forEach((_, row) => {
    columns.pid[row] = row;
    columns.duration[row] = 100 * row;
  });
  return { columns, arena: new PageArena(64), ordered: true };
}

/** How often texts were read. */
let read = 0;

const FIELDS: Readonly<Record<string, Access>> = {
  ...COLUMN_FIELDS,
  comm: textByKey(
    "text",
    (frame, row) => frame.columns.pid[row] === 3 ? 2 : frame.columns.pid[row],
    (frame, row) => {
      read++;
      return COMMS[frame.columns.pid[row]];
    },
  ),
  func: textByKey(
    "function",
    (_, row) => row,
    (_, row) => `sys_${row}`,
    (_, row) => row === 4,
  ),
  size: numberBy("size", (_, row) => SIZES[row]),
  addr: {
    shape: "address",
    kind: "address",
    // Row 4 has no address.
    has: (_, row) => row !== 4,
    lo: (_, row) => Number(ADDRESSES[row] & 0xffffffffn),
    hi: (_, row) => Number(ADDRESSES[row] >> 32n),
  },
};

/** The rows that pass. */
function kept(
  node: Expression,
  process: ProcessTest = () => () => true,
  rows: readonly number[] = [0, 1, 2, 3, 4],
): number[] {
  const filter = compileFilter(node, {
    access: (path) => FIELDS[path],
    process,
    functionName: (name) => name.replace("__x64_", ""),
  });
  const list = Uint32Array.from(rows);
  const n = filter(frameOf(), list, list.length);
  return [...list.subarray(0, n)];
}

type Compare = Extract<Expression, { op: "compare" }>;

const compare = (
  field: string,
  is: Compare["is"],
  value: Compare["value"],
): Expression => ({ op: "compare", field, is, value });

const text = (
  test: "glob" | "startsWith" | "endsWith" | "includes",
  pattern: string,
  field = "comm",
): Expression => ({ op: "text", field, test, pattern });

Deno.test("numbers are compared, and a missing one passes no comparison", () => {
  assert.deepEqual(kept(compare("duration", "ge", 200)), [2, 3, 4]);
  assert.deepEqual(kept(compare("size", "eq", 4096)), [2]);
  assert.deepEqual(kept(compare("size", "ne", 4096)), [1, 3, 4]);
  assert.deepEqual(kept(compare("size", "lt", 0)), [3]);
  assert.deepEqual(kept(compare("size", "le", 0n)), [1, 3]);
  assert.deepEqual(kept(compare("size", "gt", 4096)), [4]);
});

Deno.test("addresses are compared with all their bits, and without a sign", () => {
  const top = 0xffffffffffffffffn;
  assert.deepEqual(kept(compare("addr", "eq", 0xffffffff81000000n)), [2]);
  assert.deepEqual(kept(compare("addr", "ge", 0xffffffff81000000n)), [2, 3]);
  assert.deepEqual(kept(compare("addr", "lt", 2)), [0, 1]);
  assert.deepEqual(kept(compare("addr", "eq", -1)), [3]);
  assert.deepEqual(kept(compare("addr", "ne", top)), [0, 1, 2]);
});

Deno.test("texts are compared and searched; a missing one passes nothing", () => {
  assert.deepEqual(kept(compare("comm", "eq", "sshd")), [2, 3]);
  assert.deepEqual(kept(compare("comm", "ne", "sshd")), [0, 1]);
  assert.deepEqual(kept(compare("comm", "gt", "init")), [2, 3]);
  assert.deepEqual(kept(text("glob", "s*d")), [2, 3]);
  assert.deepEqual(kept(text("glob", "*")), [0, 1, 2, 3]);
  assert.deepEqual(kept(text("startsWith", "in")), [1]);
  assert.deepEqual(kept(text("endsWith", "d")), [2, 3]);
  assert.deepEqual(kept(text("includes", "")), [0, 1, 2, 3]);
});

Deno.test("names of functions are compared in their short form", () => {
  assert.deepEqual(kept(compare("func", "eq", "__x64_sys_3")), [3]);
  assert.deepEqual(kept(text("glob", "__x64_sys_[12]", "func")), [1, 2]);
  assert.deepEqual(kept({ op: "foreign", field: "func" }), [4]);
  assert.deepEqual(kept({ op: "foreign", field: "comm" }), []);
});

Deno.test("a value of another kind than the field's passes nothing", () => {
  assert.deepEqual(kept(compare("comm", "eq", 1)), []);
  assert.deepEqual(kept(compare("size", "eq", "4096")), []);
  assert.deepEqual(kept(compare("addr", "eq", "0x1")), []);
  assert.deepEqual(kept(text("glob", "*", "size")), []);
  assert.deepEqual(kept({ op: "bits", field: "comm", mask: 1 }), []);
  assert.deepEqual(kept(compare("nonesuch", "ne", 1)), []);
});

Deno.test("bits, also above 31 and in addresses", () => {
  const bits = (field: string, mask: number) =>
    kept({ op: "bits", field, mask });
  assert.deepEqual(bits("size", 5), [3, 4]);
  assert.deepEqual(bits("size", 0x80000000), [3]);
  assert.deepEqual(bits("size", 0), [1, 2, 3, 4]);
  assert.deepEqual(bits("addr", 0x81000000), [2, 3]);
  assert.deepEqual(bits("addr", 0), [0, 1, 2, 3]);
});

Deno.test("one of several values, of which none passes nothing", () => {
  const among = (field: string, values: (number | string)[]) =>
    kept({ op: "among", field, values });
  assert.deepEqual(among("pid", [1, 3, 99]), [1, 3]);
  assert.deepEqual(among("comm", ["init", "sshd"]), [1, 2, 3]);
  assert.deepEqual(among("pid", []), []);
});

Deno.test("and, or and not, within one another", () => {
  const small = compare("pid", "lt", 3);
  const odd: Expression = { op: "bits", field: "pid", mask: 1 };
  assert.deepEqual(kept({ op: "all", of: [small, odd] }), [1]);
  assert.deepEqual(kept({ op: "any", of: [small, odd] }), [0, 1, 2, 3]);
  assert.deepEqual(kept({ op: "not", of: { op: "any", of: [small, odd] } }), [
    4,
  ]);
  assert.deepEqual(
    kept({
      op: "any",
      of: [
        { op: "all", of: [small, { op: "not", of: odd }] },
        { op: "all", of: [odd, { op: "not", of: small }] },
      ],
    }),
    [0, 2, 3],
  );
  assert.deepEqual(kept({ op: "all", of: [] }), [0, 1, 2, 3, 4]);
  assert.deepEqual(kept({ op: "any", of: [] }), []);
});

Deno.test("each process is asked about once, and only if the rows before passed", () => {
  const asked: number[] = [];
  const process: ProcessTest = (who) => (pid) => {
    assert.equal(who.match, "sshd*");
    asked.push(pid);
    return pid === 3;
  };
  const node: Expression = {
    op: "all",
    of: [
      compare("pid", "gt", 1),
      { op: "process", who: { match: "sshd*", children: true } },
    ],
  };
  assert.deepEqual(kept(node, process, [3, 1, 3, 2, 3]), [3, 3, 3]);
  assert.deepEqual(asked, [3, 2]);
});

Deno.test("a text is read once for all rows that share it", () => {
  read = 0;
  const rows = [2, 3, 2, 1, 3, 2, 1];
  const node = compare("comm", "eq", "sshd");
  assert.deepEqual(kept(node, undefined, rows), [2, 3, 2, 3, 2]);
  assert.equal(read, 2);
});

Deno.test("no rows, and more rows than there was room for", () => {
  const node: Expression = {
    op: "any",
    of: [compare("pid", "eq", 1), compare("duration", "eq", 200)],
  };
  assert.deepEqual(kept(node, undefined, []), []);
  const many = Array.from({ length: 200_000 }, (_, i) => i % 5);
  assert.equal(kept(node, undefined, many).length, 80_000);
});

Deno.test("rows are moved to the front in their order", () => {
  const rows = Uint32Array.of(9, 8, 7, 6);
  assert.equal(compact(rows, 4, Uint8Array.of(0, 1, 0, 1)), 2);
  assert.deepEqual([...rows.subarray(0, 2)], [8, 6]);
  assert.equal(compact(rows, 0, new Uint8Array(0)), 0);
});
