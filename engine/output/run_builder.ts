/**
 * Combines events that arrive one by one into runs for a writer.
 *
 * @module
 */
import type {
  EventColumns,
  LostEvents,
  PageArena,
} from "../ftrace/ring/columns.ts";
import { EventRun, type TraceSource, type TraceWriter } from "./writer.ts";

/**
 * The maximum number of rows in a run, which bounds how much is passed on at
 * once.
 */
export const LONGEST_RUN = 4096;

/**
 * Combines the events of queues, each with columns of one CPU, in the order in
 * which they arrive. {@linkcode RunBuilder.flush} must be called before the
 * queues are filled again, because the rows do not move until then.
 */
export class RunBuilder {
  /** Number of events added. */
  count = 0;
  readonly #writer: TraceWriter;
  readonly #source: TraceSource;
  /** The current run; its content is valid unless `#empty` is set. */
  #run: EventRun | undefined;
  #empty = true;
  /** Queues whose next event the writer has consumed already. */
  readonly #taken = new Set<EventColumns>();

  constructor(source: TraceSource, writer: TraceWriter) {
    this.#source = source;
    this.#writer = writer;
  }

  /** Adds the next event in time order. */
  add(columns: EventColumns, row: number, arena: PageArena): void {
    this.count++;
    const run = this.#run ??= new EventRun(this.#source, columns, arena);
    const loss = lossBefore(columns, row);
    const goesOn = loss === undefined && !this.#empty &&
      columns === run.columns && row === run.to &&
      row - run.from < LONGEST_RUN;
    if (!goesOn) {
      // This event is the next one on any CPU after the run.
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

  /** Leaves out the next event; a loss before it is reported all the same. */
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

  /** Passes on the current run. */
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
  // Nearly all rows have no loss before them.
  return columns.lost.length === 0
    ? undefined
    : columns.lost.find((loss) => loss.row === row);
}
