/**
 * Names of threads and functions in formats of call stacks.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";
import type { FunctionList, OpenCalls } from "../../ftrace/graph/open_calls.ts";
import type { TraceSource } from "../writer.ts";
import { recordedNames } from "../text/environment.ts";

/**
 * A thread's name and pid: `bash-412`; the idle threads are `swapper/CPU-0`, as
 * `ps` has them.
 */
export function threadName(
  { meta }: TraceSource,
  pid: number,
  cpu: number,
): string {
  if (pid === 0) return `swapper/${cpu}-0`;
  return `${pid > 0 ? meta.comm(pid) ?? "<...>" : "<...>"}-${pid}`;
}

/** The names of a trace's functions, each looked up once. */
export class FunctionNames {
  readonly #source: TraceSource;
  readonly #functions: FunctionList;
  readonly #names: string[] = [];

  constructor(source: TraceSource, functions: FunctionList) {
    this.#source = source;
    this.#functions = functions;
  }

  /** The name of the function with this index: `ext4_read [ext4]`. */
  at(index: number): string {
    const { halves } = this.#functions;
    return this.#names[index] ??= recordedNames(this.#source.meta).ps(
      halves[2 * index],
      halves[2 * index + 1],
    );
  }
}

/** The error for a trace that a format of calls has nothing to say about. */
export function noCalls(format: string): XftraceError {
  return new XftraceError(
    `the trace holds no call of a function from its entry to its return, and the format ${format} shows nothing else; record with the tracer function_graph, or use --format text`,
  );
}

/**
 * What a format of calls alone could not carry, a sentence each.
 *
 * @param cut what becomes of calls whose return is missing
 * @param gaps places where events are missing
 */
export function leftOutCalls(
  format: string,
  calls: Iterable<Pick<OpenCalls, "others" | "cut" | "begunBefore">>,
  cut: string,
  gaps: number,
): string[] {
  const sums = { others: 0, cut: 0, begunBefore: 0 };
  for (const each of calls) {
    sums.others += each.others;
    sums.cut += each.cut;
    sums.begunBefore += each.begunBefore;
  }
  const said: string[] = [];
  const say = (number: number, text: string) => {
    if (number > 0) said.push(`${text}: ${number.toLocaleString("en-US")}`);
  };
  say(
    sums.others,
    `events that are no calls of functions are left out, as the format ${format} shows nothing else`,
  );
  say(sums.cut, `calls whose return is missing ${cut}`);
  say(sums.begunBefore, "returns whose entry is missing are left out");
  say(
    gaps,
    `places where events are missing are not marked, as the format ${format} cannot`,
  );
  return said;
}
