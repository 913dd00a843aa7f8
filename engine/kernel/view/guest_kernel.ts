/**
 * A guest's kernel as scripts see it: variables and structs by name, as objects
 * with members.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Member } from "../btf/struct_layout.ts";
import { arrayOf, type CType, PER_CPU_SECTION } from "../btf/c_type.ts";
import type { Kernel } from "../core/kernel.ts";
import {
  checkedLength,
  perCpuAddress,
  symbolAt,
  TEXT_BYTES,
  typeNamed,
} from "./context.ts";
import type {
  Addressed,
  AnyStruct,
  KernelValue,
  ObjectOf,
  Struct,
  ValueOf,
} from "./object_types.ts";
import type { PerCpuVariables } from "./structs.ts";
import * as subsystems from "./subsystems.ts";
import type { Mount, TaskFile } from "./subsystems.ts";
import { KernelValues } from "./values.ts";
import {
  type KnownVariable,
  type VARIABLES,
  variableType,
} from "./variables.ts";

/** A member as listed by {@linkcode GuestKernel.type}. */
export interface TypeMember {
  readonly name: string;
  /** Type in C notation. */
  readonly type: string;
  /** Offset in bytes. */
  readonly offset: number;
  /** Size in bytes. */
  readonly size: number;
  /** For bit-fields: the first bit within the struct, and the width in bits. */
  readonly bits?: { readonly first: number; readonly width: number };
}

/** The description of a type. */
export interface TypeDescription {
  /** Name in C notation. */
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  /**
   * Members of a struct or union, including those of anonymous structs in it.
   */
  readonly members: readonly TypeMember[];
  /** Enumerators of an enum, by name. */
  readonly enumerators: Readonly<Record<string, number>>;
}

/** Longest text of a global variable, in bytes. */
const MOST_TEXT = 4096;

/**
 * Access to the objects of a guest's kernel by name.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { kernel } = guest;
 * console.log(kernel.object("init_task").comm); // swapper/0
 * for (const { name, state } of kernel.modules()) console.log(name, state);
 * for (const task of kernel.tasks()) {
 *   console.log(task.pid, task.comm, task.real_parent?.pid);
 * }
 * ```
 */
export class GuestKernel {
  readonly #kernel: Kernel;
  readonly #values: KernelValues;

  /** Wraps a kernel that has been located. */
  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#values = new KernelValues(kernel);
  }

  /** As printed by `uname -r` in the guest. */
  get release(): string {
    return this.#kernel.facts.release;
  }

  /** Ids of the CPUs that are online. */
  get cpus(): readonly number[] {
    return this.#kernel.cpuMask("__cpu_online_mask");
  }

  /**
   * A global variable, typed by the guest's BTF or by a table of well-known
   * variables: `object("init_task").comm`.
   *
   * @throws {KernelError} when there is no such variable, or its type must be
   * given.
   */
  object<V extends KnownVariable>(
    variable: V,
  ): ObjectOf<(typeof VARIABLES)[V]>;
  /** A global variable whose type is not known to TypeScript. */
  object(variable: string): AnyStruct;
  /**
   * The object at an address or symbol, with a type in C notation:
   * `object("task_struct", address)`, `object("struct list_head", "modules")`.
   *
   * @throws {KernelError} when there is no such type or symbol.
   */
  object<T extends string>(type: T, at: bigint | string): ObjectOf<T>;
  object(name: string, at?: bigint | string): unknown {
    if (at === undefined) return this.#variable(name);
    const type = typeNamed(this.#kernel, name);
    return this.#values.at(
      type,
      typeof at === "bigint" ? at : this.#address(at),
    );
  }

  /**
   * One CPU's instance of a per-CPU variable: `perCpu("runqueues", 0)`. Its
   * type comes from the guest's BTF.
   *
   * @throws {KernelError} when there is no such variable or CPU.
   */
  perCpu<V extends keyof PerCpuVariables>(
    variable: V,
    cpu: number,
  ): ValueOf<PerCpuVariables[V]>;
  /**
   * Like the other overload, with a type in C notation, for variables that BTF
   * does not describe.
   */
  perCpu<T extends string>(
    variable: string,
    cpu: number,
    type: T,
  ): ObjectOf<T>;
  /**
   * Like the other overloads, for a variable whose type is not known to
   * TypeScript.
   */
  perCpu(variable: string, cpu: number): AnyStruct;
  perCpu(variable: string, cpu: number, type?: string): unknown {
    const kernel = this.#kernel;
    const known = type === undefined
      ? kernel.types.tryVariable(variable)?.type
      : typeNamed(kernel, type);
    const at = this.#address(variable);
    if (known === undefined) {
      throw untyped(variable, `perCpu("${variable}", ${cpu}, "TYPE")`);
    }
    return this.#values.at(known, perCpuAddress(kernel, at, cpu));
  }

  /**
   * GVA of a symbol.
   *
   * @throws {KernelError} when the kernel has no such symbol.
   */
  address(symbol: string): bigint {
    return this.#kernel.symbols.address(symbol);
  }

  /** Whether the kernel has a symbol. */
  hasSymbol(symbol: string): boolean {
    return this.#kernel.symbols.tryAddress(symbol) !== undefined;
  }

  /** The symbol that covers an address: `schedule+0x1a`. */
  symbol(address: bigint): string | undefined {
    const start = symbolAt(this.#kernel, address);
    if (start !== undefined) return start;
    const found = this.#kernel.symbols.lookup(address);
    return found === undefined
      ? undefined
      : `${found.name}+0x${found.offset.toString(16)}`;
  }

  /**
   * The value of an enumerator: `constant("MODULE_STATE_LIVE")`.
   *
   * @throws {KernelError} when no enum of the kernel defines it.
   */
  constant(enumerator: string): number {
    return this.#kernel.types.enumerator(enumerator);
  }

  /** Whether this kernel has a type. */
  hasType(name: string): boolean {
    return this.#kernel.types.tryType(name) !== undefined;
  }

  /**
   * Describes a type: its size, members, enumerators.
   *
   * @throws {KernelError} when this kernel has no such type.
   */
  type(name: string): TypeDescription {
    const type = typeNamed(this.#kernel, name);
    return {
      name: type.name,
      size: type.size,
      members: type.kind === "struct"
        ? [...type.layout.members.values()].map(describeMember)
        : [],
      enumerators: type.kind === "enum"
        ? Object.fromEntries(
          [...type.names].map(([value, name]) => [name, Number(value)]),
        )
        : {},
    };
  }

  /**
   * A copy of bytes in kernel memory.
   *
   * @throws {MemoryError} when they are not mapped.
   * @throws {KernelError} when the length is none, or more than 1 GiB.
   */
  bytes(address: bigint, length: number): Uint8Array<ArrayBuffer> {
    return this.#kernel.space.bytes(address, checkedLength(length));
  }

  /**
   * NUL-terminated text in kernel memory, at most `limit` bytes.
   *
   * @throws {MemoryError} when nothing is mapped there.
   */
  string(address: bigint, limit = TEXT_BYTES): string {
    return this.#kernel.space.string(address, checkedLength(limit));
  }

  /**
   * All tasks: the threads of all processes, and kernel threads. The list is
   * read completely before the first task is returned; the same holds for the
   * methods below.
   *
   * @throws {KernelError} when the list of tasks is damaged.
   */
  tasks(): Generator<Struct<"task_struct">> {
    return subsystems.tasks(this.#kernel, this.#make);
  }

  /** The first thread of each process. Throws like {@linkcode tasks}. */
  processes(): Generator<Struct<"task_struct">> {
    return subsystems.processes(this.#kernel, this.#make);
  }

  /** The threads of a task's process. Throws like {@linkcode tasks}. */
  threads(task: Struct<"task_struct">): Generator<Struct<"task_struct">> {
    return subsystems.threads(this.#kernel, this.#make, task);
  }

  /** The task with a pid. Throws like {@linkcode tasks}. */
  task(pid: number): Struct<"task_struct"> | undefined {
    return this.tasks().find((task) => task.pid === pid);
  }

  /** The modules that are loaded. */
  modules(): Generator<Struct<"module">> {
    return this.object("modules").$list("module", "list");
  }

  /** The open files of a task, with their numbers and paths. */
  files(task: Struct<"task_struct">): Generator<TaskFile> {
    return subsystems.files(this.#kernel, this.#make, task);
  }

  /**
   * The path of a `struct file` or `struct path`, from the root of its mounts.
   *
   * @throws {KernelError} when it is neither.
   */
  path(of: Addressed): string {
    return subsystems.pathText(this.#kernel, of);
  }

  /** The memory areas of a task, in address order. */
  memoryAreas(
    task: Struct<"task_struct">,
  ): Generator<Struct<"vm_area_struct">> {
    return subsystems.areas(this.#kernel, this.#make, task);
  }

  /**
   * A copy of bytes in a task's user memory.
   *
   * @throws {MemoryError} when they are not in RAM.
   */
  userBytes(
    task: Struct<"task_struct">,
    address: bigint,
    length: number,
  ): Uint8Array<ArrayBuffer> {
    return subsystems.userBytes(
      this.#kernel,
      task,
      address,
      checkedLength(length),
    );
  }

  /**
   * The command line of a task's process; empty for kernel threads.
   *
   * @throws {MemoryError} when it is not in RAM.
   */
  commandLine(task: Struct<"task_struct">): string[] {
    return subsystems.commandLine(this.#kernel, task);
  }

  /** The mounts that a task sees; by default, those of the first process. */
  mounts(task?: Struct<"task_struct">): Generator<Mount> {
    const of = task ?? this.object("init_task");
    return subsystems.mounts(this.#kernel, this.#make, of);
  }

  /** The network devices of a namespace; by default, of the first one. */
  netDevices(net?: Struct<"net">): Generator<Struct<"net_device">> {
    return subsystems.netDevices(net ?? this.object("init_net"));
  }

  readonly #make = <N extends string>(struct: N, gva: bigint): Struct<N> =>
    // The name determines the type of the value.
    this.#values.at(typeNamed(this.#kernel, struct), gva) as Struct<N>;

  #variable(name: string): KernelValue {
    const { types } = this.#kernel;
    const at = this.#address(name);
    const described = types.tryVariable(name);
    if (described !== undefined) {
      if (!PER_CPU_SECTION.test(described.section)) {
        return this.#values.at(described.type, at);
      }
      throw new KernelError(
        `each CPU has its own ${name}: take one of them, as in perCpu("${name}", 0)`,
      );
    }
    const known = variableType(name);
    if (known === undefined) throw untyped(name, `object("TYPE", "${name}")`);
    const type = typeNamed(this.#kernel, known);
    return this.#values.at(this.#complete(type, at), at);
  }

  /** An array without a length extends from its symbol to the next one. */
  #complete(type: CType, at: bigint): CType {
    if (type.kind !== "array" || type.length !== 0) return type;
    const { element } = type;
    const size = this.#kernel.symbols.lookup(at)?.size ?? 0;
    // For text, the bytes between its end and the next symbol are not part of
    // it.
    const text = element.kind === "int" && element.char;
    const most = text ? MOST_TEXT : size;
    return arrayOf(element, Math.floor(Math.min(size, most) / element.size));
  }

  #address(symbol: string): bigint {
    const all = this.#kernel.symbols.addresses(symbol);
    if (all.length > 1) {
      throw new KernelError(
        `${all.length} symbols of this kernel are named ${symbol}: give the address of the one that is meant (${
          all.slice(0, 4).map((at) => `0x${at.toString(16)}n`).join(", ")
        })`,
      );
    }
    return all[0] ?? this.#kernel.symbols.address(symbol);
  }
}

function untyped(name: string, call: string): KernelError {
  return new KernelError(
    `the guest's BTF does not tell what type ${name} has: give it, as in ${call}`,
  );
}

function describeMember(member: Member): TypeMember {
  const { name, typeName, offset, size, bitOffset, bitSize } = member;
  return {
    name,
    type: typeName,
    offset,
    size,
    ...(bitOffset === undefined || bitSize === undefined
      ? {}
      : { bits: { first: bitOffset, width: bitSize } }),
  };
}
