/**
 * Keeps a process alive whose mapped file was cut short. Reading a page beyond
 * the file's end raises SIGBUS, which would end the process without a word; so
 * does a page that the host has no memory for (a full tmpfs, no free huge
 * pages). With the guard, the mapping's memory is replaced by empty memory at
 * that moment, and the mapping knows that it is lost.
 *
 * A signal handler must not run JavaScript, so this one is machine code. On hosts
 * whose architecture has none here, SIGBUS ends the process as before.
 *
 * @module
 */
import { architectures } from "../engine/arch/all.ts";
import { SIGBUS, SLOT_WORDS } from "../engine/arch/fault_handler.ts";
import { libc } from "./libc.ts";

const SA_SIGINFO = 4;
const SA_ONSTACK = 0x0800_0000;
const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;
/** Bytes of `struct sigaction`: handler, mask, flags, restorer. */
const SIGACTION_BYTES = 152;
const SIGACTION_FLAGS = 136;
/** How many mappings can be guarded at a time. */
const SLOTS = 256;
const TABLE_BYTES = SLOTS * SLOT_WORDS * 8;
const CODE_BYTES = 4096;

/** Address of an anonymous mapping; `undefined` when there is no memory. */
function anonymous(length: number): Deno.PointerObject | undefined {
  const pointer = libc().mmap(
    null,
    BigInt(length),
    PROT_READ | PROT_WRITE,
    MAP_PRIVATE | MAP_ANONYMOUS,
    -1,
    0n,
  );
  return pointer === null ||
      BigInt.asIntN(64, Deno.UnsafePointer.value(pointer)) === -1n
    ? undefined
    : pointer;
}

/** The slots; `undefined` where nothing can be guarded. */
let table: BigUint64Array | undefined;
/** The same as halves of words, which are read without making a bigint. */
let halves: Uint32Array = new Uint32Array();
let tried = false;

function install(): void {
  if (tried) return;
  tried = true;
  const machineCode = architectures.find(({ name }) => name === Deno.build.arch)
    ?.faultHandler;
  if (machineCode === undefined) return;
  const slots = anonymous(TABLE_BYTES);
  const code = anonymous(CODE_BYTES);
  if (slots === undefined || code === undefined) return;
  const old = new Uint8Array(SIGACTION_BYTES);
  if (libc().sigaction(SIGBUS, null, old) !== 0) return;
  const handler = machineCode({
    table: Deno.UnsafePointer.value(slots),
    slots: SLOTS,
    before: new DataView(old.buffer).getBigUint64(0, true),
  });
  viewOf(code, CODE_BYTES).set(handler);
  const protection = PROT_READ | PROT_EXEC;
  if (libc().mprotect(code, BigInt(CODE_BYTES), protection) !== 0) return;
  const action = new Uint8Array(SIGACTION_BYTES);
  const view = new DataView(action.buffer);
  view.setBigUint64(0, Deno.UnsafePointer.value(code), true);
  view.setInt32(SIGACTION_FLAGS, SA_SIGINFO | SA_ONSTACK, true);
  if (libc().sigaction(SIGBUS, action, null) !== 0) return;
  table = new BigUint64Array(viewOf(slots, TABLE_BYTES).buffer);
  halves = new Uint32Array(table.buffer);
}

/** Bytes that are mapped already. */
function viewOf(
  start: Deno.PointerObject,
  bytes: number,
): Uint8Array<ArrayBuffer> {
  const buffer = Deno.UnsafePointerView.getArrayBuffer(start, bytes);
  return new Uint8Array(buffer);
}

/** One guarded mapping; to be disposed before the memory is unmapped. */
export class FaultGuard implements Disposable {
  readonly #slot: number;
  /** Index of its mark in `halves`; -1: none. */
  readonly #hitAt: number;

  /**
   * Guards `length` bytes at an address. Without a free slot, nothing is
   * guarded.
   */
  constructor(pointer: Deno.PointerObject, length: number) {
    install();
    let slot = -1;
    for (let i = 0; i < SLOTS && slot < 0 && table !== undefined; i++) {
      if (table[i * SLOT_WORDS] === 0n) slot = i * SLOT_WORDS;
    }
    this.#slot = slot;
    this.#hitAt = slot < 0 ? -1 : 2 * (slot + 2);
    if (table === undefined || slot < 0) return;
    const start = Deno.UnsafePointer.value(pointer);
    table[slot + 2] = 0n;
    table[slot + 1] = start + BigInt(length);
    table[slot] = start;
  }

  /** Whether the mapping was hit: it holds zeros, and nothing of its file. */
  get hit(): boolean {
    return this.#hitAt >= 0 && halves[this.#hitAt] !== 0;
  }

  [Symbol.dispose](): void {
    if (table === undefined || this.#slot < 0) return;
    table[this.#slot] = 0n;
    table[this.#slot + 1] = 0n;
  }
}
