/**
 * Connects to the guest agent of a command's target.
 *
 * @module
 */
import { type Session, XftraceError } from "xftrace";
import { AgentTracefs } from "xftrace/control";
import type { GuestAgent } from "xftrace/install";
import { openAgent } from "xftrace/live";
import { resolveTarget } from "xftrace/targets";

/**
 * Connects to the agent of an open guest.
 *
 * @throws {XftraceError} one sentence: the target is not a running guest, has
 * no port for an agent, or no agent answers there.
 */
export function agentOf({ target }: Pick<Session, "target">): GuestAgent {
  const resolved = resolveTarget(target);
  if (resolved.kind === "vm") return openAgent(resolved.vm, target);
  throw new XftraceError(`${target} is no running guest: no agent runs in it`);
}

/**
 * Access to a guest's tracefs through its agent; connects when it is first
 * used.
 */
export function agentTracefs(session: Pick<Session, "target">): AgentTracefs {
  return new AgentTracefs(() => agentOf(session));
}
