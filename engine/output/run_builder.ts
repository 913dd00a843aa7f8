/**
 * From events that are handed out one by one to runs for a writer.
 *
 * @module
 */
import type {
  EventColumns,
  LostEvents,
  PageArena,
} from "../ftrace/ring/columns.ts";
import { EventRun, type TraceSource, type TraceWriter } from "./writer.ts";

/** The most rows in a run: what is handed over at once stays small. */
export const LONGEST_RUN = 4096;

/**
 * Gathers the events of queues, each with columns of one CPU, in the order in
 * which they are handed out. {@linkcode RunBuilder.flush} must be called
 * before the queues are filled again: until then the rows stay where they are.
 */
export class RunBuilder {
  /** Events taken. */
  count = 0;
  readonly #writer: TraceWriter;
  readonly #source: TraceSource;
  /** The run that is being gathered, unless it is empty. */
  #run: EventRun | undefined;
  #empty = true;
  /** Queues whose next event a writer has taken already. */
  readonly #taken = new Set<EventColumns>();

  constructor(source: TraceSource, writer: TraceWriter) {
    this.#source = source;
    this.#writer = writer;
  }

  /** Takes the next event in time order. */
  add(columns: EventColumns, row: number, arena: PageArena): void {
    this.count++;
    const run = this.#run ??= new EventRun(this.#source, columns, arena);
    const loss = lossBefore(columns, row);
    const goesOn = loss === undefined && !this.#empty &&
      columns === run.columns && row === run.to &&
      row - run.from < LONGEST_RUN;
    if (!goesOn) {
      // The run's next event on any CPU is this one.
      this.#handOver(columns.ts[row]);
      if (this.#taken.delete(columns)) return;
      if (loss !== undefined) this.#tell(loss, columns);
      run.columns = columns;
      run.arena = arena;
      run.from = row;
      this.#empty = false;
    }
    run.to = row + 1;
    run.next = row + 1 < columns.length ? row + 1 : -1;
  }

  /** Passes over the next event; a loss before it is told all the same. */
  skip(columns: EventColumns, row: number): void {
    const loss = lossBefore(columns, row);
    if (loss !== undefined) {
      this.#handOver(columns.ts[row]);
      this.#tell(loss, columns);
    } else if (!this.#empty && this.#run?.columns === columns) {
      this.#handOver(columns.ts[row]);
    }
    this.#taken.delete(columns);
  }

  /** Hands over what was gathered. */
  flush(): void {
    this.#handOver(NaN);
  }

  #tell({ row, cpu, count }: LostEvents, columns: EventColumns): void {
    const before = columns.timeAt(row);
    this.#writer.lost({ source: this.#source, cpu, count, before });
  }

  #handOver(nextTs: number): void {
    const run = this.#run;
    if (this.#empty || run === undefined) return;
    this.#empty = true;
    run.nextTs = nextTs;
    run.tookNext = false;
    this.#writer.events(run);
    if (run.tookNext) this.#taken.add(run.columns);
  }
}

function lossBefore(
  columns: EventColumns,
  row: number,
): LostEvents | undefined {
  // Rows without one are nearly all.
  return columns.lost.length === 0
    ? undefined
    : columns.lost.find((loss) => loss.row === row);
}
