/**
 * QEMU's guest agent.
 *
 * @module
 */

import type { OnProgress } from "../host/progress.ts";
import { guestProgram, type ProgramFile } from "./guest_program.ts";

/** The name of the agent's port, by which the agent and libvirt find it. */
export const AGENT_PORT = "org.qemu.guest_agent.0";

/** Where the agent is in a guest. */
export const AGENT_PROGRAM = "usr/sbin/qemu-ga";

/**
 * The agent, with what it needs to run.
 *
 * @throws {LabError} when the package is not on offer.
 */
export function qemuAgent(onProgress: OnProgress): Promise<ProgramFile[]> {
  return guestProgram({
    package: "qemu-guest-agent",
    program: AGENT_PROGRAM,
    folder: "qemu-agent",
  }, onProgress);
}
