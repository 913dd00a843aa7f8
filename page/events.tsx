/**
 * The list of events, with a filter.
 *
 * @module
 */
import { useEffect, useState } from "preact/hooks";
import type { PageTrace } from "../engine/output/page/data.ts";
import { ROW_KIND } from "../engine/output/page/packed.ts";
import { type Filter, filteredRows } from "./filter.ts";
import type { Rows } from "./load.ts";
import { foreignNames } from "./paint.ts";
import { Choice, FunctionName, TextField } from "./parts.tsx";
import { ThreadChoice, threadText } from "./threads.tsx";
import { count, duration, fieldsText, moment } from "./text.ts";

/** Rows on one page of the list. */
const PAGE = 200;

export function Events(
  { trace, rows, filter, setFilter }: {
    trace: PageTrace;
    rows: Rows;
    filter: Filter;
    setFilter: (filter: Filter) => void;
  },
) {
  const foreign = foreignNames(trace);
  const [found, setFound] = useState<Uint32Array | undefined>();
  const [searched, setSearched] = useState(1);
  const [page, setPage] = useState(0);
  const [texts, setTexts] = useState<readonly string[]>([]);
  useEffect(() => {
    const stop = new AbortController();
    setPage(0);
    filteredRows(trace, rows, filter, stop.signal, setSearched).then((all) => {
      if (!stop.signal.aborted) setFound(all);
    });
    return () => stop.abort();
  }, [
    trace,
    rows,
    filter.text,
    filter.threads,
    filter.cpu,
    filter.least,
    filter.from,
    filter.to,
    filter.from,
    filter.to,
  ]);
  const all = found?.length ?? rows.length;
  const from = Math.min(page * PAGE, Math.max(0, all - 1));
  const to = Math.min(all, from + PAGE);
  useEffect(() => {
    let here = true;
    textsOf(rows, found, from, to).then((read) => {
      if (here) setTexts(read);
    });
    return () => {
      here = false;
    };
  }, [rows, found, from, to]);
  const pages = Math.max(1, Math.ceil(all / PAGE));
  const cpus = new Set<number>();
  for (let row = 0; row < rows.length; row++) cpus.add(rows.cpu[row]);
  return (
    <>
      <div class="bar">
        <TextField
          label="Filter"
          hint="words in name, thread or arguments"
          value={filter.text}
          set={(text) => setFilter({ ...filter, text })}
        />
        <ThreadChoice
          trace={trace}
          value={filter.threads}
          set={(threads) => setFilter({ ...filter, threads })}
        />
        <Choice
          label="CPU"
          value={String(filter.cpu)}
          set={(cpu) => setFilter({ ...filter, cpu: Number(cpu) })}
          options={[
            ["-1", "all"],
            ...[...cpus].sort((a, b) => a - b).map((cpu): [string, string] => [
              String(cpu),
              String(cpu),
            ]),
          ]}
        />
        <Choice
          label="Took at least"
          value={String(filter.least)}
          set={(least) => setFilter({ ...filter, least: Number(least) })}
          options={LEAST}
        />
        {filter.to === Infinity ? null : (
          <button
            type="button"
            onClick={() => setFilter({ ...filter, from: 0, to: Infinity })}
          >
            Only from {moment(filter.from, trace.unit)} to{" "}
            {moment(filter.to, trace.unit)}: show all times
          </button>
        )}
      </div>
      <p role="status">
        {searched < 1
          ? `${Math.floor(100 * searched)} % searched`
          : `${count(all)} of ${count(rows.length)} events`}
      </p>
      <Pages page={page} pages={pages} set={setPage} />
      <div class="wide" role="region" aria-label="Events" tabIndex={0}>
        <table class="events">
          <thead>
            <tr>
              <th scope="col" class="number">
                Time{trace.unit === "ns" ? " (s)" : ""}
              </th>
              <th scope="col" class="number">CPU</th>
              <th scope="col">Thread</th>
              <th scope="col">Event</th>
              <th scope="col" class="number">Took</th>
              <th scope="col">Arguments</th>
            </tr>
          </thead>
          <tbody>
            {Array.from({ length: to - from }, (_, i) => (
              <Row
                key={i}
                trace={trace}
                rows={rows}
                row={found === undefined ? from + i : found[from + i]}
                text={texts[i] ?? ""}
                foreign={foreign}
              />
            ))}
          </tbody>
        </table>
      </div>
      <Pages page={page} pages={pages} set={setPage} />
    </>
  );
}

const LEAST: readonly (readonly [string, string])[] = [
  ["0", "anything"],
  ["1000", "1 µs"],
  ["10000", "10 µs"],
  ["100000", "100 µs"],
  ["1000000", "1 ms"],
  ["10000000", "10 ms"],
  ["100000000", "100 ms"],
];

async function textsOf(
  rows: Rows,
  found: Uint32Array | undefined,
  from: number,
  to: number,
): Promise<string[]> {
  const texts: string[] = [];
  for (let at = from; at < to; at++) {
    const row = found === undefined ? at : found[at];
    texts.push(
      rows.hasText(row) ? rows.textIn(await rows.textsOf(row), row) : "",
    );
  }
  return texts;
}

function Row(
  { trace, rows, row, text, foreign }: {
    trace: PageTrace;
    rows: Rows;
    row: number;
    text: string;
    foreign: ReadonlySet<number>;
  },
) {
  const kind = rows.kind[row];
  const lost = kind === ROW_KIND.lost;
  const took = rows.duration[row];
  const name = trace.names[rows.name[row]] ?? "";
  return (
    <tr class={lost ? "bad" : ""}>
      <td class="number">{moment(rows.ts[row], trace.unit)}</td>
      <td class="number">{rows.cpu[row]}</td>
      <td>{lost ? "" : threadText(trace, rows.thread[row])}</td>
      <td
        style={{
          paddingLeft: `${Math.min(rows.depth[row], 30) * 0.7 + 0.3}rem`,
        }}
      >
        {kind === ROW_KIND.entry
          ? <span class="quiet" title="entered">→&nbsp;</span>
          : kind === ROW_KIND.return
          ? <span class="quiet" title="returned">←&nbsp;</span>
          : null}
        <FunctionName name={name} foreign={foreign.has(rows.name[row])} />
      </td>
      <td class="number">
        {kind === ROW_KIND.return ? duration(took, trace.unit) : ""}
      </td>
      <td>
        {lost
          ? (took === 0 ? "some events" : `${count(took - 1)} events`)
          : <code>{fieldsText(text)}</code>}
      </td>
    </tr>
  );
}

function Pages(
  { page, pages, set }: {
    page: number;
    pages: number;
    set: (page: number) => void;
  },
) {
  const button = (text: string, to: number) => (
    <button
      type="button"
      disabled={to < 0 || to >= pages || to === page}
      onClick={() => set(to)}
    >
      {text}
    </button>
  );
  return (
    <nav class="bar" aria-label="Pages of the list">
      {button("First", 0)}
      {button("Back", page - 1)}
      <span>Page {count(page + 1)} of {count(pages)}</span>
      {button("Next", page + 1)}
      {button("Last", pages - 1)}
    </nav>
  );
}
