/**
 * Times of functions or system calls: percentiles, and a histogram of the one
 * that is chosen.
 *
 * @module
 */
import { useState } from "preact/hooks";
import type { PageTimes, PageTrace } from "../engine/output/page/data.ts";
import { bucketStart, percentile } from "../engine/output/page/histogram.ts";
import { BarChart } from "./chart.tsx";
import { foreignNames } from "./paint.ts";
import {
  FunctionName,
  SortedTable,
  type TableColumn,
  TextField,
} from "./parts.tsx";
import { count, duration, shown } from "./text.ts";

/** One function or system call. */
interface Timed {
  readonly index: number;
  readonly name: string;
  readonly foreign: boolean;
  readonly calls: number;
  readonly total: number;
  readonly self: number;
  readonly min: number;
  readonly max: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
}

const NAME_OF = ["p50", "p90", "p99", "p999"] as const;
const TITLES = { p50: "p50", p90: "p90", p99: "p99", p999: "p99.9" } as const;

export function Times(
  { trace, times, what }: { trace: PageTrace; times: PageTimes; what: string },
) {
  const [search, setSearch] = useState("");
  const [chosen, choose] = useState(-1);
  const rows = timed(trace, times).filter(({ name }) =>
    name.toLowerCase().includes(search.toLowerCase())
  );
  const withSelf = times.self.length > 0;
  const number = (
    title: string,
    value: (row: Timed) => number,
  ): TableColumn<Timed> => ({
    title,
    value,
    cell: (row) => duration(value(row), trace.unit),
  });
  const columns: TableColumn<Timed>[] = [
    {
      title: what,
      cell: (row) => (
        <button
          type="button"
          class="link"
          aria-pressed={row.index === chosen}
          onClick={() => choose(row.index === chosen ? -1 : row.index)}
        >
          <FunctionName name={row.name} foreign={row.foreign} />
        </button>
      ),
    },
    {
      title: "Calls",
      value: (row) => row.calls,
      cell: (row) => count(row.calls),
    },
    number("Total", (row) => row.total),
    ...(withSelf ? [number("Own", (row: Timed) => row.self)] : []),
    number("Least", (row) => row.min),
    ...NAME_OF.map((name) => number(TITLES[name], (row) => row[name])),
    number("Most", (row) => row.max),
  ];
  return (
    <>
      <div class="bar">
        <TextField
          label={`Search ${what.toLowerCase()}s`}
          value={search}
          set={setSearch}
        />
      </div>
      {chosen >= 0
        ? <Distribution trace={trace} times={times} of={chosen} />
        : null}
      <SortedTable
        caption={`${what}s`}
        columns={columns}
        rows={rows}
        first={withSelf ? 3 : 2}
        hint=" - choose a name for its histogram; percentiles are at most 3 % too high"
      />
    </>
  );
}

function timed(trace: PageTrace, times: PageTimes): Timed[] {
  const { names } = trace;
  const foreign = foreignNames(trace);
  return times.name.map((name, index) => {
    const pairs = times.histogram[index];
    const max = times.max[index];
    return {
      index,
      name: names[name],
      foreign: foreign.has(name),
      calls: times.calls[index],
      total: times.total[index],
      self: times.self[index] ?? 0,
      min: times.min[index],
      max,
      p50: percentile(pairs, 0.5, max),
      p90: percentile(pairs, 0.9, max),
      p99: percentile(pairs, 0.99, max),
      p999: percentile(pairs, 0.999, max),
    };
  });
}

function Distribution(
  { trace, times, of }: { trace: PageTrace; times: PageTimes; of: number },
) {
  const pairs = times.histogram[of];
  const name = shown(trace.names[times.name[of]]);
  // All buckets from the first to the last: those without calls are gaps.
  const first = pairs[0];
  const last = pairs[pairs.length - 2];
  const counts = Array.from({ length: last - first + 1 }, () => 0);
  for (let i = 0; i < pairs.length; i += 2) {
    counts[pairs[i] - first] = pairs[i + 1];
  }
  return (
    <section aria-live="polite">
      <h3>How long {name} took</h3>
      <BarChart
        label={`Calls of ${name} by their duration`}
        // A logarithmic axis has no place for 0.
        starts={counts.map((_, i) => Math.max(0.5, bucketStart(first + i)))}
        end={bucketStart(last + 1)}
        counts={counts}
        unit={trace.unit}
        logarithmic
      />
    </section>
  );
}
