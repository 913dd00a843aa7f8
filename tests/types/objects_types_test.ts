/**
 * Types of objects of a guest's kernel: if a line below a `@ts-expect-error` is
 * not an error, checking this file fails. Nothing here runs on a guest.
 *
 * @module
 */
import type { GuestKernel, Struct } from "xftrace";

function right(kernel: GuestKernel) {
  const task = kernel.object("init_task");
  const comm: string = task.comm;
  const pid: number = task.pid;
  const base: bigint | undefined = task.mm?.mmap_base;
  const weight: bigint = task.se.load.weight;
  const parent: Struct<"task_struct"> | null = task.real_parent;
  for (const module of kernel.modules()) {
    const name: string = module.name;
    const live: boolean = module.state === "MODULE_STATE_LIVE";
    console.log(name, live);
  }
  for (
    const { index, object } of kernel.object("prog_idr").$xarray("bpf_prog")
  ) {
    const length: number = object.len;
    console.log(index, length);
  }
  const threads: number = kernel.object("nr_threads");
  const banner: string = kernel.object("linux_banner");
  const jiffies: bigint = kernel.object("unsigned long", "jiffies");
  const current: string | undefined = kernel.perCpu("runqueues", 0).curr?.comm;
  const uuid: Uint8Array = kernel.object("u8[16]", 5n);
  const head: Struct<"list_head"> = kernel.object(
    "struct list_head",
    "modules",
  );
  // Members of unknown structs have the type `unknown`.
  const any: unknown = kernel.object("struct my_struct", 5n).whatever;
  const address: bigint = kernel.object("struct my_struct", 5n).$address;
  console.log(comm, pid, base, weight, parent, threads, banner, jiffies);
  console.log(current, uuid, head, any, address);
}

function wrong(kernel: GuestKernel) {
  const task = kernel.object("init_task");
  // @ts-expect-error a command is text
  const comm: number = task.comm;
  // @ts-expect-error there is no such member
  task.com;
  // @ts-expect-error mm may be null: a kernel thread has no memory of its own
  task.mm.mmap_base;
  // @ts-expect-error objects are read-only
  task.pid = 5;
  // @ts-expect-error a module has no such state
  [...kernel.modules()][0].state === "MODULE_STATE_LIV";
  // @ts-expect-error a member of an unknown struct has the type unknown
  const size: number = kernel.object("struct my_struct", 5n).size;
  console.log(comm, size);
}

console.log(right.name, wrong.name);
