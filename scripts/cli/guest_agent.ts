/**
 * The agent of the guest that a command is about.
 *
 * @module
 */
import { type Session, XftraceError } from "xftrace";
import { AgentTracefs } from "xftrace/control";
import type { GuestAgent } from "xftrace/install";
import { openAgent } from "xftrace/live";
import { resolveTarget } from "xftrace/targets";

/**
 * The agent of an open guest.
 *
 * @throws {XftraceError} one sentence: it is no running guest, it has no port
 * for an agent, nobody answers there.
 */
export function agentOf({ target }: Pick<Session, "target">): GuestAgent {
  const resolved = resolveTarget(target);
  if (resolved.kind === "vm") return openAgent(resolved.vm, target);
  throw new XftraceError(`${target} is no running guest: no agent runs in it`);
}

/** Tracefs of a guest through its agent, which is reached when needed. */
export function agentTracefs(session: Pick<Session, "target">): AgentTracefs {
  return new AgentTracefs(() => agentOf(session));
}
