import assert from "node:assert/strict";
import fc from "fast-check";
import { times } from "../../base/long_fixture.ts";
import { EventColumns } from "./columns.ts";
import { TimeMerge } from "./merge.ts";

function columnsOf(rows: readonly { cpu: number; ts: number }[]) {
  const columns = new EventColumns(0n);
  columns.reserve(rows.length);
  for (const { cpu, ts } of rows) {
    columns.cpu[columns.length] = cpu;
    columns.ts[columns.length] = ts;
    columns.length++;
  }
  return columns;
}

/** A straightforward version of __find_next_entry. */
function plainMerge(rows: readonly { cpu: number; ts: number }[]): number[] {
  const queues = new Map<number, number[]>();
  rows.forEach(({ cpu }, row) => {
    queues.set(cpu, [...queues.get(cpu) ?? [], row]);
  });
  const order: number[] = [];
  const cpus = [...queues.keys()].sort((a, b) => a - b);
  while (order.length < rows.length) {
    let best = -1;
    for (const cpu of cpus) {
      const head = queues.get(cpu)![0];
      if (head === undefined) continue;
      if (best < 0 || rows[head].ts < rows[best].ts) best = head;
    }
    queues.get(rows[best].cpu)!.shift();
    order.push(best);
  }
  return order;
}

const rows = fc.array(
  fc.record({ cpu: fc.integer({ min: 0, max: 5 }), ts: fc.nat(20) }),
  { maxLength: 60 },
);

Deno.test("rows are taken in the order of the kernel's reader, even when clocks step back", () => {
  fc.assert(fc.property(rows, (list) => {
    const order = new TimeMerge(columnsOf(list)).order();
    assert.deepEqual([...order], plainMerge(list));
  }));
});

Deno.test("taking a CPU's next row out of order leaves the rest in order", () => {
  const columns = columnsOf([
    { cpu: 0, ts: 1 },
    { cpu: 0, ts: 2 },
    { cpu: 1, ts: 2 },
    { cpu: 0, ts: 9 },
    { cpu: 1, ts: 3 },
  ]);
  const merge = new TimeMerge(columns);
  assert.equal(merge.next(), 0);
  assert.equal(merge.peekCpu(0), 1);
  merge.skipCpu(0);
  assert.equal(merge.peek(), 2);
  assert.deepEqual([...merge.order()], [2, 4, 3]);
  assert.equal(merge.next(), -1);
  assert.equal(merge.peekCpu(0), -1);
  assert.equal(merge.peekCpu(77), -1);
  merge.skipCpu(77);
});

Deno.test("rows taken out of order leave the rest in order, even when clocks step back", () => {
  const step = fc.record({ peek: fc.boolean(), skip: fc.nat(7) });
  fc.assert(
    fc.property(rows, fc.array(step, { maxLength: 60 }), (list, steps) => {
      const merge = new TimeMerge(columnsOf(list));
      const left = list.map((row, index) => ({ ...row, index }));
      const take = (found: (typeof left)[number] | undefined): number => {
        if (found === undefined) return -1;
        left.splice(left.indexOf(found), 1);
        return found.index;
      };
      const first = (cpu: number) => left.find((row) => row.cpu === cpu);
      const earliest = () =>
        [...new Set(left.map((row) => row.cpu))].sort((a, b) => a - b)
          .map((cpu) => first(cpu)!)
          .reduce<(typeof left)[number] | undefined>(
            (best, row) => best === undefined || row.ts < best.ts ? row : best,
            undefined,
          );
      for (const { peek, skip } of steps) {
        if (peek) assert.equal(merge.peek(), earliest()?.index ?? -1);
        // Most CPUs have no rows; every other step takes a row out of order.
        if (first(skip) === undefined) {
          assert.equal(merge.next(), take(earliest()));
        } else {
          assert.equal(merge.peekCpu(skip), first(skip)?.index);
          merge.skipCpu(skip);
          take(first(skip));
        }
      }
      const rest: number[] = [];
      for (let row = take(earliest()); row >= 0; row = take(earliest())) {
        rest.push(row);
      }
      assert.deepEqual([...merge.order()], rest);
    }),
    { numRuns: times(500) },
  );
});

Deno.test("rows that follow each other are taken as one run", () => {
  fc.assert(
    fc.property(rows, fc.nat(8), fc.array(fc.nat(59)), (list, most, stops) => {
      // Sorted by CPU, as buffers are read.
      const columns = columnsOf(list.sort((a, b) => a.cpu - b.cpu));
      const stop = new Set(stops);
      const merge = new TimeMerge(columns);
      const order: number[] = [];
      for (let row = merge.next(); row >= 0; row = merge.next()) {
        const to = merge.takeRun(row, row + 1 + most, stop);
        assert.ok(to > row && to <= row + 1 + most);
        for (let each = row; each < to; each++) {
          assert.equal(columns.cpu[each], columns.cpu[row]);
          assert.ok(each === row || !stop.has(each));
          order.push(each);
        }
        // The run ends where it must.
        const next = merge.peek();
        assert.ok(
          next !== to || to === row + 1 + most || stop.has(to) ||
            columns.cpu[to] !== columns.cpu[row],
        );
      }
      assert.deepEqual(order, plainMerge(list));
    }),
    { numRuns: times(500) },
  );
});

Deno.test("only the requested rows are merged", () => {
  const columns = columnsOf([
    { cpu: 0, ts: 5 },
    { cpu: 1, ts: 4 },
    { cpu: 0, ts: 6 },
  ]);
  assert.deepEqual([...new TimeMerge(columns, 1).order()], [1, 2]);
  assert.deepEqual([...new TimeMerge(columns, 0, 1).order()], [0]);
  assert.deepEqual([...new TimeMerge(columns, 3).order()], []);
});
