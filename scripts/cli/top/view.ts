/**
 * The view of `xftrace top` on a terminal: what keys do, and what it shows.
 *
 * @module
 */
import { shown } from "xftrace";
import type { TopSnapshot } from "xftrace/output";
import { strong, styled } from "../terminal.ts";
import { columnsFor, TABLES, type TopRow, type TopTable } from "./columns.ts";
import { fit, fitRight, widthOf } from "./fit.ts";
import { headLines, latencyLine, type TopFacts } from "./head.ts";
import { arranged } from "./rows.ts";

/** A key as node:readline tells it. */
export interface KeyPress {
  /** The text that it stands for, if it does. */
  readonly sequence?: string;
  readonly name?: string;
  readonly ctrl?: boolean;
  readonly meta?: boolean;
}

/** What a key asks of the command; `undefined`: at most to draw again. */
export type TopAction = "quit" | "zero" | "suspend" | undefined;

/** Everything that is shown. */
export interface Shown {
  readonly facts: TopFacts;
  readonly snapshot: TopSnapshot;
}

/** Columns for a name, at least. */
const NAME_WIDTH = 24;
/** The longest text to filter by. */
const MOST_FILTER = 200;

const HELP: readonly string[] = [
  "up down pgup pgdn home end   move (also j and k)",
  "right enter                  show what a function calls; errors of a system call",
  "left                         hide that again",
  "tab 1 2 3                    functions, system calls, events",
  "/                            filter by name, as you type; * stands for anything;",
  "                             enter keeps it, esc ends it",
  "< >                          sort by the column to the left or right",
  "c r t h s a o p m e n        sort by calls, calls/s, time, time/s, self, average,",
  "                             p50, p99, max, errors, name",
  "R                            reverse the order",
  "space f                      freeze what is shown; counting goes on",
  "z                            begin to count anew",
  "? esc                        show and leave this help",
  "q ctrl-c                     quit",
];

/** What is remembered of each table. */
class TableState {
  sort: number;
  reverse = false;
  /** The row under the cursor: its place, and what it is. */
  at = 0;
  key: string | undefined;
  /** The first row that is shown. */
  top = 0;
  readonly expanded = new Set<string>();

  constructor(sort: number) {
    this.sort = sort;
  }
}

/** How it begins. */
export interface ViewOptions {
  readonly table?: TopTable;
  /** The title of the column to sort by, or `NAME`. */
  readonly sort?: string;
  readonly filter?: string;
}

/** What is shown, and how keys change it. */
export class TopView {
  readonly #states = TABLES.map(({ columns }) =>
    new TableState(Math.max(0, columns.findIndex(({ key }) => key === "t")))
  );
  #table = 0;
  #filter: string;
  #typing = false;
  #help = false;
  #frozen: Shown | undefined;
  #shown: Shown;
  #rows: TopRow[] = [];
  /** Rows of the table for which there is room. */
  #page = 1;

  /** @param shown what is there at first */
  constructor(shown: Shown, { table, sort, filter = "" }: ViewOptions = {}) {
    this.#shown = shown;
    this.#filter = filter;
    if (table !== undefined) this.#table = TABLES.indexOf(table);
    if (sort !== undefined) {
      this.#state.sort = TABLES[this.#table].columns.findIndex(({ title }) =>
        title === sort
      );
    }
    this.#arrange();
  }

  /** What is new. It is not shown while the view is frozen. */
  update(shown: Shown): void {
    this.#shown = shown;
    this.#arrange();
  }

  /** Whether it is frozen. */
  get frozen(): boolean {
    return this.#frozen !== undefined;
  }

  get #state(): TableState {
    return this.#states[this.#table];
  }

  /** Does what a key stands for. */
  press(key: KeyPress): TopAction {
    const action = this.#do(key);
    this.#arrange();
    return action;
  }

  #do(key: KeyPress): TopAction {
    if (key.ctrl === true && key.name === "c") return "quit";
    if (key.ctrl === true && key.name === "z") return "suspend";
    if (this.#typing) return this.#type(key);
    if (this.#help) {
      if (key.sequence === "q") return "quit";
      this.#help = false;
      return undefined;
    }
    return this.#move(key) ? undefined : this.#command(key);
  }

  /** Takes a key while the filter is typed. */
  #type({ name, sequence = "", ctrl, meta }: KeyPress): undefined {
    if (name === "return" || name === "enter") this.#typing = false;
    else if (name === "escape") {
      this.#typing = false;
      this.#filter = "";
    } else if (name === "backspace") {
      this.#filter = [...this.#filter].slice(0, -1).join("");
    } else if (ctrl === true && name === "u") this.#filter = "";
    else if (name === "up" || name === "down") {
      this.#move({ name });
    } else if (ctrl !== true && meta !== true && shown(sequence) === sequence) {
      this.#filter = (this.#filter + sequence).slice(0, MOST_FILTER);
    }
    return undefined;
  }

  /** Moves the cursor, if the key does. */
  #move({ name, sequence }: KeyPress): boolean {
    const state = this.#state;
    const last = Math.max(0, this.#rows.length - 1);
    const to = (at: number) => {
      state.at = Math.min(last, Math.max(0, at));
      state.key = this.#rows[state.at]?.key;
      return true;
    };
    switch (name ?? sequence) {
      case "up":
      case "k":
        return to(state.at - 1);
      case "down":
      case "j":
        return to(state.at + 1);
      case "pageup":
        return to(state.at - this.#page);
      case "pagedown":
        return to(state.at + this.#page);
      case "home":
        return to(0);
      case "end":
        return to(last);
      default:
        return false;
    }
  }

  #command({ name, sequence = "" }: KeyPress): TopAction {
    switch (name) {
      case "tab":
        this.#table = (this.#table + 1) % TABLES.length;
        return undefined;
      case "return":
      case "enter":
        this.#expand((open) => !open);
        return undefined;
      case "right":
        this.#expand(() => true);
        return undefined;
      case "left":
        this.#expand(() => false);
        return undefined;
      case "escape":
        this.#filter = "";
        return undefined;
    }
    switch (sequence) {
      case "q":
        return "quit";
      case "z":
        this.#frozen = undefined;
        return "zero";
      case "/":
        this.#typing = true;
        break;
      case "?":
        this.#help = true;
        break;
      case " ":
      case "f":
        this.#frozen = this.#frozen === undefined ? this.#shown : undefined;
        break;
      case "R":
        this.#state.reverse = !this.#state.reverse;
        break;
      case "<":
      case ",":
        this.#sortBy(this.#state.sort - 1);
        break;
      case ">":
      case ".":
        this.#sortBy(this.#state.sort + 1);
        break;
      default:
        if (/^[1-9]$/.test(sequence) && Number(sequence) <= TABLES.length) {
          this.#table = Number(sequence) - 1;
        } else this.#sortKey(sequence);
    }
    return undefined;
  }

  /** Sorts by another column; those beyond the last and first are the names. */
  #sortBy(column: number): void {
    const { length } = TABLES[this.#table].columns;
    this.#state.sort = column < 0 ? (column === -1 ? -1 : length - 1) : column;
    if (this.#state.sort >= length) this.#state.sort = -1;
  }

  #sortKey(sequence: string): void {
    const { columns } = TABLES[this.#table];
    const column = columns.findIndex(({ key }) => key === sequence);
    if (column >= 0 || sequence === "n") this.#state.sort = column;
  }

  /** Expands what is under the cursor, or a row above it that can be. */
  #expand(wish: (open: boolean) => boolean): void {
    const state = this.#state;
    const row = this.#rows[state.at];
    if (row === undefined) return;
    const open = row.below === "open";
    if (row.below !== undefined && wish(open) !== open) {
      if (open) state.expanded.delete(row.key);
      else state.expanded.add(row.key);
    } else if (row.level > 0 && !wish(true)) {
      // What is hidden is that in which the row lies.
      const above = this.#rows.findLastIndex(({ level }, i) =>
        i < state.at && level < row.level
      );
      if (above < 0) return;
      state.expanded.delete(this.#rows[above].key);
      state.at = above;
      state.key = this.#rows[above].key;
    }
  }

  /** All lines of a screen. */
  lines(width: number, height: number): string[] {
    const { facts, snapshot } = this.#frozen ?? this.#shown;
    const table = TABLES[this.#table];
    const head = headLines(facts, snapshot).map(({ text, bad }) => {
      const line = fit(shown(text), width);
      return bad === true ? styled("red", line) : line;
    });
    if (this.#frozen !== undefined) {
      head[0] = styled("yellow", fit(`FROZEN  ${shown(facts.target)}`, width));
    }
    const selected = this.#rows[this.#state.at];
    const latency = selected === undefined || selected.longest.length === 0
      ? latencyLine(snapshot.longest, "of all functions", width)
      : latencyLine(selected.longest, `of ${shown(selected.name)}`, width);
    const lines = [
      ...head,
      fit(latency, width),
      this.#tabs(width),
    ];
    if (this.#help) lines.push("", ...HELP.map((line) => fit(line, width)));
    else lines.push(...this.#body(table, width, height - lines.length - 1));
    lines.length = Math.min(lines.length, height - 1);
    while (lines.length < height - 1) lines.push("");
    lines.push(this.#foot(width));
    return lines;
  }

  /** Sorts, and finds the row under the cursor again. */
  #arrange(): void {
    const { snapshot } = this.#frozen ?? this.#shown;
    const state = this.#state;
    const table = TABLES[this.#table];
    this.#rows = arranged(table, snapshot, {
      sort: table.columns[state.sort],
      // Names begin with the first one, numbers with the greatest.
      reverse: state.reverse,
      filter: this.#filter,
      expanded: state.expanded,
    });
    const found = state.key === undefined
      ? -1
      : this.#rows.findIndex(({ key }) => key === state.key);
    // The cursor stays at the top until it is moved.
    if (found > 0 && state.at > 0) state.at = found;
    state.at = Math.min(state.at, Math.max(0, this.#rows.length - 1));
  }

  #tabs(width: number): string {
    const tabs = TABLES.map(({ title }, i) => {
      const text = ` ${i + 1} ${title} `;
      return i === this.#table ? styled("inverse", text) : text;
    }).join("");
    const used = TABLES.reduce((sum, { title }) => sum + title.length + 4, 0);
    const filter = this.#typing || this.#filter !== ""
      ? `  filter: ${shown(this.#filter)}${this.#typing ? "_" : ""}`
      : "";
    const room = Math.max(0, width - used);
    return tabs +
      (this.#typing ? strong(fit(filter, room)) : fit(filter, room));
  }

  #body(table: TopTable, width: number, height: number): string[] {
    const { columns } = table;
    const state = this.#state;
    const fitting = columnsFor(table, width, NAME_WIDTH);
    const used = fitting.reduce((sum, { width }) => sum + width + 1, 0);
    const own = this.#rows.some(({ process }) => process !== undefined);
    const names = Math.max(1, width - used);
    const processes = own ? Math.min(24, Math.floor(names / 2)) : 0;
    const head = fitting.map(({ title, width, ...column }) =>
      fitRight(
        columns[state.sort]?.key === column.key
          ? `${title}${state.reverse ? "^" : "v"}`
          : title,
        width,
      )
    ).join(" ") + " " +
      fit(
        (own ? fit("PROCESS", processes) : "") +
          table.what + (state.sort < 0 ? (state.reverse ? "v" : "^") : ""),
        names,
      );
    this.#page = Math.max(1, height - 1);
    if (this.#rows.length === 0) {
      return [
        strong(fit(head, width)),
        "",
        fit(this.#filter === "" ? table.none : "Nothing has this name.", width),
      ];
    }
    state.top = Math.min(
      Math.max(state.top, state.at - this.#page + 1),
      state.at,
      Math.max(0, this.#rows.length - this.#page),
    );
    const lines = this.#rows.slice(state.top, state.top + this.#page)
      .map((row, i) => {
        const cells = fitting.map((column) =>
          fitRight(column.text(column.value(row)), column.width)
        ).join(" ");
        const mark = row.below === undefined
          ? "  "
          : row.below === "open"
          ? "- "
          : "+ ";
        const name = "  ".repeat(row.level) + mark + shown(row.name);
        const process = own
          ? fit(shown(row.process ?? ""), processes - 1) + " "
          : "";
        const line = `${cells} ${process}${
          fit(name, Math.max(0, names - 1 - widthOf(process)))
        }`;
        const whole = fit(line, width);
        if (state.top + i === state.at) return styled("inverse", whole);
        return row.foreign ? styled("red", whole) : whole;
      });
    return [strong(fit(head, width)), ...lines];
  }

  #foot(width: number): string {
    const { length } = this.#rows;
    const place = length === 0 ? "" : `  ${this.#state.at + 1}/${length}`;
    const keys = this.#typing
      ? "enter: keep the filter  esc: end it"
      : "q quit  / filter  <> sort  R reverse  space freeze  enter expand  tab table  z zero  ? help";
    return styled("dim", fit(keys + place, width));
  }
}
