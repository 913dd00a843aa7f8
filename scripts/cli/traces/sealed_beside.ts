/**
 * Sealed recordings beside the guests of a time line.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { EXIT, XftraceError } from "xftrace";
import { ClockPair, type ReadableClock } from "xftrace/ftrace";
import { HostClock } from "xftrace/live";
import { alignSealed, type TimedSource } from "xftrace/output";
import { sealVerdict, verificationExit } from "../commands/verify.ts";
import { usage } from "../option_values.ts";
import { warn } from "../terminal.ts";
import { recordingKind } from "./recording_kind.ts";
import { readSealed } from "./sealed_target.ts";

/** A sealed recording, which may be complete only at the end. */
export class SealedBeside {
  readonly #path: string;
  readonly #clock: ReadableClock;
  readonly #wall = new HostClock("real");
  readonly #pair: ClockPair;
  /** The exit code that its verdict asks for. */
  exit: number = EXIT.ok;

  /**
   * @param clock of the time line
   * @throws {XftraceError} when there is a file that is no sealed recording.
   */
  constructor(path: string, clock: ReadableClock) {
    this.#path = path;
    this.#clock = clock;
    this.#pair = new ClockPair(this.#wall, clock);
    if (existsSync(path) && recordingKind(path) !== "xfs") {
      throw usage(
        `${path} is no sealed recording; \`xftrace on\` writes one with the guest's module`,
      );
    }
  }

  /**
   * Its verified entries on the time line; `undefined`, with a warning, without
   * them.
   */
  timed(): TimedSource | undefined {
    try {
      return this.#timed();
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      this.exit = error.exitCode;
      warn(`${error.message}; the file is written without it`);
      return undefined;
    }
  }

  #timed(): TimedSource {
    const trace = readSealed(this.#path);
    const { verification } = trace;
    this.exit = verificationExit(verification);
    this.#pair.look();
    const { base } = this.#clock;
    const wall = { base: this.#wall.base, map: this.#pair.map() };
    const { map, aligned } = alignSealed(trace, wall, base);
    const { start } = trace;
    if (base + BigInt(Math.round(map(Number(start)))) < 0n) {
      throw new XftraceError(
        `${this.#path} was recorded before this host was started, so its times cannot be compared with others; show it alone: \`xftrace convert\``,
      );
    }
    const { target } = verification.recording.header;
    return {
      source: {
        ...trace.source(
          sealVerdict(verification),
          `${target} sealed (${this.#path})`,
        ),
        aligned,
      },
      runs: trace.runs(base, map),
    };
  }
}

/** The exit code for several recordings: that of the worst one. */
export function sealedExit(recordings: readonly SealedBeside[]): number {
  const codes = recordings.map(({ exit }) => exit);
  return codes.find((code) => code === EXIT.findings) ??
    codes.find((code) => code !== EXIT.ok) ?? EXIT.ok;
}
