/**
 * The way to a guest's agent, whatever carries it: a socket of QEMU's, or
 * libvirt.
 *
 * @module
 */
import { z } from "zod";
import { XftraceError } from "../base/errors.ts";
import { shownText } from "../base/shown.ts";

/** Arguments of an agent's command. */
export type AgentArguments = Readonly<Record<string, unknown>>;

/** How to wait for an answer. */
export interface AskOptions {
  /** Milliseconds; default: what the link takes for long. */
  readonly timeoutMs?: number;
  /** Called while waiting, with the milliseconds that have passed. */
  readonly onWait?: (elapsed: number) => void;
}

/** A connection to a guest's agent. Commands are asked one after another. */
export interface AgentLink extends Disposable {
  /** How it is reached: `/run/qga.sock`, `virsh qemu-agent-command`. */
  readonly where: string;
  /**
   * Asks one command; its `return`, which the guest wrote: check it.
   *
   * @throws {AgentRefusal} when the agent answers with an error.
   * @throws {XftraceError} when it does not answer in time, or out of form.
   */
  ask(
    command: string,
    args?: AgentArguments,
    options?: AskOptions,
  ): Promise<unknown>;
}

/** An error that the agent itself answered with. */
export class AgentRefusal extends XftraceError {
  override readonly name = "AgentRefusal";
  /** Which command it was. */
  readonly command: string;
  /** The agent's words, fit to be shown. */
  readonly reason: string;
  /** Whether the agent does not know the command, or may not carry it out. */
  readonly forbidden: boolean;

  /**
   * @param where the guest, for the message
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

/** How a guest's administrator allows a command. */
export const ALLOW =
  "to allow it, take it out of block-rpcs (or blacklist) in the guest's /etc/qemu/qemu-ga.conf, on Red Hat's and Fedora out of BLACKLIST_RPC (or add it to --allow-rpcs in FILTER_RPC_ARGS) in /etc/sysconfig/qemu-ga, and restart qemu-guest-agent";

const ANSWER = z.union([
  z.object({ error: z.object({ class: z.string(), desc: z.string() }) }),
  z.object({ return: z.unknown() }),
]);

/**
 * The `return` of an answer.
 *
 * @param where the guest, for messages
 * @throws {AgentRefusal}
 * @throws {XftraceError} when it has no form of an answer.
 */
export function returned(
  where: string,
  command: string,
  answer: string,
): unknown {
  let parsed: z.infer<typeof ANSWER>;
  try {
    parsed = ANSWER.parse(JSON.parse(answer));
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
