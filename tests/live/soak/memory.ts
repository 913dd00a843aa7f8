/**
 * How much memory a process uses over time, and whether that is flat: in the
 * last quarter of the time within 5 % of what it was in the second.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";

/** What a process used at some time. */
export interface Sample {
  /** ms since the first sample. */
  readonly at: number;
  /** Its own memory, KiB: not what it maps of a guest's. */
  readonly own: number;
  /** All memory that it maps and that is there, KiB; of the guest's too. */
  readonly resident: number;
  /** Open files. */
  readonly files: number;
}

/** The greatest growth that is flat: as a share of the second quarter. */
const FLAT = 0.05;

/** The samples of one process. */
export class Samples {
  readonly name: string;
  readonly pid: number;
  readonly #samples: Sample[] = [];
  readonly #begun = performance.now();

  constructor(name: string, pid: number) {
    this.name = name;
    this.pid = pid;
  }

  /** Takes a sample. Returns false when the process has ended. */
  take(): boolean {
    let status: string;
    let files: number;
    try {
      status = readFileSync(`/proc/${this.pid}/status`, "utf8");
      files = readdirSync(`/proc/${this.pid}/fd`).length;
    } catch {
      return false;
    }
    const kib = (name: string) =>
      Number(
        new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? NaN,
      );
    const own = kib("RssAnon");
    // What has ended and was not waited for yet has no memory.
    if (Number.isNaN(own)) return false;
    this.#samples.push({
      at: performance.now() - this.#begun,
      own,
      resident: kib("VmRSS"),
      files,
    });
    return true;
  }

  /** The last sample. */
  get last(): Sample | undefined {
    return this.#samples.at(-1);
  }

  /** The median of a figure in each quarter of the time. */
  quarters(of: "own" | "resident" | "files"): number[] {
    const whole = this.last?.at ?? 0;
    return [0, 1, 2, 3].map((quarter) => {
      const values = this.#samples.filter(({ at }) =>
        Math.min(3, Math.floor(4 * at / whole)) === quarter
      ).map((sample) => sample[of]).sort((a, b) => a - b);
      return values[values.length >> 1] ?? NaN;
    });
  }

  /** By which share the last quarter's own memory exceeds the second's. */
  get growth(): number {
    const [, second, , last] = this.quarters("own");
    return last / second - 1;
  }

  /** Whether the memory is flat, and no files were left open. */
  get flat(): boolean {
    const [, second, , last] = this.quarters("files");
    return this.growth <= FLAT && last <= second;
  }

  /** One line of the result. */
  text(): string {
    const mib = (of: "own" | "resident") =>
      this.quarters(of).map((kib) => (kib / 1024).toFixed(1)).join(" ");
    return `${this.name}: own memory by quarters ${mib("own")} MiB (${
      (100 * this.growth).toFixed(1)
    } % from the second to the last), with the guest's ${
      mib("resident")
    } MiB, ${
      this.quarters("files").join(" ")
    } files, ${this.#samples.length} samples: ${
      this.flat ? "flat" : "NOT FLAT"
    }`;
  }
}
