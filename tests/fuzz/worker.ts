/**
 * The process in which one target runs: it may hang or end, and its parent
 * knows from a file which input it had begun.
 *
 * @module
 */
import { keepInput } from "./kept.ts";
import { FuzzedTarget, targetFolder } from "./run.ts";
import { targetNamed } from "./targets.ts";

/** What a worker is told, as JSON in its first argument. */
export interface Work {
  readonly target: string;
  readonly seed: number;
  /** The first iteration. */
  readonly from: number;
  /** The iteration before which to end. */
  readonly to: number;
  /** How long to run, in ms. */
  readonly ms: number;
  /** The file in which the iteration stands that was begun last. */
  readonly begun: string;
  /** Where failed inputs are kept. */
  readonly keep: string;
}

/** What a worker says in the end, as JSON. */
export interface Worked {
  /** The iteration that would be next. */
  readonly next: number;
  readonly structural: number;
  /** How many inputs were taken without an error. */
  readonly accepted: number;
  readonly failures: readonly {
    readonly key: string;
    readonly why: string;
    readonly iteration: number;
    readonly times: number;
    readonly stack?: string | undefined;
    readonly file: string;
  }[];
}

/** The most different failures of one target. */
const MOST_FAILURES = 50;

/** Runs a target until its time is over. */
async function work(
  { target: name, seed, from, to, ms, begun, keep }: Work,
): Promise<Worked> {
  const folder = targetFolder();
  const failures = new Map<string, Worked["failures"][number]>();
  let structural = 0;
  let accepted = 0;
  let iteration = from;
  try {
    const target = new FuzzedTarget(targetNamed(name), seed, folder);
    await target.seeds();
    using file = Deno.openSync(begun, { write: true });
    const number = new Float64Array(1);
    const bytes = new Uint8Array(number.buffer);
    const end = performance.now() + ms;
    for (; iteration < to && performance.now() < end; iteration++) {
      number[0] = iteration;
      file.seekSync(0, Deno.SeekMode.Start);
      file.writeSync(bytes);
      const made = target.make(iteration);
      if (made.structural) structural++;
      const copy = made.input.map((part) => part.slice());
      const failure = await target.run(made.input, iteration);
      if (failure === undefined) continue;
      const { key, why, stack } = failure;
      const known = failures.get(key);
      if (known !== undefined) {
        failures.set(key, { ...known, times: known.times + 1 });
        continue;
      }
      const path = `${keep}/${name}-${seed}-${iteration}`;
      keepInput(path, name, why, copy);
      failures.set(key, { key, why, iteration, times: 1, stack, file: path });
      if (failures.size >= MOST_FAILURES) break;
    }
    accepted = target.accepted;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
  return {
    next: iteration,
    structural,
    accepted,
    failures: [...failures.values()],
  };
}

if (import.meta.main) {
  const wish: Work = JSON.parse(Deno.args[0]);
  console.log(JSON.stringify(await work(wish)));
}
