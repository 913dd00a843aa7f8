/**
 * Builds a guest's initial file system: busybox, the lab's agent and the modules
 * that tests load.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { cpio, type CpioEntry, device, file, folder, link } from "./cpio.ts";
import { findBusybox } from "../packages/busybox.ts";
import type { Kernel } from "../packages/kernel.ts";
import type { ProgramFile } from "../packages/guest_program.ts";
import { qemuAgent } from "../packages/qemu_agent.ts";
import type { GuestSettings } from "../host/options.ts";
import {
  collectModules,
  GUEST_MODULES,
  modulesAlias,
  modulesDep,
} from "../packages/modules.ts";
import { cacheDirectory, exists } from "../host/paths.ts";
import type { OnProgress } from "../host/progress.ts";

/** How many commands can run in a guest at the same time. */
export const COMMAND_PORTS = 6;

/** The port that is kept free for stopping commands on the others. */
export const CONTROL_PORT = COMMAND_PORTS + 1;

/**
 * Builds the initial file system for a kernel, or finds it in the cache;
 * returns its path. `modules` names modules to add, `agent` adds QEMU's guest
 * agent.
 */
export async function initramfs(
  kernel: Kernel,
  { modules, agent: withAgent }: Pick<GuestSettings, "modules" | "agent">,
  onProgress: OnProgress,
): Promise<string> {
  const busybox = await findBusybox(onProgress);
  const init = script("guest_init.sh")
    .replaceAll("$LAB_PORTS", String(CONTROL_PORT));
  const agent = script("guest_agent.sh");
  const wanted = [...GUEST_MODULES, ...modules];
  const qemuGa = withAgent ? await qemuAgent(onProgress) : [];
  const key = createHash("sha256").update(JSON.stringify([
    1,
    kernel.vmlinuz,
    kernel.modules,
    kernel.modules && Deno.statSync(kernel.modules).mtime,
    Deno.statSync(busybox).mtime,
    init,
    agent,
    wanted,
    qemuGa.map(({ path, data }) => [path, data.length]),
  ])).digest("hex").slice(0, 16);
  const target = `${cacheDirectory()}/initramfs/${key}.cpio`;
  if (exists(target)) return target;

  onProgress("building the initial file system");
  const entries = base(Deno.readFileSync(busybox), init, agent);
  entries.push(...agentEntries(qemuGa));
  if (kernel.modules && kernel.release) {
    entries.push(
      ...await moduleEntries(kernel.modules, kernel.release, wanted, busybox),
    );
  }
  Deno.mkdirSync(`${cacheDirectory()}/initramfs`, { recursive: true });
  const temporary = `${target}.${crypto.randomUUID()}`;
  Deno.writeFileSync(temporary, cpio(entries));
  Deno.renameSync(temporary, target);
  return target;
}

function base(busybox: Uint8Array, init: string, agent: string): CpioEntry[] {
  const text = new TextEncoder();
  const folders = [
    ..."bin sbin usr usr/bin usr/sbin etc dev proc sys tmp run root var".split(
      " ",
    ),
    "lab",
    "lib",
    "lib/modules",
  ];
  return [
    ...folders.map(folder),
    device("dev/console", 5, 1),
    device("dev/null", 1, 3),
    file("bin/busybox", busybox, 0o755),
    link("bin/sh", "busybox"),
    file("init", text.encode(init), 0o755),
    file("lab/agent", text.encode(agent), 0o755),
    file("etc/passwd", text.encode("root:x:0:0:root:/root:/bin/sh\n")),
    file("etc/group", text.encode("root:x:0:\n")),
  ];
}

function agentEntries(files: readonly ProgramFile[]): CpioEntry[] {
  const folders = new Set(
    files.map(({ path }) => path.slice(0, path.lastIndexOf("/"))),
  );
  return [
    // The folder usr/sbin exists already.
    ...[...folders].filter((path) => path !== "usr/sbin").map(folder),
    ...files.map(({ path, data }) => file(path, data, 0o755)),
  ];
}

async function moduleEntries(
  modules: string,
  release: string,
  wanted: readonly string[],
  busybox: string,
): Promise<CpioEntry[]> {
  const root = `lib/modules/${release}`;
  const packed = await collectModules(modules, wanted, busybox);
  const folders = new Set([root]);
  for (const { path } of packed) {
    const steps = path.split("/").slice(0, -1);
    steps.forEach((_, i) =>
      folders.add(`${root}/${steps.slice(0, i + 1).join("/")}`)
    );
  }
  const text = new TextEncoder();
  const builtin = exists(`${modules}/modules.builtin`)
    ? [file(
      `${root}/modules.builtin`,
      Deno.readFileSync(`${modules}/modules.builtin`),
    )]
    : [];
  return [
    ...[...folders].map(folder),
    ...packed.map(({ path, data }) => file(`${root}/${path}`, data)),
    ...builtin,
    file(`${root}/modules.dep`, text.encode(modulesDep(packed))),
    file(`${root}/modules.alias`, text.encode(modulesAlias(packed))),
  ];
}

function script(name: string): string {
  return Deno.readTextFileSync(new URL(name, import.meta.url));
}
