/**
 * The agent of the guest that a command is about.
 *
 * @module
 */
import type { GuestAgent } from "../../engine/agent/agent.ts";
import { XftraceError } from "../../engine/base/errors.ts";
import { AgentTracefs } from "../../engine/control/agent_tracefs.ts";
import type { Session } from "../../engine/session.ts";
import { resolveTarget } from "../../engine/targets/resolve.ts";
import { openAgent } from "../../ffi/open_agent.ts";

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
