/**
 * The module's mailbox: commands from the host that the module's thread carries
 * out.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";
import { WaitClock, type WaitTimes } from "../../base/wait_clock.ts";
import { sleep } from "../../base/polling.ts";
import { COMMAND, CONTROL, PHASE } from "./abi.ts";
import type { ControlPage } from "./control_page.ts";

/** The name of a command. */
export type CommandName = keyof typeof COMMAND;

/** The progress of a command. */
export interface CommandProgress {
  readonly command: CommandName;
  /** What the module's thread is doing: `registering`. */
  readonly phase: string;
  /** The module's last message. */
  readonly said: string;
  /** Milliseconds since the command was sent. */
  readonly elapsed: number;
}

/** Options for waiting for an answer. */
export interface CommandOptions {
  readonly argument?: bigint;
  /**
   * Timeout in milliseconds, without the time in which a busy host does not let
   * the guest run; default 60,000, since registering all functions takes long
   * under emulation.
   */
  readonly timeoutMs?: number;
  /** Called some hundred times a second during the wait. */
  readonly onWait?: (progress: CommandProgress) => void;
}

/** The answer to a command. */
export interface Answer {
  readonly number: number;
  /** The result by kernel convention: a negative value is an error number. */
  readonly result: number;
  /** The data that the command left in the mail area. */
  readonly bytes: Uint8Array;
}

/** How many times the timeout is waited at most, however busy the host is. */
const LONGEST = 5;

/** Maximum size of a tracefs file that is read, in bytes. */
const MOST_FILE_BYTES = 1 << 26;

const ERRORS: Readonly<Record<number, string>> = {
  1: "not permitted",
  2: "no such file or function",
  5: "input/output error",
  7: "too long",
  12: "the guest is out of memory",
  16: "busy: somebody else in the guest traces, or recording is on",
  17: "it exists",
  19: "no such device",
  21: "it is a folder",
  22: "invalid",
  40: "too many symbolic links",
  95: "the module cannot do that in this guest",
};

/** Describes an error number of the guest in words. */
export function guestError(result: number): string {
  return ERRORS[-result] ?? `error ${-result}`;
}

/** The guest answered a command with an error. */
export class RefusedError extends XftraceError {}

/** Sends commands, one at a time. */
export class Mailbox {
  readonly #page: ControlPage;
  /** Commands sent through this mailbox, by their numbers. */
  readonly sent: Map<number, number> = new Map();
  /** Called before a command is sent; the key log records it. */
  onCommand: ((number: number, command: number) => void) | undefined;
  readonly #times: WaitTimes;
  #answered: number;

  /** @param times how far the host lets the guest get; see Session */
  constructor(page: ControlPage, times: WaitTimes = {}) {
    this.#page = page;
    this.#times = times;
    this.#answered = page.number(CONTROL.commands);
  }

  /**
   * How many commands the module has answered, including those sent before this
   * mailbox existed.
   */
  get answered(): number {
    return this.#answered;
  }

  /** The module's last message and phase. */
  progress(command: CommandName, elapsed: number): CommandProgress {
    const phase = this.#page.u32(CONTROL.phase);
    return {
      command,
      phase: Object.entries(PHASE).find(([, n]) => n === phase)?.[0] ??
        String(phase),
      said: this.#page.text(CONTROL.said, 64),
      elapsed,
    };
  }

  /**
   * Sends a command and waits for the answer.
   *
   * @throws {XftraceError} when no answer arrives in time; the message contains
   * the module's last one.
   */
  async command(
    command: CommandName,
    mail: Uint8Array = new Uint8Array(0),
    options: CommandOptions = {},
  ): Promise<Answer> {
    const page = this.#page;
    const { memory, space } = page.kernel;
    if (mail.length > page.mailBytes) {
      throw new XftraceError(
        `a command of ${mail.length} bytes does not fit into the module's mail of ${page.mailBytes}; name fewer functions`,
      );
    }
    await this.#idle(command, options.timeoutMs ?? 60_000, options.onWait);
    const number = page.number(CONTROL.command_number) + 1;
    this.onCommand?.(number, COMMAND[command]);
    this.sent.set(number, COMMAND[command]);
    for (let done = 0; done < mail.length;) {
      const { gpa, left } = space.translate(page.mailGva + BigInt(done));
      const size = Math.min(left, mail.length - done);
      memory.write(gpa, mail.subarray(done, done + size));
      done += size;
    }
    page.setU32(CONTROL.command, COMMAND[command]);
    page.setU32(CONTROL.command_bytes, mail.length);
    page.setU64(CONTROL.command_argument, options.argument ?? 0n);
    page.setU64(CONTROL.command_number, BigInt(number));
    await this.#idle(command, options.timeoutMs ?? 60_000, options.onWait);
    this.#answered++;
    const result = Number(BigInt.asIntN(64, page.u64(CONTROL.command_result)));
    const size = page.u32(CONTROL.answer_bytes);
    return {
      number,
      result,
      bytes: size > 0 && size <= page.mailBytes
        ? space.bytes(page.mailGva, size)
        : new Uint8Array(0),
    };
  }

  /** Waits until the last command has been answered. */
  async #idle(
    command: CommandName,
    timeoutMs: number,
    onWait: CommandOptions["onWait"],
  ): Promise<void> {
    const page = this.#page;
    const start = performance.now();
    const clock = new WaitClock(this.#times, start);
    if (!page.alive) {
      throw new XftraceError(
        "the guest's module has been unloaded, or the guest has restarted",
      );
    }
    while (
      page.u64(CONTROL.command_answered) !== page.u64(CONTROL.command_number)
    ) {
      const now = performance.now();
      const elapsed = now - start;
      const progress = this.progress(command, elapsed);
      if (
        clock.waited(now) > timeoutMs || elapsed > LONGEST * timeoutMs
      ) {
        throw new XftraceError(
          `the guest's module did not answer "${command}" within ${
            Math.round(elapsed / 1000)
          } s; it last said: ${progress.phase}, "${progress.said}"`,
        );
      }
      if (!page.alive) {
        throw new XftraceError(
          `the guest's module was unloaded, or the guest restarted, during "${command}"`,
        );
      }
      onWait?.(progress);
      await sleep(4);
    }
  }

  /**
   * Writes a tracefs file of the guest, as `echo TEXT > PATH` would.
   *
   * @param path relative to tracefs, such as `current_tracer`
   * @throws {RefusedError} when the guest refuses; the message gives the
   * reason.
   */
  async writeTracefs(
    path: string,
    text: string,
    options: CommandOptions & { readonly append?: boolean } = {},
  ): Promise<void> {
    const body = new TextEncoder().encode(text);
    const head = new TextEncoder().encode(`${path}\0`);
    const mail = new Uint8Array(head.length + body.length);
    mail.set(head);
    mail.set(body, head.length);
    const { result } = await this.command(
      options.append === true ? "tracefs_append" : "tracefs_write",
      mail,
      { ...options, argument: BigInt(body.length) },
    );
    if (result < 0) {
      throw new RefusedError(
        `the guest refused to write ${
          JSON.stringify(text.trimEnd())
        } to tracefs' ${path}: ${guestError(result)}`,
      );
    }
  }

  /**
   * Reads a tracefs file of the guest.
   *
   * @throws {RefusedError} when the guest refuses; the message gives the
   * reason.
   */
  async readTracefs(
    path: string,
    options: CommandOptions = {},
  ): Promise<string> {
    const mail = new TextEncoder().encode(`${path}\0`);
    const decoder = new TextDecoder();
    let text = "";
    // A file longer than the mail area is read in parts.
    for (let from = 0;;) {
      const { result, bytes } = await this.command("tracefs_read", mail, {
        ...options,
        argument: BigInt(from),
      });
      if (result < 0) {
        throw new RefusedError(
          `the guest refused to read tracefs' ${path}: ${guestError(result)}`,
        );
      }
      from += bytes.length;
      if (from > MOST_FILE_BYTES) {
        throw new RefusedError(
          `the guest gives more than ${MOST_FILE_BYTES} bytes as tracefs' ${path}, which has no such size; do not believe it`,
        );
      }
      const more = bytes.length === this.#page.mailBytes;
      text += decoder.decode(bytes, { stream: more });
      if (!more) return text;
    }
  }

  /**
   * Creates an Ftrace instance, as `mkdir instances/NAME` would.
   *
   * @throws {XftraceError} when it already exists, or the guest refuses.
   */
  async makeInstance(
    name: string,
    options: CommandOptions = {},
  ): Promise<void> {
    await this.#instance("make_instance", "make", name, options);
  }

  /**
   * Removes an Ftrace instance, as `rmdir instances/NAME` would.
   *
   * @throws {XftraceError} when it does not exist, or is in use.
   */
  async removeInstance(
    name: string,
    options: CommandOptions = {},
  ): Promise<void> {
    await this.#instance("remove_instance", "remove", name, options);
  }

  async #instance(
    command: "make_instance" | "remove_instance",
    verb: string,
    name: string,
    options: CommandOptions,
  ): Promise<void> {
    const mail = new TextEncoder().encode(`${name}\0`);
    const { result } = await this.command(command, mail, options);
    if (result < 0) {
      throw new XftraceError(
        `the guest refused to ${verb} the instance "${name}": ${
          guestError(result)
        }`,
      );
    }
  }
}
