/**
 * Types of events that are no calls, with what sums of system calls need to know
 * about each.
 *
 * @module
 */
import type { EventField } from "../../ftrace/events/formats.ts";
import type { EventRun, TraceSource } from "../writer.ts";
import type { PageNames } from "./html_names.ts";
import type { GuestLines } from "./jsonl.ts";

/** What is known of a type of events. */
export interface EventType {
  /** The number of its name. */
  readonly name: number;
  /** Of a system call: its name, without what it does there. */
  readonly call?: number;
  /** Whether it is the end of a system call. */
  readonly exit: boolean;
  /** Of the end of a system call: what it returned. */
  readonly result?: EventField;
}

/** The types of one guest's events, each looked up once. */
export class EventTypes {
  readonly #source: TraceSource;
  readonly #names: PageNames;
  readonly #lines: GuestLines;
  readonly #types = new Map<number, EventType>();

  constructor(source: TraceSource, names: PageNames, lines: GuestLines) {
    this.#source = source;
    this.#names = names;
    this.#lines = lines;
  }

  /** The type of a row. */
  of(run: EventRun, row: number): EventType {
    const type = run.columns.type[row];
    let known = this.#types.get(type);
    if (known === undefined) {
      known = this.#read(type, run, row);
      this.#types.set(type, known);
    }
    return known;
  }

  #read(type: number, run: EventRun, row: number): EventType {
    const format = this.#source.meta.format(type);
    const name = format?.name ?? this.#lines.parts(run, row).name ??
      `event ${type}`;
    const syscall = format?.syscall;
    if (format === undefined || syscall === undefined) {
      return { name: this.#names.index(name), exit: false };
    }
    const { exit } = syscall;
    const result = format.fields.find((field) => field.name === "ret");
    return {
      name: this.#names.index(name, `${exit ? "-" : "+"}${syscall.name}`),
      call: this.#names.index(syscall.name),
      exit,
      ...(exit && result !== undefined ? { result } : {}),
    };
  }
}
