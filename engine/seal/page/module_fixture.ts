/**
 * A guest with the module: control page, rings and mail area in memory, and a
 * model of the module's behaviour, written after guest/*.c.
 *
 * The model reacts immediately to each write by the host, so tests need not
 * wait.
 *
 * @module
 */
import { BusyMemory } from "../../memory/buffer_memory_fixture.ts";
import type { PhysicalMemory } from "../../memory/physical_memory.ts";
import { Kernel } from "../../kernel/core/kernel.ts";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { LiveSymbols } from "../../kernel/symbols/live_symbols.ts";
import { ModuleSymbols } from "../../kernel/symbols/module_symbols.ts";
import type { KernelModule } from "../../kernel/symbols/modules.ts";
import { ratchet, takeKey } from "../keys/seals.ts";
import { sealEntry } from "../keys/seals_fixture.ts";
import {
  ABI_VERSION,
  COMMAND,
  CONFIG,
  CONTROL,
  CPU,
  ENTRY,
  ENTRY_KIND,
  ENTRY_WORDS,
  PAGE_MAGIC,
  SEAL,
  WORD,
} from "./abi.ts";
import { MODULE_NAME } from "./control_page.ts";

const PAGE = 4096;
const MAIL_BYTES = PAGE;

/** One CPU in the model. */
interface ModelCpu {
  /** GVA of its `struct xft_cpu`. */
  readonly gva: bigint;
  readonly ring: bigint;
  readonly key: Int32Array;
}

/** The content of an entry; fields not given are 0. */
export interface ModelEntry {
  readonly kind: number;
  readonly func?: bigint;
  readonly caller?: bigint;
  readonly pid?: number;
  readonly depth?: number;
}

/** Options of a {@linkcode ModuleGuest}. */
export interface ModuleGuestOptions {
  /** Number of CPUs; default 2. */
  readonly cpus?: number;
  /** Number of entries in each ring, a power of two; default 256. */
  readonly entries?: number;
  /** Whether the guest runs; default: yes. */
  readonly live?: boolean;
}

/** A guest with the module loaded. */
export class ModuleGuest {
  readonly fixture: FixtureGuest;
  readonly kernel: Kernel;
  /** GVA of the control page. */
  readonly control: bigint;
  /** GVA of the module's code. */
  readonly text: bigint;
  readonly cpus: readonly ModelCpu[];
  readonly entries: number;
  /** Modules on the kernel's list; emptying it unloads the module. */
  readonly modules: KernelModule[] = [];
  /** Whether the module's thread is running. */
  works = true;
  /** The guest's tracefs files, as far as they are modelled. */
  readonly files = new Map<string, string>();
  /** Names of the commands carried out. */
  readonly carriedOut: string[] = [];
  readonly #ops: bigint;
  readonly #array: bigint;
  readonly #mail: bigint;

  constructor(options: ModuleGuestOptions = {}) {
    this.entries = options.entries ?? 256;
    const types = fixtureTypes({
      fgraph_ops: {
        size: 16,
        members: { entryfunc: [0, "u64"], retfunc: [8, "u64"] },
      },
    });
    let memory: BusyMemory | undefined;
    const fixture = new FixtureGuest(types, {
      size: (1 << 20) + (options.cpus ?? 2) * this.entries * ENTRY.bytes,
      memory: (bytes): PhysicalMemory =>
        memory = new BusyMemory(bytes, { live: options.live ?? true }),
    });
    this.fixture = fixture;
    this.text = fixture.allocate(PAGE, PAGE);
    this.control = fixture.allocate(PAGE, PAGE);
    this.#mail = fixture.allocate(MAIL_BYTES, PAGE);
    this.#ops = fixture.create("fgraph_ops");
    this.#array = fixture.image();
    fixture.symbol("fgraph_array", this.#array);
    const count = options.cpus ?? 2;
    const areas = fixture.allocate(count * CPU.bytes);
    this.cpus = Array.from({ length: count }, (_, cpu) => ({
      gva: areas + BigInt(cpu * CPU.bytes),
      ring: fixture.allocate(this.entries * ENTRY.bytes, PAGE),
      key: new Int32Array(4),
    }));
    this.#load(areas);
    this.modules.push(this.#module());
    const { arch, space, symbols, facts } = fixture.kernel;
    const live: LiveSymbols = Object.create(LiveSymbols.prototype, {
      modules: { value: this.modules },
      refresh: { value: () => false },
    });
    this.kernel = new Kernel(arch, space, symbols, types, live, facts);
    if (memory !== undefined) {
      memory.after = (gpa) => this.#written(gpa);
    }
  }

  /** Writes what the module writes when it is loaded. */
  #load(areas: bigint): void {
    const { fixture, control, text } = this;
    for (const { gva, ring } of this.cpus) {
      fixture.setU64(gva + BigInt(CPU.ring), ring);
      fixture.setU64(gva + BigInt(CPU.ring_entries), this.entries);
    }
    this.set32(CONTROL.abi_version, ABI_VERSION);
    this.set32(CONTROL.control_bytes, CONTROL.bytes);
    this.set32(CONTROL.cpu_bytes, CPU.bytes);
    this.set32(CONTROL.entry_bytes, ENTRY.bytes);
    this.set64(CONTROL.nonce, 0x1122334455667788n);
    this.set64(CONTROL.nonce + 8, 0x99aabbccddeeff00n);
    this.set64(CONTROL.cpus, areas);
    this.set32(CONTROL.cpu_count, this.cpus.length);
    this.set32(CONTROL.mail_bytes, MAIL_BYTES);
    this.set64(CONTROL.mail, this.#mail);
    this.set64(CONTROL.graph_ops, this.#ops);
    this.set64(CONTROL.entry_handler, text + 0x10n);
    this.set64(CONTROL.return_handler, text + 0x80n);
    fixture.setU64(
      fixture.at("fgraph_ops", this.#ops, "entryfunc"),
      text + 0x10n,
    );
    fixture.setU64(
      fixture.at("fgraph_ops", this.#ops, "retfunc"),
      text + 0x80n,
    );
    this.set64(CONTROL.self, control);
    this.set64(CONTROL.magic, PAGE_MAGIC);
  }

  /**
   * The module as the kernel's list shows it; only the page's symbol is needed.
   */
  #module(): KernelModule {
    const { fixture, text } = this;
    const symtab = fixture.allocate(24);
    const strtab = fixture.text("\0xft_control");
    fixture.setU32(symtab, 1);
    // In section 1, with an arbitrary defined value.
    fixture.view.setUint16(fixture.gpa(symtab) + 6, 1, true);
    fixture.setU64(symtab + 8n, this.control);
    const range = (start: bigint) => ({ start, end: start + BigInt(PAGE) });
    return {
      name: MODULE_NAME,
      gva: this.#ops,
      state: 0,
      ranges: [range(text), range(this.control)],
      text: range(text),
      symbols: ModuleSymbols.read(
        (gva, into) => fixture.space.read(gva, into),
        {
          module: MODULE_NAME,
          symtab,
          count: 1,
          strtab,
          typetab: undefined,
          core: [range(text), range(this.control)],
          init: [],
          coreText: range(text),
          initText: undefined,
        },
      ),
    };
  }

  /** The u32 at an offset in the control page. */
  get32(offset: number): number {
    return this.fixture.view.getUint32(
      this.fixture.gpa(this.control) + offset,
      true,
    );
  }

  /** The u64 at an offset in the control page. */
  get64(offset: number): bigint {
    return this.fixture.u64(this.control + BigInt(offset));
  }

  /** Stores a u32 in the control page without triggering the model. */
  set32(offset: number, value: number): void {
    this.fixture.setU32(this.control + BigInt(offset), value);
  }

  /** Stores a u64 in the control page without triggering the model. */
  set64(offset: number, value: bigint | number): void {
    this.fixture.setU64(this.control + BigInt(offset), value);
  }

  /** The u64 at an offset in a CPU's area. */
  cpu64(cpu: number, offset: number): bigint {
    return this.fixture.u64(this.cpus[cpu].gva + BigInt(offset));
  }

  /** Stores a u64 in a CPU's area without triggering the model. */
  setCpu64(cpu: number, offset: number, value: bigint | number): void {
    this.fixture.setU64(this.cpus[cpu].gva + BigInt(offset), value);
  }

  /** The words in the ring of the entry with a sequence number. */
  entryAt(cpu: number, sequence: number): Int32Array {
    const { ring } = this.cpus[cpu];
    const at = (sequence - 1) % this.entries;
    return new Int32Array(
      this.fixture.bytes.buffer,
      this.fixture.gpa(ring) + at * ENTRY.bytes,
      ENTRY_WORDS,
    );
  }

  /** Reacts to a word stored by the host. */
  #written(gpa: number): void {
    const offset = gpa - this.fixture.gpa(this.control);
    if (!this.works) return;
    if (offset === CONTROL.heartbeat_nonce) this.#beat();
    if (
      offset === CONTROL.command_number &&
      this.get64(CONTROL.command_number) !==
        this.get64(CONTROL.command_answered)
    ) this.#carryOut();
  }

  #beat(): void {
    const nonce = this.get64(CONTROL.heartbeat_nonce);
    this.cpus.forEach((_, cpu) =>
      this.push(cpu, { kind: ENTRY_KIND.heartbeat, func: nonce })
    );
    this.set64(CONTROL.heartbeat_seen, nonce);
  }

  #carryOut(): void {
    const command = this.get32(CONTROL.command);
    const number = this.get64(CONTROL.command_number);
    this.carriedOut.push(
      Object.entries(COMMAND).find(([, n]) => n === command)?.[0] ?? "?",
    );
    if (command === COMMAND.reset) this.#reset();
    if (command === COMMAND.configure) {
      const at = this.fixture.gpa(this.#mail) + CONFIG.seal;
      this.set32(CONTROL.seal, this.fixture.view.getUint32(at, true));
      this.set32(
        CONTROL.flags,
        this.fixture.view.getUint32(at + CONFIG.flags - CONFIG.seal, true),
      );
      this.set32(
        CONTROL.max_depth,
        this.fixture.view.getUint32(at + CONFIG.max_depth - CONFIG.seal, true),
      );
      this.set32(CONTROL.registered, 1);
      this.#register(this.#ops);
    }
    if (command === COMMAND.unregister) {
      this.set32(CONTROL.registered, 0);
      this.#register(0n);
    }
    this.push(0, {
      kind: ENTRY_KIND.command,
      func: number,
      caller: BigInt(command),
    });
    this.set32(CONTROL.answer_bytes, 0);
    this.set64(CONTROL.command_result, this.#files(command));
    this.set64(CONTROL.commands, this.get64(CONTROL.commands) + 1n);
    this.set64(CONTROL.command_answered, number);
  }

  /** Carries out a command on a file; returns the error number on failure. */
  #files(command: number): bigint {
    const { tracefs_write, tracefs_append, tracefs_read } = COMMAND;
    if (
      command !== tracefs_write && command !== tracefs_append &&
      command !== tracefs_read
    ) return 0n;
    const at = this.fixture.gpa(this.#mail);
    const mail = this.fixture.bytes.subarray(at, at + MAIL_BYTES);
    const end = mail.indexOf(0);
    const path = new TextDecoder().decode(mail.subarray(0, end));
    const argument = Number(this.get64(CONTROL.command_argument));
    const before = this.files.get(path);
    if (before === undefined) return -2n;
    if (command === tracefs_read) {
      const bytes = new TextEncoder().encode(before)
        .subarray(argument, argument + MAIL_BYTES);
      mail.set(bytes);
      this.set32(CONTROL.answer_bytes, bytes.length);
      return BigInt(bytes.length);
    }
    const body = mail.slice(end + 1, end + 1 + argument);
    const text = new TextDecoder().decode(body);
    this.files.set(path, command === tracefs_append ? before + text : text);
    return BigInt(argument);
  }

  /** Fills Ftrace's array of users with the module, or with nothing. */
  #register(ops: bigint): void {
    this.fixture.setU64(this.#array, ops);
  }

  #reset(): void {
    this.cpus.forEach(({ ring, key }, cpu) => {
      const at = this.fixture.gpa(ring);
      this.fixture.bytes.fill(0, at, at + this.entries * ENTRY.bytes);
      for (let offset: number = CPU.head; offset < CPU.bytes; offset += 8) {
        this.setCpu64(cpu, offset, 0);
      }
      key.fill(0);
    });
    this.set64(CONTROL.generation, this.get64(CONTROL.generation) + 1n);
  }

  /** Makes a CPU take the key in its slot, if there is one. */
  #absorb(cpu: number, sequence: bigint): void {
    const epoch = this.cpu64(cpu, CPU.slot_epoch);
    if (epoch === 0n) return;
    const at = this.fixture.gpa(this.cpus[cpu].gva) + CPU.slot_key;
    const host = new Int32Array(this.fixture.bytes.slice(at, at + 16).buffer);
    takeKey(this.get32(CONTROL.seal), this.cpus[cpu].key, host);
    this.fixture.bytes.fill(0, at, at + 16);
    this.setCpu64(cpu, CPU.slot_epoch, 0);
    this.setCpu64(cpu, CPU.keys_taken, this.cpu64(cpu, CPU.keys_taken) + 1n);
    this.setCpu64(cpu, CPU.ack_sequence, sequence);
    this.setCpu64(cpu, CPU.ack_epoch, epoch);
  }

  /** Makes a CPU write a sealed entry; without a key the entry is dropped. */
  push(cpu: number, entry: ModelEntry): void {
    const sequence = this.cpu64(cpu, CPU.head) + 1n;
    this.#absorb(cpu, sequence);
    const epoch = this.cpu64(cpu, CPU.ack_epoch);
    if (epoch === 0n) {
      const dropped = this.cpu64(cpu, CPU.dropped_unkeyed);
      this.setCpu64(cpu, CPU.dropped_unkeyed, dropped + 1n);
      return;
    }
    const words = new Int32Array(ENTRY_WORDS);
    const long = (word: number, value: bigint) => {
      words[word] = Number(BigInt.asIntN(32, value));
      words[word + 1] = Number(BigInt.asIntN(32, value >> 32n));
    };
    long(WORD.time, 1000n * sequence);
    long(WORD.func, entry.func ?? 0n);
    long(WORD.caller, entry.caller ?? 0n);
    words[WORD.pid] = entry.pid ?? 1;
    words[WORD.shape] = (entry.depth ?? 0) | entry.kind << 16;
    words[WORD.epoch] = Number(epoch);
    long(ENTRY.sequence / 4, sequence);
    const { key } = this.cpus[cpu];
    const seal = this.get32(CONTROL.seal);
    sealEntry(seal, key, words, 0);
    if (seal === SEAL.ratchet) ratchet(key);
    this.entryAt(cpu, Number(sequence)).set(words);
    this.setCpu64(cpu, CPU.head, sequence);
  }
}
