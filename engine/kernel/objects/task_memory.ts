/**
 * Finds tasks by the memory in which they are allocated: every live object of
 * the slab cache for tasks, whatever lists it is on.
 *
 * Sources: kernel/fork.c (task_struct_cachep, dup_task_struct), mm/slab.h.
 *
 * @module
 */
import { allocateWords, wholeSize } from "../../base/allocate.ts";
import { KernelError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import { totalBytes } from "../../memory/elf_core_ranges.ts";
import type { Kernel } from "../core/kernel.ts";
import type { KernelObject } from "../core/object.ts";
import { readable, readPresent } from "../core/present.ts";
import { slabStruct } from "./slab_objects.ts";
import { type StackArea, StackAreas, type StackOwner } from "./stack_areas.ts";
import { hasEnded, idleTasks, listedLeaders, pidTasks } from "./tasks.ts";

/** How many `struct page`s are read at once: those of 32 MiB. */
const CHUNK = 8192;
/**
 * The search is skipped in guests with more RAM (in bytes): it would take
 * seconds.
 */
const MOST_RAM = 64 * 2 ** 30;
/** More bytes than a `struct page` has. */
const MOST_STRUCT = 256;
/** More objects than a slab holds: `objects` has 15 bits (struct slab). */
const MOST_OBJECTS = 1 << 15;
/** More bytes than a slab has: those of the largest allocation. */
const MOST_SLAB = 4 << 20;
/** TASK_RUNNING, TASK_NEW (include/linux/sched.h). */
const TASK_RUNNING = 0;
const TASK_NEW = 0x800;

/** What the memory that tasks are made of shows. */
export interface TaskMemory {
  /** GVAs of all live tasks. */
  readonly tasks: readonly bigint[];
  /** Stacks that belong to no task that lies there. */
  readonly ownerless: readonly StackArea[];
}

/**
 * All live tasks found in memory; `undefined` when the guest is larger than
 * 64 GiB.
 *
 * During a fork, the new task is briefly a copy of its parent; such a task is
 * left out because of its state, or because it runs and has another task's pid
 * and start time.
 */
export function memoryTasks(
  kernel: Kernel,
  listed: ReadonlySet<bigint>,
): TaskMemory | undefined {
  const slabs = taskSlabs(kernel);
  if (slabs === undefined) return undefined;
  const identity = (gva: bigint) => {
    const task = kernel.object("task_struct", gva);
    return `${task.number("pid")} ${task.u64("start_time")}`;
  };
  const known = new Set<string>();
  for (const gva of listed) {
    const own = readable(() => identity(gva));
    if (own !== undefined) known.add(own);
  }
  // All tasks on lists lie there: if one does not, some slabs were passed over.
  const all = new Set(slabs);
  const outside = [...listed].filter((gva) => !all.has(gva));
  if (outside.length > 0) {
    const still = new Set([...listedLeaders(kernel), ...pidTasks(kernel)]);
    const lost = outside.find((gva) => still.has(gva));
    if (lost !== undefined) {
      throw new KernelError(
        `the task at ${hex(lost)} is not in the memory that tasks are made of`,
      );
    }
  }
  const mapped = kernel.types.tryOffset("task_struct", "stack_vm_area") !==
    undefined;
  const areas = mapped ? new StackAreas(kernel) : undefined;
  const alive = (gva: bigint) =>
    livesUnlisted(
      kernel.object("task_struct", gva),
      known.has(identity(gva)),
      areas,
    );
  const found: bigint[] = [];
  const owners: StackOwner[] = [];
  const idle = idleTasks(kernel);
  for (const gva of slabs) {
    const owner = areas && readable(() => stackOf(kernel, gva));
    if (owner !== undefined) owners.push(owner);
    if (idle.has(gva)) continue;
    if (listed.has(gva)) found.push(gva);
    else {
      const lives = readable(() => alive(gva));
      if (lives === true) found.push(gva);
      else if (lives === undefined && kernel.memory.ram !== undefined) {
        throw new KernelError(
          `the memory of a task at ${hex(gva)} was left out of this recording`,
        );
      }
    }
  }
  return { tasks: found, ownerless: areas?.ownerless(owners) ?? [] };
}

/** The words of a slot for a task by which it owns a stack. */
function stackOf(kernel: Kernel, gva: bigint): StackOwner {
  const task = kernel.object("task_struct", gva);
  return { stack: task.u64("stack"), vm: task.u64("stack_vm_area") };
}

/**
 * Whether a slot of the cache of tasks, which is on no list, holds a task that
 * may run again. No single word of it says that it does not.
 *
 * @param double whether a listed task has its pid and start time
 * @param areas the stacks that are mapped page by page, in kernels that map
 * them so
 */
export function livesUnlisted(
  task: KernelObject,
  double: boolean,
  areas?: Pick<StackAreas, "owned">,
): boolean {
  if (isFree(task, areas) || isForked(task) || hasEnded(task)) return false;
  // A copy that was just made is still of a task that runs. One that sleeps is
  // none, whatever it calls itself: nothing would ever wake it.
  return !(double && stateOf(task) === TASK_RUNNING);
}

/**
 * Whether a slot holds no task, or none any more. The count of references is a
 * word that a task can do without, and so is every pointer of it while it
 * sleeps. But it owns a stack: its words and the allocator's books say which,
 * and a slot that was never used may hold anything but that.
 */
function isFree(
  task: KernelObject,
  areas: Pick<StackAreas, "owned"> | undefined,
): boolean {
  const stack = task.u64("stack");
  if (areas !== undefined) {
    return !areas.owned({ stack, vm: task.u64("stack_vm_area") });
  }
  return stack === 0n || task.number("usage.refs.counter") === 0;
}

/**
 * Whether it was forked and has not run yet. The kernel gives such a task this
 * very state: with another bit in it, it can be woken.
 */
function isForked(task: KernelObject): boolean {
  return stateOf(task) === TASK_NEW && task.u64("se.sum_exec_runtime") === 0n;
}

function stateOf(task: KernelObject): number {
  const name = ["__state", "state"].find((member) => task.has(member));
  return name === undefined ? TASK_RUNNING : task.number(name);
}

/**
 * How many objects the slabs of a cache have: as many as fit, or fewer where
 * memory was short (struct kmem_cache_order_objects).
 *
 * @throws {KernelError} when these numbers cannot be true.
 */
function objectCounts(cache: KernelObject): Set<number> {
  const counts = ["oo.x", "min.x"].map((member) =>
    cache.number(member) % MOST_OBJECTS
  );
  const bytes = cache.number("size");
  const [most, least] = counts;
  if (least === 0 || least > most || most * bytes > MOST_SLAB) {
    throw new KernelError(
      `the cache of tasks claims ${least} to ${most} objects in a slab`,
    );
  }
  return new Set(counts);
}

/** GVAs of all slots for tasks in the slabs of their cache. */
function taskSlabs(kernel: Kernel): bigint[] | undefined {
  const { types, symbols, space } = kernel;
  const at = symbols.tryAddress("task_struct_cachep");
  const { image } = kernel.arch;
  const u64 = (gva: bigint) => space.u64(gva);
  const type = slabStruct(kernel);
  const cacheAt = types.tryOffset(type, "slab_cache");
  const struct = types.struct("page").size;
  // With what a dump lacks: tasks in it are unjudged, not absent.
  const ranges = kernel.memory.ram ?? kernel.memory.ranges;
  if (totalBytes(ranges) > MOST_RAM) return undefined;
  if (at === undefined || cacheAt === undefined) {
    throw new KernelError(
      "where this kernel has the memory of tasks is not known: task_struct_cachep or struct slab is missing",
    );
  }
  wholeSize(struct, MOST_STRUCT, "struct page", "bytes");
  const cache = space.u64(at);
  const size = kernel.object("kmem_cache", cache).number("size");
  // Objects may be smaller than the struct: the size of its last member depends
  // on the processor.
  if (size < types.offset("task_struct", "signal") || size > 1 << 16) {
    throw new KernelError(`the cache of tasks claims objects of ${size} bytes`);
  }
  const counts = objectCounts(kernel.object("kmem_cache", cache));
  const pages = image.pageStructs(symbols, u64);
  const memory = image.directMap(symbols, u64);
  if (pages === undefined || memory === undefined) {
    throw new KernelError("where memory is mapped is not known");
  }
  const { pageSize } = kernel;
  const low = Number(cache & 0xffffffffn);
  const high = Number(cache >> 32n);
  const found: bigint[] = [];
  const words = allocateWords(
    Uint32Array,
    CHUNK * struct / 4,
    CHUNK * MOST_STRUCT / 4,
    "struct page",
  );
  const bytes = new Uint8Array(words.buffer);
  for (const { start, end } of ranges) {
    const last = Math.floor(end / pageSize);
    for (
      let first = Math.ceil(start / pageSize);
      first < last;
      first += CHUNK
    ) {
      const count = Math.min(CHUNK, last - first);
      const from = pages + BigInt(first) * BigInt(struct);
      // Where no `struct page`s are mapped there is no memory for them to
      // describe.
      readPresent(kernel, from, bytes.subarray(0, count * struct));
      for (let i = 0; i < count; i++) {
        const word = (i * struct + cacheAt) / 4;
        if (words[word] !== low || words[word + 1] !== high) continue;
        const slab = kernel.object(type, from + BigInt(i * struct));
        const objects = slab.number("objects");
        if (!counts.has(objects)) {
          throw new KernelError(
            `the slab at ${
              hex(slab.gva)
            } claims ${objects} tasks, and those of its cache have ${
              [...counts].join(" or ")
            }`,
          );
        }
        kernel.space.budget.node(slab.gva, objects);
        const base = memory + BigInt(first + i) * BigInt(pageSize);
        for (let n = 0; n < objects; n++) found.push(base + BigInt(n * size));
      }
    }
  }
  return found;
}
