/**
 * Runs commands in a guest and brings their output back, over virtio ports or,
 * where there is no virtio, over a serial line.
 *
 * @module
 */

import { LabError, LabTimeout } from "../host/errors.ts";
import { ACKNOWLEDGE, FrameParser, requestHead } from "./framing.ts";
import { COMMAND_PORTS, CONTROL_PORT } from "./initramfs.ts";
import { type Lock, lock, sleep, tryLock } from "../host/lock.ts";
import { exists, removeIfThere } from "../host/paths.ts";
import { PortPipe } from "./pipe.ts";

/** The result of a command in the guest. */
export interface ExecResult {
  /** Exit status; 128 + number when a signal ended it. */
  readonly status: number;
  /** Standard output and standard error, as they came. */
  readonly output: Uint8Array;
  /** The same as text. */
  readonly text: string;
}

/** Options of {@link Channel.exec}. */
export interface ExecOptions {
  /** Milliseconds until the command is killed; default: no limit. */
  readonly timeoutMs?: number;
  /** Bytes for the command's standard input. */
  readonly input?: Uint8Array;
  /** Receives the output as it comes. */
  readonly onOutput?: (bytes: Uint8Array) => void;
  /** Ends the command early. */
  readonly signal?: AbortSignal;
}

/**
 * Runs commands in a guest over its ports, each of which runs one command at a
 * time. A lock file for each port coordinates host processes that use the same
 * guest.
 */
export class Channel {
  /**
   * `directory` holds the ports' FIFOs; `alive` tells whether the guest still
   * runs; `serialOnly` says that there is only one port, a serial line;
   * `lastWords` gives what QEMU said at its end, for the error.
   */
  constructor(
    private readonly directory: string,
    private readonly alive: () => boolean,
    private readonly serialOnly: boolean,
    private readonly lastWords: () => string = () => "",
  ) {}

  /** Runs a shell command in the guest. Throws {@link LabTimeout}. */
  async exec(command: string, options: ExecOptions = {}): Promise<ExecResult> {
    const clock = new Clock(options.timeoutMs, options.signal, this.alive);
    try {
      const { port, held } = await this.freePort(clock);
      using _held = held;
      return await this.onPort(port, command, options, clock);
    } finally {
      clock.stop();
    }
  }

  private async freePort(clock: Clock): Promise<{ port: number; held: Lock }> {
    const last = this.serialOnly ? 1 : COMMAND_PORTS;
    for (;;) {
      if (!this.alive()) throw gone(this.lastWords());
      let usable = false;
      for (let port = 1; port <= last; port++) {
        if (exists(`${this.portPath(port)}.broken`)) continue;
        usable = true;
        const held = await tryLock(`${this.portPath(port)}.lock`);
        if (!held) continue;
        if (await this.recovered(port)) return { port, held };
        held[Symbol.dispose]();
      }
      if (!usable) {
        throw new LabError(
          "the guest no longer answers on any port; boot it again",
        );
      }
      if (clock.reason) throw clock.error(new Uint8Array(), this.lastWords);
      await Promise.race([sleep(50), clock.over]);
    }
  }

  /**
   * Stops a command that a host process left running on a port when it died.
   */
  private async recovered(port: number): Promise<boolean> {
    if (!exists(this.busy(port))) return true;
    if (this.serialOnly) return true;
    const clock = new Clock(5000, undefined, this.alive);
    try {
      await this.stop(port);
      await this.onPort(port, "true", {}, clock);
      return true;
    } catch (error) {
      if (!(error instanceof LabError)) throw error;
      return false;
    } finally {
      clock.stop();
    }
  }

  private async onPort(
    port: number,
    command: string,
    options: ExecOptions,
    clock: Clock,
  ): Promise<ExecResult> {
    const text = new TextEncoder();
    const body = text.encode(command.trim() === "" ? "true" : command);
    const input = options.input ?? new Uint8Array();
    const token = crypto.randomUUID();
    const parser = new FrameParser(token);
    const parts: Uint8Array[] = [];
    await using pipe = new PortPipe(this.portPath(port));
    Deno.writeTextFileSync(this.busy(port), token);

    /** Reads to the end of the command; false if `until` ends first. */
    const follow = async (until: Clock): Promise<boolean> => {
      while (!parser.ended) {
        const bytes = await pipe.read(until.over);
        if (!bytes) return false;
        const output = parser.push(bytes);
        if (output.length === 0) continue;
        parts.push(output);
        options.onOutput?.(output);
      }
      pipe.send(text.encode(ACKNOWLEDGE));
      await pipe.sent(until.over);
      removeIfThere(this.busy(port));
      return true;
    };

    // The empty line is for an agent that still waits for the acknowledgement
    // of an earlier command.
    pipe.send(text.encode(ACKNOWLEDGE));
    pipe.send(text.encode(requestHead(token, body.length, input.length)));
    pipe.send(body);
    if (input.length > 0) pipe.send(input);
    if (!await follow(clock)) {
      await this.giveUp(port, follow);
      throw clock.error(concat(parts), this.lastWords);
    }
    const output = concat(parts);
    return {
      status: parser.ended?.status ?? 0,
      output,
      text: new TextDecoder().decode(output),
    };
  }

  /** Kills a command and waits until its port can be used again. */
  private async giveUp(
    port: number,
    follow: (until: Clock) => Promise<boolean>,
  ): Promise<void> {
    if (!this.alive()) return;
    for (let tries = 0; tries < 3 && !this.serialOnly; tries++) {
      const grace = new Clock(3000, undefined, this.alive);
      try {
        if (port !== CONTROL_PORT) await this.stop(port);
        if (await follow(grace)) return;
      } finally {
        grace.stop();
      }
    }
    Deno.writeTextFileSync(`${this.portPath(port)}.broken`, "");
  }

  /** Kills the command on a port, through the control port. */
  private async stop(port: number): Promise<void> {
    const pid = `/run/lab/${port}.pid`;
    const clock = new Clock(5000, undefined, this.alive);
    try {
      using _held = await lock(`${this.portPath(CONTROL_PORT)}.lock`);
      const kill = `[ ! -s ${pid} ] || kill -9 -"$(cat ${pid})"`;
      await this.onPort(CONTROL_PORT, kill, {}, clock);
    } catch (error) {
      if (!(error instanceof LabError)) throw error;
    } finally {
      clock.stop();
    }
  }

  private portPath(port: number): string {
    const name = this.serialOnly ? "serial" : `port.${port}`;
    return `${this.directory}/${name}`;
  }

  private busy(port: number): string {
    return `${this.portPath(port)}.busy`;
  }
}

/** Why a wait ended before the command did. */
type Reason = "time" | "gone" | "signal";

/**
 * Ends a wait: after a time, by the caller's signal, or when the guest ends.
 */
class Clock {
  /** Settles when the wait is over. */
  readonly over: Promise<void>;
  reason?: Reason;
  private readonly timers: ReturnType<typeof setTimeout>[] = [];

  constructor(
    private readonly limitMs: number | undefined,
    signal: AbortSignal | undefined,
    alive: () => boolean,
  ) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.over = promise;
    const end = (reason: Reason) => {
      this.reason ??= reason;
      this.stop();
      resolve();
    };
    if (signal?.aborted) end("signal");
    signal?.addEventListener("abort", () => end("signal"), { once: true });
    if (limitMs !== undefined) {
      this.timers.push(setTimeout(() => end("time"), limitMs));
    }
    this.timers.push(setInterval(() => alive() || end("gone"), 250));
  }

  error(output: Uint8Array, lastWords: () => string): LabError {
    if (this.reason === "gone") return gone(lastWords());
    if (this.reason === "signal") {
      return new LabError("the command in the guest was stopped");
    }
    return new LabTimeout(
      `the command in the guest did not end within ${this.limitMs} ms`,
      output,
    );
  }

  stop(): void {
    for (const timer of this.timers) clearTimeout(timer);
  }
}

function gone(lastWords: string): LabError {
  return new LabError(
    "the guest has ended, so no command can run in it" +
      (lastWords === "" ? "" : `; QEMU's last words:\n${lastWords}`),
  );
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
