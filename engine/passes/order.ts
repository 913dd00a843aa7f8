/**
 * Sorts selected rows by time, in the same way as the kernel's readers merge
 * the buffers of the CPUs: the smallest time stamp first, and of equal ones
 * that of the lowest CPU; the rows of a CPU stay in their order.
 *
 * @module
 */
import type { EventColumns } from "../ftrace/ring/columns.ts";

/**
 * Sorts the first `n` of `rows` in place.
 *
 * @param rows row numbers; those of each CPU are in the order of its ring
 */
export function orderRows(
  columns: EventColumns,
  rows: Uint32Array,
  n: number,
): void {
  const { cpu, ts } = columns;
  let cpus = 0;
  let sorted = true;
  let lastTs = -Infinity;
  let lastCpu = -1;
  for (let i = 0; i < n; i++) {
    const row = rows[i];
    const time = ts[row];
    if (cpu[row] >= cpus) cpus = cpu[row] + 1;
    if (time < lastTs || (time === lastTs && cpu[row] < lastCpu)) {
      sorted = false;
    }
    lastTs = time;
    lastCpu = cpu[row];
  }
  if (sorted) return;
  const ends = new Uint32Array(cpus + 1);
  for (let i = 0; i < n; i++) ends[cpu[rows[i]] + 1]++;
  for (let i = 1; i <= cpus; i++) ends[i] += ends[i - 1];
  const heads = ends.slice(0, cpus);
  const grouped = new Uint32Array(n);
  const fill = heads.slice();
  for (let i = 0; i < n; i++) grouped[fill[cpu[rows[i]]]++] = rows[i];
  // Many consecutive events come from one CPU, so its head only has to be
  // compared with the earliest head of the other CPUs.
  for (let out = 0; out < n;) {
    let best = -1;
    let bestTs = Infinity;
    let next = -1;
    let nextTs = Infinity;
    for (let c = 0; c < cpus; c++) {
      if (heads[c] === ends[c + 1]) continue;
      const time = ts[grouped[heads[c]]];
      if (best < 0 || time < bestTs) {
        next = best;
        nextTs = bestTs;
        best = c;
        bestTs = time;
      } else if (next < 0 || time < nextTs) {
        next = c;
        nextTs = time;
      }
    }
    const end = ends[best + 1];
    let head = heads[best];
    do {
      rows[out++] = grouped[head++];
      if (head === end) break;
      const time = ts[grouped[head]];
      if (next >= 0 && (time > nextTs || (time === nextTs && best > next))) {
        break;
      }
    } while (true);
    heads[best] = head;
  }
}
