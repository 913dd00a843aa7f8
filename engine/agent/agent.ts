/**
 * QEMU's guest agent: files and programs in a guest, through its own privileged
 * daemon. The guest controls every answer, so answers prove nothing and are
 * bounded before use.
 *
 * Source: QEMU's qga/qapi-schema.json.
 *
 * @module
 */
import { allocateBytes } from "../base/allocate.ts";
import { z } from "zod";
import { XftraceError } from "../base/errors.ts";
import { shownText } from "../base/shown.ts";
import {
  type AgentArguments,
  type AgentLink,
  AgentRefusal,
  ALLOW,
  type AskOptions,
} from "./link.ts";

/**
 * Bytes that one command writes or reads: in base64 they must fit into one
 * argument of virsh (128 KiB, MAX_ARG_STRLEN).
 */
const CHUNK = 64 * 1024;
/** How many bytes of a program's output are kept. */
const OUTPUT_BYTES = 64 * 1024;
/** Upper limit for the number of commands that the agent lists. */
const MOST_COMMANDS = 1000;
/** Default time limit for a program, in milliseconds. */
const RUN_MS = 60_000;
const FIRST_POLL_MS = 20;
const LONGEST_POLL_MS = 300;

const INFO = z.object({
  version: z.string().max(200),
  supported_commands: z.array(
    z.object({ name: z.string(), enabled: z.boolean() }),
  ).max(MOST_COMMANDS),
});
const HANDLE = z.int();
const WRITTEN = z.object({ count: z.int().nonnegative() });
const READ = z.object({ "buf-b64": z.string(), eof: z.boolean() });
const STARTED = z.object({ pid: z.int() });
const STATUS = z.object({
  exited: z.boolean(),
  exitcode: z.int().optional(),
  signal: z.int().optional(),
  "out-data": z.string().optional(),
  "err-data": z.string().optional(),
});

/** What the agent reports about itself. */
export interface AgentInfo {
  /** The QEMU version it was built with, safe to show on a terminal. */
  readonly version: string;
  /** Commands that it supports and allows. */
  readonly allowed: ReadonlySet<string>;
}

/** Options for writing a file. */
export interface WriteOptions extends AskOptions {
  /** Appends to the file instead of replacing it. */
  readonly append?: boolean;
}

/** How a program in the guest ended. */
export interface Ran {
  /** Its exit status, or 128 + the signal number when a signal ended it. */
  readonly status: number;
  /** Its standard output, cut to 64 KiB. */
  readonly out: string;
  /** Its standard error, cut to 64 KiB. */
  readonly err: string;
}

/**
 * The agent of one guest.
 *
 * @example
 * ```ts ignore
 * import { openAgent } from "xftrace/live";
 * import { resolveTarget } from "xftrace/targets";
 *
 * const resolved = resolveTarget("qemu:web1");
 * if (resolved.kind === "vm") {
 *   using agent = openAgent(resolved.vm, resolved.target);
 *   const { status, out } = await agent.run("uname", ["-r"]);
 *   console.log(status, out);
 * }
 * ```
 */
export class GuestAgent implements Disposable {
  readonly #link: AgentLink;
  /** The guest's name, for messages: `qemu:web1`. */
  readonly target: string;

  constructor(link: AgentLink, target: string) {
    this.#link = link;
    this.target = target;
  }

  /** How the agent is reached, for plans. */
  get where(): string {
    return this.#link.where;
  }

  [Symbol.dispose](): void {
    this.#link[Symbol.dispose]();
  }

  async #ask<T>(
    shape: z.ZodType<T>,
    command: string,
    args?: AgentArguments,
    options?: AskOptions,
  ): Promise<T> {
    const answer = shape.safeParse(
      await this.#link.ask(command, args, options),
    );
    if (answer.success) return answer.data;
    throw new XftraceError(
      `the guest agent of ${this.target} answers ${command} with something else than QEMU's agent does`,
    );
  }

  /**
   * Asks the agent for its version and its allowed commands.
   *
   * @throws {XftraceError}
   */
  async info(): Promise<AgentInfo> {
    const { version, supported_commands } = await this.#ask(INFO, "guest-info");
    return {
      version: shownText(version, 60),
      allowed: new Set(
        supported_commands.filter(({ enabled }) => enabled)
          .map(({ name }) => name),
      ),
    };
  }

  /**
   * Fails unless the agent allows all these commands.
   *
   * @throws {XftraceError} one sentence: which commands, and how to allow them.
   */
  async require(commands: readonly string[]): Promise<AgentInfo> {
    const info = await this.info().catch((error: unknown) => {
      if (!(error instanceof AgentRefusal && error.forbidden)) throw error;
      // The agent does not allow guest-info; other forbidden commands show when
      // they are used.
      return { version: "(not told)", allowed: new Set(commands) };
    });
    const missing = commands.filter((name) => !info.allowed.has(name));
    if (missing.length === 0) return info;
    throw new XftraceError(
      `the guest agent of ${this.target} does not allow ${
        missing.join(", ")
      }; ${ALLOW}`,
    );
  }

  /**
   * Writes a whole file; an existing one is replaced. The agent creates files
   * that everybody in the guest may write to, so put it into a folder that
   * others cannot enter.
   *
   * @throws {XftraceError}
   */
  async writeFile(
    path: string,
    bytes: Uint8Array,
    { append = false, ...options }: WriteOptions = {},
  ): Promise<void> {
    const mode = append ? "a" : "w";
    await this.#withFile(path, mode, options, async (handle) => {
      // The file is created even when there is nothing to write.
      for (let at = 0; at < bytes.length;) {
        const part = bytes.subarray(at, at + CHUNK);
        const { count } = await this.#ask(WRITTEN, "guest-file-write", {
          handle,
          "buf-b64": part.toBase64(),
        }, options);
        if (count === 0 || count > part.length) {
          throw new XftraceError(
            `the guest agent of ${this.target} wrote ${count} bytes to ${path} where ${part.length} were due`,
          );
        }
        at += count;
      }
    });
  }

  /**
   * Reads a file in the guest.
   *
   * @param limit maximum size in bytes
   * @throws {XftraceError} also when the file is larger.
   */
  async readFile(
    path: string,
    limit: number,
    options: AskOptions = {},
  ): Promise<Uint8Array> {
    return await this.#withFile(path, "r", options, async (handle) => {
      const parts: Uint8Array[] = [];
      let length = 0;
      for (;;) {
        const { "buf-b64": text, eof } = await this.#ask(
          READ,
          "guest-file-read",
          { handle, count: CHUNK },
          options,
        );
        const part = bytesOf(text);
        if (part === undefined || part.length > CHUNK) {
          throw new XftraceError(
            `the guest agent of ${this.target} reads ${path} with something else than QEMU's agent does`,
          );
        }
        parts.push(part);
        length += part.length;
        if (length > limit) {
          throw new XftraceError(
            `${path} in ${this.target} has more than ${limit} bytes`,
          );
        }
        if (eof || part.length === 0) return joined(parts, length, limit);
      }
    });
  }

  async #withFile<T>(
    path: string,
    mode: string,
    options: AskOptions,
    body: (handle: number) => Promise<T>,
  ): Promise<T> {
    const handle = await this.#ask(
      HANDLE,
      "guest-file-open",
      { path, mode },
      options,
    );
    let result: T;
    try {
      result = await body(handle);
    } catch (error) {
      // The first failure is the one to report.
      await this.#link.ask("guest-file-close", { handle }).catch(() => {});
      throw error;
    }
    // Closing flushes what the agent still buffers, so its failure matters.
    await this.#link.ask("guest-file-close", { handle }, options);
    return result;
  }

  /**
   * Runs a program in the guest as the agent's user (root), and waits until it
   * ends.
   *
   * @param program a path, or a name on the agent's PATH
   * @throws {XftraceError} when it cannot be run, or does not end in time.
   */
  async run(
    program: string,
    args: readonly string[],
    { timeoutMs = RUN_MS }: { readonly timeoutMs?: number } = {},
  ): Promise<Ran> {
    const { pid } = await this.#ask(STARTED, "guest-exec", {
      path: program,
      arg: args,
      "capture-output": true,
    });
    const until = performance.now() + timeoutMs;
    let pause = FIRST_POLL_MS;
    for (;;) {
      const status = await this.#ask(STATUS, "guest-exec-status", { pid });
      if (status.exited) {
        return {
          status: status.exitcode ?? 128 + (status.signal ?? 0),
          out: outputText(status["out-data"]),
          err: outputText(status["err-data"]),
        };
      }
      if (performance.now() > until) {
        throw new XftraceError(
          `"${
            [program, ...args].join(" ")
          }" in ${this.target} did not end within ${
            timeoutMs / 1000
          } s; it goes on there as process ${pid}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(LONGEST_POLL_MS, pause * 2);
    }
  }
}

/** Decodes base64 that the guest wrote; undefined when it is not valid. */
function bytesOf(base64: string): Uint8Array | undefined {
  try {
    return Uint8Array.fromBase64(base64);
  } catch {
    return undefined;
  }
}

function outputText(base64: string | undefined): string {
  // Four characters are three bytes: only whole groups can be decoded.
  const most = Math.floor(OUTPUT_BYTES / 3) * 4;
  const bytes = bytesOf((base64 ?? "").slice(0, most)) ?? new Uint8Array();
  return new TextDecoder().decode(bytes);
}

function joined(
  parts: readonly Uint8Array[],
  length: number,
  most: number,
): Uint8Array {
  const all = allocateBytes(length, most, "a file of the guest");
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
