/**
 * Filters the list of events.
 *
 * @module
 */
import type { PageTrace } from "../engine/output/page/data.ts";
import { BLOCK_ROWS, ROW_KIND } from "../engine/output/page/packed.ts";
import type { Rows } from "./load.ts";
import { chosenThreads } from "./threads.tsx";

/** What to show. */
export interface Filter {
  /** Words that must all occur in the name, the thread or the arguments. */
  readonly text: string;
  /** As {@linkcode chosenThreads} takes it. */
  readonly threads: string;
  /** -1 for all. */
  readonly cpu: number;
  /** Calls that took at least so many ns; 0 for all events. */
  readonly least: number;
  /** Only events between these times, which count from the trace's start. */
  readonly from: number;
  readonly to: number;
}

/** Shows everything. */
export const NO_FILTER: Filter = {
  text: "",
  threads: "all",
  cpu: -1,
  least: 0,
  from: 0,
  to: Infinity,
};

/**
 * The rows that a filter lets through; undefined for all.
 *
 * @param progress is called with the share that has been searched
 */
export async function filteredRows(
  trace: PageTrace,
  rows: Rows,
  { text, threads, cpu, least, from: first, to: last }: Filter,
  stop: AbortSignal,
  progress: (share: number) => void,
): Promise<Uint32Array | undefined> {
  const words = text.toLowerCase().split(/\s+/).filter((word) => word !== "");
  if (
    words.length === 0 && threads === "all" && cpu < 0 && least === 0 &&
    first <= 0 && last === Infinity
  ) {
    progress(1);
    return undefined;
  }
  const wanted = chosenThreads(trace, threads);
  const thread = trace.threads.name.map((_, each) => wanted(each));
  // Which words occur in a name, as bits; further words are not looked for.
  const bits = (name: string) => {
    const lower = name.toLowerCase();
    return words.slice(0, 30).reduce(
      (sum, word, i) => lower.includes(word) ? sum | 1 << i : sum,
      0,
    );
  };
  const names = trace.names.map(bits);
  const comms = trace.threads.name.map(bits);
  const every = (1 << Math.min(30, words.length)) - 1;
  const found = new Uint32Array(rows.length);
  let length = 0;
  for (let from = 0; from < rows.length; from += BLOCK_ROWS) {
    progress(from / rows.length);
    const texts = words.length === 0 ? undefined : await rows.textsOf(from);
    await new Promise((done) => setTimeout(done));
    if (stop.aborted) return undefined;
    const to = Math.min(rows.length, from + BLOCK_ROWS);
    for (let row = from; row < to; row++) {
      if (rows.ts[row] < first || rows.ts[row] > last) continue;
      if (!thread[rows.thread[row]]) continue;
      if (cpu >= 0 && rows.cpu[row] !== cpu) continue;
      if (
        least > 0 &&
        (rows.kind[row] !== ROW_KIND.return || rows.duration[row] < least)
      ) continue;
      let has = names[rows.name[row]] | comms[rows.thread[row]];
      if (has !== every && texts !== undefined && rows.hasText(row)) {
        has |= bits(rows.textIn(texts, row));
      }
      if (has === every) found[length++] = row;
    }
  }
  progress(1);
  return found.slice(0, length);
}
