/**
 * Connects to a guest's agent: by QEMU's socket, or through libvirt.
 *
 * @module
 */
import { z } from "zod";
import { GuestAgent } from "../engine/agent/agent.ts";
import { XftraceError } from "../engine/base/errors.ts";
import { AGENT_PORT } from "../engine/memory/ram_layout_qemu.ts";
import type { VmProcess } from "../engine/targets/vm.ts";
import { type AgentLimits, AgentSocket, SilentAgent } from "./agent_socket.ts";
import { VirshAgent } from "./agent_virsh.ts";
import { QmpClient } from "./qmp.ts";
import { connectionOf } from "./virsh.ts";

/** QEMU options that add a port for the agent. */
const ADD_PORT =
  `-chardev socket,id=qga0,path=/run/qga.sock,server=on,wait=off -device virtio-serial -device virtserialport,chardev=qga0,name=${AGENT_PORT}`;

/**
 * Connects to the guest agent of a VM.
 *
 * @param target the guest, for messages: `qemu:web1`
 * @throws {XftraceError} one sentence: there is no port, no agent answers
 * there, or virsh is not installed.
 *
 * @example
 * ```ts ignore
 * import { openAgent } from "xftrace/live";
 * import { resolveTarget } from "xftrace/targets";
 *
 * const resolved = resolveTarget("qemu:web1");
 * if (resolved.kind === "vm") {
 *   using agent = openAgent(resolved.vm, resolved.target);
 *   console.log((await agent.info()).version);
 * }
 * ```
 */
export function openAgent(
  vm: VmProcess,
  target: string,
  limits?: AgentLimits,
): GuestAgent {
  if (vm.libvirt) {
    const domain = vm.uuid ?? vm.name;
    return new GuestAgent(
      new VirshAgent(domain, target, connectionOf(vm)),
      target,
    );
  }
  if (vm.kind !== "qemu" || vm.agent === undefined) {
    throw new XftraceError(
      vm.kind === "qemu"
        ? `${target} has no port for a guest agent; start its QEMU with: ${ADD_PORT}`
        : `${target} runs under ${vm.kind}, which has no guest agent`,
    );
  }
  const { kind, socket } = vm.agent;
  if (socket === undefined) {
    throw new XftraceError(
      `the guest agent's port of ${target} is a ${kind} without a path, and only Unix sockets with one are spoken to; start its QEMU with: ${ADD_PORT}`,
    );
  }
  try {
    return new GuestAgent(
      new AgentSocket(socket, target, limits, vm.uid),
      target,
    );
  } catch (error) {
    if (!(error instanceof SilentAgent) || isOpened(vm, socket) !== false) {
      throw error;
    }
    throw new SilentAgent(
      target,
      socket,
      "nothing in the guest has opened its port; install and start qemu-guest-agent there",
    );
  }
}

const CHARDEVS = z.array(
  z.object({ filename: z.string(), "frontend-open": z.boolean() }),
);

/**
 * Asks QEMU's monitor whether a program in the guest has opened the agent's
 * port; undefined when the monitor does not tell.
 */
function isOpened(vm: VmProcess, socket: string): boolean | undefined {
  if (vm.qmpSocket === undefined) return undefined;
  try {
    using client = new QmpClient(vm.qmpSocket, undefined, vm.pid);
    const name = socket.slice(socket.lastIndexOf("/"));
    return CHARDEVS.parse(client.ask("query-chardev"))
      .find(({ filename }) => filename.includes(name))?.["frontend-open"];
  } catch (error) {
    if (error instanceof XftraceError || error instanceof z.ZodError) {
      return undefined;
    }
    throw error;
  }
}
