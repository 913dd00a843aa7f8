/**
 * Keeps a process alive whose mapped file was cut short. Reading a page beyond
 * the file's end raises SIGBUS, which would end the process without a word; so
 * does a page that the host has no memory for (a full tmpfs, no free huge
 * pages). With the guard, the mapping's memory is replaced by empty memory at
 * that moment, and the mapping knows that it is lost.
 *
 * A signal handler must not run JavaScript, so this one is machine code, for
 * hosts with x86-64 processors. On others SIGBUS ends the process as before.
 *
 * @module
 */
import { libc } from "./libc.ts";

const SIGBUS = 7;
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
/** Words of 8 bytes of a slot: start, end, and whether it was hit. */
const SLOT_WORDS = 3;
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

/** Machine code with labels: jumps are given by the label that they lead to. */
class Code {
  readonly bytes: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #jumps: { at: number; to: string }[] = [];

  add(...bytes: number[]): this {
    this.bytes.push(...bytes);
    return this;
  }

  word(value: bigint): this {
    for (let i = 0n; i < 8n; i++) {
      this.bytes.push(Number((value >> (8n * i)) & 0xffn));
    }
    return this;
  }

  jump(opcode: number, to: string): this {
    this.bytes.push(opcode, 0);
    this.#jumps.push({ at: this.bytes.length - 1, to });
    return this;
  }

  label(name: string): this {
    this.#labels.set(name, this.bytes.length);
    return this;
  }

  done(): Uint8Array<ArrayBuffer> {
    for (const { at, to } of this.#jumps) {
      this.bytes[at] = ((this.#labels.get(to) ?? 0) - at - 1) & 0xff;
    }
    return Uint8Array.from(this.bytes);
  }
}

/**
 * The handler. For an address in a guarded mapping: marks it as hit, and maps
 * empty memory over all of it; otherwise calls the handler that was there
 * before, or ends the process as the signal would.
 */
function handlerCode(table: bigint, before: bigint): Uint8Array<ArrayBuffer> {
  const code = new Code()
    .add(0x48, 0x8b, 0x46, 0x10) // mov rax, [rsi+16]: si_addr
    .add(0x49, 0xb8).word(table) // mov r8, table
    .add(0xb9, SLOTS & 0xff, SLOTS >> 8, 0, 0) // mov ecx, SLOTS
    .label("look")
    .add(0x49, 0x3b, 0x00) // cmp rax, [r8]
    .jump(0x72, "next") // jb next
    .add(0x49, 0x3b, 0x40, 0x08) // cmp rax, [r8+8]
    .jump(0x72, "found") // jb found
    .label("next")
    .add(0x49, 0x83, 0xc0, SLOT_WORDS * 8) // add r8, 24
    .add(0xff, 0xc9) // dec ecx
    .jump(0x75, "look"); // jnz look
  // SIG_DFL and SIG_IGN are no functions.
  if (before > 1n) code.add(0x48, 0xb8).word(before).add(0xff, 0xe0); // jmp rax
  return code
    .label("end")
    .add(0xbf, 128 + SIGBUS, 0, 0, 0) // mov edi, 135
    .add(0xb8, 231, 0, 0, 0, 0x0f, 0x05) // exit_group
    .label("found")
    .add(0x49, 0xc7, 0x40, 0x10, 1, 0, 0, 0) // mov qword [r8+16], 1
    .add(0x49, 0x8b, 0x38) // mov rdi, [r8]
    .add(0x49, 0x8b, 0x70, 0x08) // mov rsi, [r8+8]
    .add(0x48, 0x29, 0xfe) // sub rsi, rdi
    .add(0xba, PROT_READ | PROT_WRITE, 0, 0, 0) // mov edx, protection
    // mov r10d, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE
    .add(0x41, 0xba, 0x32, 0x40, 0, 0)
    .add(0x49, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff) // mov r8, -1
    .add(0x45, 0x31, 0xc9) // xor r9d, r9d
    .add(0xb8, 9, 0, 0, 0, 0x0f, 0x05) // mmap
    .add(0x48, 0x85, 0xc0) // test rax, rax
    .jump(0x78, "end") // js end
    .add(0xc3) // ret
    .done();
}

/** The slots; `undefined` where nothing can be guarded. */
let table: BigUint64Array | undefined;
let tried = false;

function install(): void {
  if (tried) return;
  tried = true;
  if (Deno.build.arch !== "x86_64") return;
  const slots = anonymous(TABLE_BYTES);
  const code = anonymous(CODE_BYTES);
  if (slots === undefined || code === undefined) return;
  const old = new Uint8Array(SIGACTION_BYTES);
  if (libc().sigaction(SIGBUS, null, old) !== 0) return;
  const handler = handlerCode(
    Deno.UnsafePointer.value(slots),
    new DataView(old.buffer).getBigUint64(0, true),
  );
  new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(code, CODE_BYTES))
    .set(handler);
  const protection = PROT_READ | PROT_EXEC;
  if (libc().mprotect(code, BigInt(CODE_BYTES), protection) !== 0) return;
  const action = new Uint8Array(SIGACTION_BYTES);
  const view = new DataView(action.buffer);
  view.setBigUint64(0, Deno.UnsafePointer.value(code), true);
  view.setInt32(SIGACTION_FLAGS, SA_SIGINFO | SA_ONSTACK, true);
  if (libc().sigaction(SIGBUS, action, null) !== 0) return;
  table = new BigUint64Array(
    Deno.UnsafePointerView.getArrayBuffer(slots, TABLE_BYTES),
  );
}

/** One guarded mapping; to be disposed before the memory is unmapped. */
export class FaultGuard implements Disposable {
  readonly #slot: number;

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
    if (table === undefined || slot < 0) return;
    const start = Deno.UnsafePointer.value(pointer);
    table[slot + 2] = 0n;
    table[slot + 1] = start + BigInt(length);
    table[slot] = start;
  }

  /** Whether the mapping was hit: it holds zeros, and nothing of its file. */
  get hit(): boolean {
    return table !== undefined && this.#slot >= 0 &&
      table[this.#slot + 2] !== 0n;
  }

  [Symbol.dispose](): void {
    if (table === undefined || this.#slot < 0) return;
    table[this.#slot] = 0n;
    table[this.#slot + 1] = 0n;
  }
}
