/**
 * Runs a target on changed inputs, and judges each run. Each input follows from
 * the seed, the target and its number alone, so that any of them can be made
 * again.
 *
 * @module
 */
import { XftraceError } from "../../engine/base/errors.ts";
import { ProcPermissionError } from "../../engine/targets/proc.ts";
import { Random } from "../random.ts";
import { mutateAnyBytes } from "./bytes.ts";
import type { Input, OpenTarget, Target } from "./target.ts";

/** The longest a run may take, in ms. */
export const MOST_MS = 5000;
/** The most memory that a run may add, in bytes. */
export const MOST_BYTES = 1 << 30;
/** The most characters of an error's message: it is shown to somebody. */
const MOST_MESSAGE = 10_000;
/** Runs shorter than this cannot have filled much memory, ms. */
const SHORT_MS = 5;

/** A changed input. */
export interface Made {
  readonly input: Input;
  /** Whether the change knew the format. */
  readonly structural: boolean;
}

/** A run that ended as none may. */
export interface Failure {
  readonly iteration: number;
  /** One line. */
  readonly why: string;
  /** Equal for failures that are probably the same. */
  readonly key: string;
  readonly stack?: string | undefined;
}

/** A target, and the runs that it has had. */
export class FuzzedTarget {
  readonly name: string;
  readonly #open: OpenTarget;
  readonly #seed: number;
  /** How many inputs the parser took without an error. */
  accepted = 0;

  /** @param folder an empty one, for the target's files */
  constructor(target: Target, seed: number, folder: string) {
    this.name = target.name;
    this.#open = target.open(folder);
    this.#seed = mixed(seed, target.name);
  }

  /** Runs all seeds; they must be accepted. */
  async seeds(): Promise<void> {
    for (const seed of this.#open.seeds) await this.#open.run(copied(seed));
  }

  /** Makes the input with a number; every second one by its structure. */
  make(iteration: number): Made {
    const random = new Random(this.#seed ^ Math.imul(iteration, 0x9e3779b1));
    const target = this.#open;
    const input = copied(random.pick(target.seeds));
    const structural = iteration % 2 === 1;
    if (structural) {
      for (let times = 1 + random.next(4); times > 0; times--) {
        target.mutate(input, random);
      }
    } else if (target.mutateBytes !== undefined) {
      target.mutateBytes(input, random);
    } else mutateAnyBytes(input, random);
    if (random.next(4) > 0) target.repair?.(input, random);
    return { input, structural };
  }

  /** Runs one input; a failure, or nothing. */
  async run(input: Input, iteration = 0): Promise<Failure | undefined> {
    const start = performance.now();
    let failure: Failure | undefined;
    try {
      await this.#open.run(input);
      this.accepted++;
    } catch (error) {
      failure = judged(error, iteration);
    }
    const ms = performance.now() - start;
    if (failure !== undefined || ms < SHORT_MS) return failure;
    const grown = grownBytes();
    if (ms > MOST_MS) {
      return {
        iteration,
        why: `took ${(ms / 1000).toFixed(1)} s`,
        key: "slow",
      };
    }
    return grown <= MOST_BYTES ? undefined : {
      iteration,
      why: `took ${Math.round(grown / 2 ** 20)} MiB`,
      key: "memory",
    };
  }
}

/** A failure, unless the error is one that the program foresees. */
function judged(error: unknown, iteration: number): Failure | undefined {
  if (error instanceof XftraceError || error instanceof ProcPermissionError) {
    return error.message.length <= MOST_MESSAGE ? undefined : {
      iteration,
      why: `a message of ${error.message.length} characters`,
      key: "message",
      stack: error.stack?.slice(0, 200) + "...",
    };
  }
  const { name, message, stack = "" } = error instanceof Error
    ? error
    : { name: "thrown", message: String(error) };
  const frame = /\/((?:engine|dsl|ffi|scripts|tests)\/[^)\n]*)/.exec(stack)
    ?.[1] ?? "";
  return {
    iteration,
    why: `${name}: ${message.slice(0, 300)} (${frame})`,
    key: `${name} ${frame}`,
    stack: stack.slice(0, 4000),
  };
}

/** A folder for a target's files: in memory where that is possible. */
export function targetFolder(): string {
  const prefix = "xftrace-fuzz-";
  try {
    return Deno.makeTempDirSync({ prefix, dir: "/dev/shm" });
  } catch {
    return Deno.makeTempDirSync({ prefix });
  }
}

let before = 0;

/** By how many bytes memory has grown at most since the last call. */
function grownBytes(): number {
  const peak = peakBytes();
  const grown = peak - before;
  before = Deno.memoryUsage().rss;
  return grown;
}

/** The peak of memory since the last call; without /proc, what is used now. */
function peakBytes(): number {
  try {
    const status = Deno.readTextFileSync("/proc/self/status");
    Deno.writeTextFileSync("/proc/self/clear_refs", "5");
    const kib = /^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1];
    if (kib !== undefined) return 1024 * Number(kib);
  } catch {
    // Not permitted: only the peak is unknown.
  }
  return Deno.memoryUsage().rss;
}

grownBytes();

function copied(input: Input): Input {
  return input.map((part) => part.slice());
}

/** A seed of its own for each target (FNV-1a). */
function mixed(seed: number, name: string): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < name.length; i++) {
    hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}
