/**
 * Parts that several views use.
 *
 * @module
 */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { count, shown } from "./text.ts";

/** How many rows of a table are shown before somebody asks for more. */
const SHOWN_ROWS = 100;

/** A column of a table. */
export interface TableColumn<T> {
  readonly title: string;
  /** What it is sorted by; columns of texts have none. */
  readonly value?: (row: T) => number;
  readonly cell: (row: T) => ComponentChildren;
}

/** A table that is sorted by the column that one clicks on. */
export function SortedTable<T>(
  { caption, columns, rows, first, bad, hint }: {
    caption: string;
    columns: readonly TableColumn<T>[];
    rows: readonly T[];
    /** The column by which it is sorted at first. */
    first: number;
    bad?: (row: T) => boolean;
    hint?: string;
  },
) {
  const [by, setBy] = useState(first);
  const [up, setUp] = useState(false);
  const [most, setMost] = useState(SHOWN_ROWS);
  const value = columns[by].value;
  const sorted = value === undefined
    ? rows
    : [...rows].sort((a, b) => (up ? 1 : -1) * (value(a) - value(b)));
  return (
    <>
      <div class="wide" role="region" aria-label={caption} tabIndex={0}>
        <table>
          <caption>
            {caption} ({count(rows.length)}){hint === undefined
              ? null
              : <small>{hint}</small>}
          </caption>
          <thead>
            <tr>
              {columns.map((column, i) => (
                <th
                  key={i}
                  scope="col"
                  class={column.value === undefined ? "" : "number"}
                  aria-sort={i !== by || column.value === undefined
                    ? undefined
                    : up
                    ? "ascending"
                    : "descending"}
                >
                  {column.value === undefined ? column.title : (
                    <button
                      type="button"
                      onClick={() => {
                        setUp(i === by && !up);
                        setBy(i);
                      }}
                    >
                      {column.title}
                      <span aria-hidden="true">
                        {i === by ? (up ? " ▲" : " ▼") : ""}
                      </span>
                    </button>
                  )}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sorted.slice(0, most).map((row, at) => (
              <tr key={at} class={bad?.(row) === true ? "bad" : ""}>
                {columns.map((column, i) => (
                  <td
                    key={i}
                    class={column.value === undefined ? "" : "number"}
                  >
                    {column.cell(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > most
        ? (
          <button
            type="button"
            onClick={() => setMost(most * 5)}
          >
            Show more ({count(rows.length - most)} are left)
          </button>
        )
        : null}
    </>
  );
}

/** A function's name; those of modules and of no known code look different. */
export function FunctionName(
  { name, foreign = false }: { name: string; foreign?: boolean },
) {
  const kind = foreign ? "foreign" : name.endsWith("]") ? "module" : "";
  return (
    <span class={`name ${kind}`}>
      {foreign ? <strong class="badge">foreign</strong> : null}
      {shown(name)}
    </span>
  );
}

/** A field for a text, with its label. */
export function TextField(
  { label, value, set, hint = "" }: {
    label: string;
    value: string;
    set: (value: string) => void;
    hint?: string;
  },
) {
  return (
    <label class="field">
      <span>{label}</span>
      <input
        type="search"
        value={value}
        placeholder={hint}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => set(event.currentTarget.value)}
      />
    </label>
  );
}

/** A choice, with its label. */
export function Choice(
  { label, value, options, set }: {
    label: string;
    value: string;
    options: readonly (readonly [value: string, text: string])[];
    set: (value: string) => void;
  },
) {
  return (
    <label class="field">
      <span>{label}</span>
      <select
        value={value}
        onChange={(event) => set(event.currentTarget.value)}
      >
        {options.map(([each, text]) => (
          <option key={each} value={each}>{text}</option>
        ))}
      </select>
    </label>
  );
}
