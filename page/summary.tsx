/**
 * What to know first: what was traced, for how long, what is missing, verdicts
 * and findings.
 *
 * @module
 */
import type {
  PageData,
  PageTable,
  PageTrace,
} from "../engine/output/page/data.ts";
import { BarChart } from "./chart.tsx";
import { foreignNames } from "./paint.ts";
import { FunctionName } from "./parts.tsx";
import { foreignCalls } from "./stacks.ts";
import { count, duration, moduleOf, moment, share, shown } from "./text.ts";

/** Functions and foreign calls that the summary names. */
const NAMED = 10;

export function Summary({ data }: { data: PageData }) {
  const { trace, verdict, facts, tables = [] } = data;
  return (
    <>
      {verdict === undefined
        ? null
        : <p class={`verdict ${verdict.kind}`}>{shown(verdict.text)}</p>}
      <dl class="facts">
        {[...facts, ...(trace === undefined ? [] : traceFacts(trace))].map((
          [name, text],
        ) => (
          <div key={name}>
            <dt>{shown(name)}</dt>
            <dd>{shown(text)}</dd>
          </div>
        ))}
      </dl>
      {trace === undefined ? null : <TraceSummary trace={trace} />}
      {tables.map((table) => <PlainTable key={table.title} table={table} />)}
    </>
  );
}

function traceFacts(trace: PageTrace): [string, string][] {
  const { guests, events, lost, dropped, length, unit } = trace;
  const gaps = guests.reduce((sum, guest) => sum + guest.gaps, 0);
  const missing = guests.reduce((sum, guest) => sum + guest.missing, 0);
  const facts: [string, string][] = [];
  for (const { target, release, tracer, cpus } of guests) {
    facts.push([
      guests.length > 1 ? `Guest ${target}` : "Guest",
      `${target}${release === "" ? "" : `, Linux ${release}`}, ${
        count(cpus)
      } CPUs, tracer ${tracer}`,
    ]);
  }
  facts.push(
    [
      "Time",
      `${duration(length, unit)}, from ${
        moment(Number(trace.start), unit)
      } of the guest's trace clock`,
    ],
    ["Events", count(events)],
    ["Threads", count(trace.threads.events.filter((n) => n > 0).length)],
    [
      "Losses",
      lost === 0 && gaps === 0
        ? "none: all events that the guest had were read"
        : `${count(Math.max(lost, missing))} events${
          gaps === 0 ? "" : `, at ${count(gaps)} places`
        }`,
    ],
    [
      "Overwritten or dropped by the guest",
      dropped === 0 ? "none" : `${count(dropped)} events`,
    ],
    ["Seal", "none: a guest can change what is not sealed"],
    [
      "Foreign calls",
      trace.foreign.length === 0
        ? "none seen"
        : `${count(trace.foreign.reduce((sum, each) => sum + each.calls, 0))}`,
    ],
  );
  return facts;
}

function TraceSummary({ trace }: { trace: PageTrace }) {
  const { functions, names, density, unit } = trace;
  const top = functions.name.map((_, i) => i)
    .sort((a, b) => functions.self[b] - functions.self[a]).slice(0, NAMED);
  const foreign = foreignNames(trace);
  const all = functions.self.reduce((sum, each) => sum + each, 0);
  return (
    <>
      {trace.leftOut.length === 0 ? null : (
        <section>
          <h2>What is left out</h2>
          <ul>{trace.leftOut.map((each) => <li key={each}>{each}</li>)}</ul>
        </section>
      )}
      <ForeignTable trace={trace} />
      <section>
        <h2>Events over time</h2>
        <BarChart
          label={`Events for each ${duration(density.width, unit)}`}
          starts={density.counts.map((_, i) => i * density.width)}
          end={density.counts.length * density.width}
          counts={density.counts}
          unit={unit}
        />
      </section>
      {top.length === 0 ? null : (
        <section>
          <h2>Functions with most time of their own</h2>
          <ol class="top">
            {top.map((i) => (
              <li key={i}>
                <meter
                  min={0}
                  max={1}
                  value={all > 0 ? functions.self[i] / all : 0}
                  aria-label={`share of ${shown(names[functions.name[i]])}`}
                />
                <FunctionName
                  name={names[functions.name[i]]}
                  foreign={foreign.has(functions.name[i])}
                />{" "}
                <span class="quiet">
                  {duration(functions.self[i])}, {share(functions.self[i], all)}
                </span>
              </li>
            ))}
          </ol>
        </section>
      )}
    </>
  );
}

/** Foreign calls, with their callers and modules. */
export function ForeignTable({ trace }: { trace: PageTrace }) {
  if (trace.foreign.length === 0) return null;
  return (
    <section class="alarm">
      <h2>Calls of foreign code</h2>
      <div
        class="wide"
        role="region"
        aria-label="Calls of foreign code"
        tabIndex={0}
      >
        <table>
          <thead>
            <tr>
              <th scope="col">Function</th>
              <th scope="col">Called by</th>
              <th scope="col">Module</th>
              <th scope="col">Why it is listed</th>
              <th scope="col" class="number">Calls</th>
            </tr>
          </thead>
          <tbody>
            {foreignCalls(trace).map(({ name, caller, why, calls }, i) => (
              <tr key={i} class="bad">
                <td>
                  <FunctionName name={name} foreign />
                </td>
                <td>
                  <FunctionName name={caller === "" ? "-" : caller} />
                </td>
                <td>
                  {shown(
                    moduleOf(name) ?? moduleOf(caller) ?? "in no known code",
                  )}
                </td>
                <td>{why}</td>
                <td class="number">{count(calls)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function PlainTable({ table }: { table: PageTable }) {
  const { title, head, rows, none, bad = [] } = table;
  if (rows.length === 0 && none === undefined) return null;
  return (
    <section>
      <h2>{shown(title)}</h2>
      {rows.length === 0
        ? <p>{none}</p>
        : (
          <div class="wide" role="region" aria-label={title} tabIndex={0}>
            <table>
              <thead>
                <tr>
                  {head.map((each, i) => (
                    <th key={i} scope="col">{shown(each)}</th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {rows.map((row, i) => (
                  <tr key={i} class={bad.includes(i) ? "bad" : ""}>
                    {row.map((cell, j) => (
                      <td
                        key={j}
                        class={typeof cell === "number" ? "number" : ""}
                      >
                        {typeof cell === "number" ? count(cell) : shown(cell)}
                      </td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
    </section>
  );
}
