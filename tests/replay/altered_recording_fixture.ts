/**
 * Recordings of kernels that are altered on purpose: words of their memory, of
 * their BTF and of their kallsyms tables are changed before they are opened, as
 * if they had been built like that.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { BTF_KIND, RawBtf } from "../../engine/kernel/btf/format.ts";
import { BtfTypes } from "../../engine/kernel/btf/btf_types.ts";
import { Kernel } from "../../engine/kernel/core/kernel.ts";
import { describeKernel } from "../../engine/kernel/locate/describe.ts";
import type {
  GpaRange,
  PhysicalMemory,
} from "../../engine/memory/physical_memory.ts";
import { ReadOnlyMemory } from "../../engine/memory/write_guard.ts";
import { openCoreSession, type Session } from "../../engine/session.ts";

const PAGE = 4096;
const COMPOUND: readonly number[] = [BTF_KIND.struct, BTF_KIND.union];
/** What a renamed symbol ends with. */
const OTHER_END = "9";

/** A recording's memory, in which bytes can be changed. */
class AlteredMemory extends ReadOnlyMemory implements PhysicalMemory {
  readonly name = "core:altered";
  protected readonly kind = "a core";
  readonly #inner: PhysicalMemory;
  /** The pages that differ, by number. */
  readonly #pages = new Map<number, Uint8Array>();

  constructor(inner: PhysicalMemory) {
    super();
    this.#inner = inner;
  }

  get ranges(): readonly GpaRange[] {
    return this.#inner.ranges;
  }

  dataRanges(): GpaRange[] {
    return this.#inner.dataRanges();
  }

  view(): undefined {
    return undefined;
  }

  search(needle: Uint8Array, limit?: number): number[] {
    return this.#inner.search(needle, limit);
  }

  read(gpa: number, into: Uint8Array): void {
    this.#inner.read(gpa, into);
    const last = Math.floor((gpa + into.length - 1) / PAGE);
    for (let number = Math.floor(gpa / PAGE); number <= last; number++) {
      const page = this.#pages.get(number);
      if (page === undefined) continue;
      const from = Math.max(gpa, number * PAGE);
      const to = Math.min(gpa + into.length, (number + 1) * PAGE);
      into.set(page.subarray(from % PAGE, from % PAGE + to - from), from - gpa);
    }
  }

  /** Changes bytes of one page. */
  put(gpa: number, bytes: Uint8Array): void {
    const number = Math.floor(gpa / PAGE);
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = new Uint8Array(PAGE);
      this.#inner.read(number * PAGE, page);
      this.#pages.set(number, page);
    }
    page.set(bytes, gpa % PAGE);
  }

  [Symbol.dispose](): void {}
}

/** A recording that is altered. */
export class AlteredRecording implements Disposable {
  readonly #session: Session;
  readonly #owns: boolean;
  readonly #memory: AlteredMemory;
  readonly #btf: RawBtf;
  /** GVA of the words of BTF's types. */
  readonly #types: bigint;

  /**
   * @param sound shares what was read of the recording, and outlives this
   */
  constructor(series: string, sound?: AlteredRecording) {
    const path = fileURLToPath(
      import.meta.resolve(`../../testdata/guest-${series}.core.zst`),
    );
    this.#owns = sound === undefined;
    this.#session = sound === undefined
      ? openCoreSession(`core:${path}`, path)
      : sound.#session;
    this.#memory = new AlteredMemory(this.#session.memory);
    if (sound !== undefined) {
      this.#btf = sound.#btf;
      this.#types = sound.#types;
      return;
    }
    const { space, symbols } = this.plain;
    const start = symbols.address("__start_BTF");
    const size = Number(symbols.address("__stop_BTF") - start);
    const bytes = space.bytes(start, size);
    const header = new DataView(bytes.buffer, bytes.byteOffset);
    this.#btf = new RawBtf(bytes);
    this.#types = start +
      BigInt(header.getUint32(4, true) + header.getUint32(8, true));
  }

  /** The kernel as it was recorded. */
  get plain(): Kernel {
    return this.#session.kernel;
  }

  /** The kernel as it is altered, described anew. */
  kernel(): Kernel {
    const { vmcoreinfo } = this.plain.facts;
    return describeKernel(
      this.#memory,
      vmcoreinfo === undefined ? {} : { vmcoreinfo },
    );
  }

  /** The same for types alone, which takes less time. */
  retyped(): Kernel {
    const { arch, facts, live, space, symbols } = this.plain;
    const start = symbols.address("__start_BTF");
    const size = Number(symbols.address("__stop_BTF") - start);
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size;) {
      const gva = start + BigInt(at);
      const length = Math.min(size - at, PAGE - Number(gva % BigInt(PAGE)));
      const { gpa } = space.translate(gva);
      this.#memory.read(gpa, bytes.subarray(at, at + length));
      at += length;
    }
    const types = new BtfTypes(bytes);
    return new Kernel(arch, space, symbols, types, live, facts);
  }

  /** Changes bytes that lie in one page. */
  put(gva: bigint, bytes: Uint8Array): void {
    this.#memory.put(this.plain.space.translate(gva).gpa, bytes);
  }

  /** Changes a word of 8 bytes. */
  put64(gva: bigint, value: bigint): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    this.put(gva, bytes);
  }

  /** Gives a member another name, one that BTF has. */
  renameMember(struct: string, member: string, to: string): void {
    this.#putWord(this.#member(struct, member), this.#string(to));
  }

  /** Moves a member by some bytes. */
  moveMember(struct: string, member: string, by: number): void {
    const at = this.#member(struct, member) + 2;
    this.#putWord(at, this.#btf.words[at] + by * 8);
  }

  /** Makes a struct larger. */
  resize(struct: string, by: number): void {
    const at = this.#btf.at[this.#named(struct, COMPOUND)] + 2;
    this.#putWord(at, this.#btf.words[at] + by);
  }

  /** Gives a struct another name, one that BTF has. */
  renameStruct(struct: string, to: string): void {
    const at = this.#btf.at[this.#named(struct, COMPOUND)];
    this.#putWord(at, this.#string(to));
  }

  /** Gives an enumerator another name, one that BTF has. */
  renameEnumerator(name: string, to: string): void {
    this.#putWord(this.#enumerator(name), this.#string(to));
  }

  /** Gives an enumerator another value. */
  setEnumerator(name: string, value: number): void {
    this.#putWord(this.#enumerator(name) + 1, value);
  }

  /** Takes a symbol away: its last letters are others. */
  renameSymbol(name: string): void {
    const tables = this.plain.origin?.tables();
    const { vmcoreinfo = "" } = this.plain.facts;
    const start = /^SYMBOL\(kallsyms_names\)=([0-9a-f]+)$/m.exec(vmcoreinfo);
    if (tables === undefined || start === null) throw new Error("no kallsyms");
    const { names, tokenIndex, tokenTable } = tables;
    const tokens = Array.from(tokenIndex, (at) => {
      const end = tokenTable.indexOf(0, at);
      return new TextDecoder().decode(tokenTable.slice(at, end));
    });
    for (let at = 0; at < names.length;) {
      let length = names[at++];
      if ((length & 0x80) !== 0) length = length & 0x7f | names[at++] << 7;
      const found = [...names.subarray(at, at + length)]
        .map((token) => tokens[token]).join("");
      at += length;
      // The first letter is the symbol's type.
      if (found.slice(1) !== name) continue;
      const other = tokens.indexOf(OTHER_END);
      const gva = BigInt(`0x${start[1]}`) + BigInt(at - 1);
      this.put(gva, Uint8Array.of(other));
      return;
    }
    throw new Error(`no symbol ${name}`);
  }

  /** Whether a struct has a member itself, not in an anonymous one. */
  hasMember(struct: string, member: string): boolean {
    try {
      return this.#member(struct, member) > 0;
    } catch {
      return false;
    }
  }

  [Symbol.dispose](): void {
    if (this.#owns) this.#session[Symbol.dispose]();
  }

  #putWord(index: number, value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    // A word is aligned, and so is in one page.
    this.put(this.#types + BigInt(index * 4), bytes);
  }

  #named(name: string, kinds: readonly number[]): number {
    const btf = this.#btf;
    for (let id = 1; id < btf.count; id++) {
      if (kinds.includes(btf.kind(id)) && btf.name(id) === name) return id;
    }
    throw new Error(`no ${name}`);
  }

  /** Index of a member's first word: name, type, offset in bits. */
  #member(struct: string, member: string): number {
    const btf = this.#btf;
    const id = this.#named(struct, COMPOUND);
    for (let i = 0; i < btf.entries(id); i++) {
      const at = btf.at[id] + 3 + 3 * i;
      if (btf.string(btf.words[at]) === member) return at;
    }
    throw new Error(`${struct} has no ${member}`);
  }

  /** Index of an enumerator's first word: name, value. */
  #enumerator(name: string): number {
    const btf = this.#btf;
    for (let id = 1; id < btf.count; id++) {
      if (btf.kind(id) !== BTF_KIND.enum) continue;
      for (let i = 0; i < btf.entries(id); i++) {
        const at = btf.at[id] + 3 + 2 * i;
        if (btf.string(btf.words[at]) === name) return at;
      }
    }
    throw new Error(`no enumerator ${name}`);
  }

  /** Offset of a name. */
  #string(name: string): number {
    const { strings } = this.#btf;
    const bytes = new TextEncoder().encode(`\0${name}\0`);
    for (
      let at = strings.indexOf(0);
      at >= 0;
      at = strings.indexOf(0, at + 1)
    ) {
      if (bytes.every((byte, i) => strings[at + i] === byte)) return at + 1;
    }
    throw new Error(`BTF has no name ${name}`);
  }
}
