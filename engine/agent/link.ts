/**
 * The connection to a guest's agent, whatever carries it: a QEMU socket, or
 * libvirt.
 *
 * @module
 */
import { parseJson } from "../base/json.ts";
import { z } from "zod";
import { XftraceError } from "../base/errors.ts";
import { shownText } from "../base/shown.ts";

/** Arguments of an agent command. */
export type AgentArguments = Readonly<Record<string, unknown>>;

/** Options for waiting for an answer. */
export interface AskOptions {
  /** Timeout in milliseconds; default: that of the link. */
  readonly timeoutMs?: number;
  /** Called while waiting, with the elapsed milliseconds. */
  readonly onWait?: (elapsed: number) => void;
}

/** A connection to a guest's agent, which takes one command at a time. */
export interface AgentLink extends Disposable {
  /** How it is reached: `/run/qga.sock`, `virsh qemu-agent-command`. */
  readonly where: string;
  /**
   * Sends a command and returns the answer's `return` member. The guest wrote
   * it: check it before use.
   *
   * @throws {AgentRefusal} when the agent answers with an error.
   * @throws {XftraceError} when it does not answer in time, or the answer is
   * malformed.
   */
  ask(
    command: string,
    args?: AgentArguments,
    options?: AskOptions,
  ): Promise<unknown>;
}

/** An error answer from the agent itself. */
export class AgentRefusal extends XftraceError {
  override readonly name = "AgentRefusal";
  /** The command that was refused. */
  readonly command: string;
  /** The agent's error text, safe to show on a terminal. */
  readonly reason: string;
  /** Whether the agent does not know the command or does not allow it. */
  readonly forbidden: boolean;

  /**
   * @param where name of the guest, for the message
   * @param kind the error's `class`
   * @param text the error's `desc`
   */
  constructor(where: string, command: string, kind: string, text: string) {
    const reason = shownText(text);
    const forbidden = kind === "CommandNotFound" ||
      /has been disabled|has not been found/.test(text);
    super(
      forbidden
        ? `the guest agent of ${where} does not allow ${command} (${reason}); ${ALLOW}`
        : `the guest agent of ${where} refuses ${command}: ${reason}`,
    );
    this.command = command;
    this.reason = reason;
    this.forbidden = forbidden;
  }
}

/** How the guest's administrator can allow a command. */
export const ALLOW =
  "to allow it, take it out of block-rpcs (or blacklist) in the guest's /etc/qemu/qemu-ga.conf, on Red Hat's and Fedora out of BLACKLIST_RPC (or add it to --allow-rpcs in FILTER_RPC_ARGS) in /etc/sysconfig/qemu-ga, and restart qemu-guest-agent";

const ANSWER = z.union([
  z.object({ error: z.object({ class: z.string(), desc: z.string() }) }),
  z.object({ return: z.unknown() }),
]);

/**
 * Extracts the `return` member of an answer.
 *
 * @param where name of the guest, for messages
 * @throws {AgentRefusal}
 * @throws {XftraceError} when it is malformed.
 */
export function returned(
  where: string,
  command: string,
  answer: string,
): unknown {
  let parsed: z.infer<typeof ANSWER>;
  try {
    parsed = ANSWER.parse(parseJson(answer));
  } catch {
    throw new XftraceError(
      `the guest agent of ${where} answers ${command} out of form: ${
        shownText(answer, 60)
      }`,
    );
  }
  if ("error" in parsed) {
    const { class: kind, desc } = parsed.error;
    throw new AgentRefusal(where, command, kind, desc);
  }
  return parsed.return;
}
