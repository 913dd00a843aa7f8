/**
 * The contents of a guest's kernel by subsystem, as iterators over objects.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { memoryAreas } from "../objects/memory_areas.ts";
import { mountsOf } from "../objects/mounts.ts";
import { filePath, pathOf } from "../objects/paths.ts";
import { openFiles } from "../objects/task_files.ts";
import { listedLeaders, threadsOf } from "../objects/tasks.ts";
import { userSpace } from "../objects/user_memory.ts";
import type { Addressed, Struct } from "./object_types.ts";

/** A file that a task has open. */
export interface TaskFile {
  /** Its file descriptor number. */
  readonly fd: number;
  readonly file: Struct<"file">;
  /** Its path, from the root of its mounts. */
  readonly path: string;
}

/** A mounted file system. */
export interface Mount {
  readonly mount: Struct<"mount">;
  /** The mounted device or file system: `/dev/vda1`, `proc`. */
  readonly device: string;
  /** Its mount point: `/proc`. */
  readonly path: string;
  /** The file system's type: `ext4`. */
  readonly type: string;
}

/** Creates the object for a struct at an address. */
export type MakeStruct = <N extends string>(
  struct: N,
  gva: bigint,
) => Struct<N>;

/** All tasks: processes with their threads, and kernel threads. */
export function* tasks(
  kernel: Kernel,
  make: MakeStruct,
): Generator<Struct<"task_struct">> {
  for (const leader of listedLeaders(kernel)) {
    for (const thread of threadsOf(kernel, leader)) {
      yield make("task_struct", thread);
    }
  }
}

/** The first thread of each process. */
export function* processes(
  kernel: Kernel,
  make: MakeStruct,
): Generator<Struct<"task_struct">> {
  for (const leader of listedLeaders(kernel)) {
    yield make("task_struct", leader);
  }
}

/** The threads of a process. */
export function* threads(
  kernel: Kernel,
  make: MakeStruct,
  task: Struct<"task_struct">,
): Generator<Struct<"task_struct">> {
  const leader = task.group_leader?.$address ?? task.$address;
  for (const thread of threadsOf(kernel, leader)) {
    yield make("task_struct", thread);
  }
}

/** The open files of a task. */
export function* files(
  kernel: Kernel,
  make: MakeStruct,
  task: Struct<"task_struct">,
): Generator<TaskFile> {
  for (const { fd, file } of openFiles(kernel, task.$address)) {
    yield { fd, file: make("file", file), path: filePath(kernel, file) };
  }
}

/** The path of a `struct file` or a `struct path`. */
export function pathText(kernel: Kernel, of: Addressed): string {
  if (of.$type === "struct file") return filePath(kernel, of.$address);
  if (of.$type === "struct path" || of.$type === "const struct path") {
    const at = kernel.object("path", of.$address);
    return pathOf(kernel, at.u64("dentry"), at.u64("mnt"));
  }
  throw new KernelError(
    `${of.$type} has no path: give a struct file or a struct path`,
  );
}

/** The memory areas of a process, in address order. */
export function* areas(
  kernel: Kernel,
  make: MakeStruct,
  task: Struct<"task_struct">,
): Generator<Struct<"vm_area_struct">> {
  const { mm } = task;
  if (mm === null) return;
  for (const area of memoryAreas(kernel, mm.$address)) {
    yield make("vm_area_struct", area);
  }
}

/** The mounts in a task's namespace. */
export function* mounts(
  kernel: Kernel,
  make: MakeStruct,
  task: Struct<"task_struct">,
): Generator<Mount> {
  const namespace = task.nsproxy?.mnt_ns;
  if (namespace === null || namespace === undefined) return;
  const mnt = BigInt(kernel.types.offset("mount", "mnt"));
  for (const gva of mountsOf(kernel, namespace.$address)) {
    const mount = make("mount", gva);
    const root = mount.mnt.mnt_root;
    yield {
      mount,
      device: mount.mnt_devname?.$string() ?? "",
      path: root === null ? "" : pathOf(kernel, root.$address, gva + mnt),
      type: mount.mnt.mnt_sb?.s_type?.name?.$string() ?? "",
    };
  }
}

/** Bytes of a task's user memory. @throws {MemoryError} when not in RAM. */
export function userBytes(
  kernel: Kernel,
  task: Struct<"task_struct">,
  address: bigint,
  length: number,
): Uint8Array<ArrayBuffer> {
  const { mm } = task;
  const own = mm === null ? undefined : userSpace(kernel, mm.$address);
  if (own === undefined) {
    throw new KernelError(
      `task ${task.pid} (${task.comm}) has no memory of its own: it is a thread of the kernel's, or has ended`,
    );
  }
  return own.bytes(address, length);
}

/** Longer command lines are cut to this many bytes. */
const MOST_ARGUMENTS = 1 << 17;

/**
 * The command line of a task's process; empty for kernel threads.
 *
 * @throws {MemoryError} when it is not in RAM.
 */
export function commandLine(
  kernel: Kernel,
  task: Struct<"task_struct">,
): string[] {
  const { mm } = task;
  if (mm === null) return [];
  const length = Number(mm.arg_end - mm.arg_start);
  if (!(length > 0)) return [];
  const text = new TextDecoder().decode(
    userBytes(kernel, task, mm.arg_start, Math.min(length, MOST_ARGUMENTS)),
  );
  return text.replace(/\0$/, "").split("\0");
}

/** The devices of a network namespace. */
export function* netDevices(
  net: Struct<"net">,
): Generator<Struct<"net_device">> {
  yield* net.dev_base_head.$list("net_device", "dev_list");
}
