/**
 * Reads and writes tracefs files through the guest's own agent: for guests
 * without the module, and for users who trust their guest.
 *
 * @module
 */
import type { GuestAgent } from "../agent/agent.ts";
import { AgentRefusal, type AskOptions } from "../agent/link.ts";
import { XftraceError } from "../base/errors.ts";
import {
  type CommandOptions,
  type CommandProgress,
  RefusedError,
} from "../seal/page/mailbox.ts";
import type { Plan } from "./plan.ts";
import type { TracefsAccess } from "./tracefs.ts";

/** Where guests mount tracefs: the current place, and that of older systems. */
const MOUNTS = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"] as const;
/** A file that every tracefs has. */
const PROBE = "current_tracer";
/** Maximum size of a file in bytes: lists of all functions have some MiB. */
const FILE_BYTES = 2 ** 24;

const FILE_COMMANDS = [
  "guest-file-open",
  "guest-file-read",
  "guest-file-write",
  "guest-file-close",
] as const;
const PROGRAM_COMMANDS = ["guest-exec", "guest-exec-status"] as const;

/** The agent commands that a plan needs. */
function agentCommands({ steps }: Pick<Plan, "steps">): string[] {
  const makes = steps.some(({ step }) => step.control === "instance");
  return [...FILE_COMMANDS, ...makes ? PROGRAM_COMMANDS : []];
}

/**
 * Access to a guest's tracefs through its agent.
 *
 * @example
 * ```ts ignore
 * import { AgentTracefs } from "xftrace/control";
 * import { openAgent } from "xftrace/live";
 * import { resolveTarget } from "xftrace/targets";
 *
 * const resolved = resolveTarget("qemu:web1");
 * if (resolved.kind === "vm") {
 *   const { vm, target } = resolved;
 *   using tracefs = new AgentTracefs(() => openAgent(vm, target));
 *   console.log(await tracefs.readTracefs("current_tracer"));
 * }
 * ```
 */
export class AgentTracefs implements TracefsAccess, Disposable {
  readonly #open: () => GuestAgent;
  #agent: GuestAgent | undefined;
  #mount: string | undefined;

  /** @param open connects to the agent; called on first use */
  constructor(open: () => GuestAgent) {
    this.#open = open;
  }

  /**
   * Reads a file.
   *
   * @param path relative to tracefs
   * @throws {RefusedError} when the guest refuses; the message gives the
   * reason.
   */
  async readTracefs(
    path: string,
    options: CommandOptions = {},
  ): Promise<string> {
    const file = await this.#path(path);
    const bytes = await refused(
      `read tracefs' ${path}`,
      this.#reached.readFile(
        file,
        FILE_BYTES,
        waiting("tracefs_read", `reading ${path}`, options),
      ),
    );
    return new TextDecoder().decode(bytes);
  }

  /**
   * Writes a file.
   *
   * @param path relative to tracefs
   * @throws {RefusedError} when the guest refuses; the message gives the
   * reason.
   */
  async writeTracefs(
    path: string,
    text: string,
    options: CommandOptions & { readonly append?: boolean } = {},
  ): Promise<void> {
    const { append = false } = options;
    const file = await this.#path(path);
    await refused(
      `write ${JSON.stringify(text.trimEnd())} to tracefs' ${path}`,
      this.#reached.writeFile(file, new TextEncoder().encode(text), {
        append,
        ...waiting(
          append ? "tracefs_append" : "tracefs_write",
          `writing ${path}`,
          options,
        ),
      }),
    );
  }

  /**
   * Creates an Ftrace instance.
   *
   * @throws {RefusedError} when it already exists, or the guest refuses.
   */
  makeInstance(name: string): Promise<void> {
    return this.#run("mkdir", `make the instance ${name}`, name);
  }

  /**
   * Removes an Ftrace instance.
   *
   * @throws {RefusedError} when it is in use, or the guest refuses.
   */
  removeInstance(name: string): Promise<void> {
    return this.#run("rmdir", `remove the instance ${name}`, name);
  }

  async #run(program: string, what: string, name: string): Promise<void> {
    const folder = await this.#path(`instances/${name}`);
    await refused(
      what,
      this.#reached.run(program, [folder]).then(({ status, err }) => {
        if (status === 0) return;
        throw new AgentRefusal("the guest", program, "", err);
      }),
    );
  }

  /** Closes the connection to the agent. */
  [Symbol.dispose](): void {
    this.#agent?.[Symbol.dispose]();
  }

  /**
   * Fails when the agent does not allow a command that a plan needs.
   *
   * @throws {XftraceError} with the commands and how to allow them, or when
   * nobody answers.
   */
  async require(plan: Pick<Plan, "steps">): Promise<void> {
    await this.#reached.require(agentCommands(plan));
  }

  get #reached(): GuestAgent {
    return this.#agent ??= this.#open();
  }

  /**
   * The path of a file in the guest. It may contain event names, which come
   * from the guest and are not trusted.
   */
  async #path(path: string): Promise<string> {
    if (path.split("/").some((part) => part === "" || /^\.+$/.test(part))) {
      throw new RefusedError(`"${path}" is no file below tracefs`);
    }
    this.#mount ??= await this.#mounted();
    return `${this.#mount}/${path}`;
  }

  async #mounted(): Promise<string> {
    for (const mount of MOUNTS) {
      try {
        await this.#reached.readFile(`${mount}/${PROBE}`, FILE_BYTES);
        return mount;
      } catch (error) {
        if (!(error instanceof AgentRefusal) || error.forbidden) throw error;
      }
    }
    throw new XftraceError(
      `tracefs is not mounted in ${this.#reached.target}; mount it there: mount -t tracefs tracefs ${
        MOUNTS[0]
      }`,
    );
  }
}

/** Reports an agent's refusal the same way as one by the module. */
async function refused<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof AgentRefusal) || error.forbidden) throw error;
    throw new RefusedError(`the guest refused to ${what}: ${error.reason}`);
  }
}

function waiting(
  command: CommandProgress["command"],
  said: string,
  { timeoutMs, onWait }: CommandOptions,
): AskOptions {
  return {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(onWait === undefined ? {} : {
      onWait: (elapsed) => onWait({ command, phase: "tracefs", said, elapsed }),
    }),
  };
}
