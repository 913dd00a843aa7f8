/**
 * The machine code of a host's handler of SIGBUS.
 *
 * @module
 */
import { type FaultHandler, SIGBUS, SLOT_WORDS } from "../fault_handler.ts";

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

/** See {@linkcode FaultHandler}. */
export const faultHandler: FaultHandler = ({ table, slots, before }) => {
  const code = new Code()
    .add(0x48, 0x8b, 0x46, 0x10) // mov rax, [rsi+16]: si_addr
    .add(0x49, 0xb8).word(table) // mov r8, table
    .add(0xb9, slots & 0xff, slots >> 8, 0, 0) // mov ecx, slots
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
    .add(0xba, 3, 0, 0, 0) // mov edx, PROT_READ | PROT_WRITE
    // mov r10d, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE
    .add(0x41, 0xba, 0x32, 0x40, 0, 0)
    .add(0x49, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff) // mov r8, -1
    .add(0x45, 0x31, 0xc9) // xor r9d, r9d
    .add(0xb8, 9, 0, 0, 0, 0x0f, 0x05) // mmap
    .add(0x48, 0x85, 0xc0) // test rax, rax
    .jump(0x78, "end") // js end
    .add(0xc3) // ret
    .done();
};
