/**
 * A small guest with page tables of its own for each process, and processors
 * that use them, for tests.
 *
 * @module
 */
import type { CpuRegisters, RegisterReading } from "../../arch/registers.ts";
import { readingOf } from "../../arch/registers.ts";
import { PageTableBuilder } from "../../arch/x86_64/page_tables_fixture.ts";
import { BufferMemory } from "../../memory/buffer_memory_fixture.ts";
import {
  DIRECT_MAP,
  FixtureGuest,
  type FixtureStruct,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import type { Types } from "../../kernel/btf/types.ts";
import { FIXTURE_TEXT } from "../../kernel/symbols/symbols_fixture.ts";

const STRUCTS: Readonly<Record<string, FixtureStruct>> = {
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  mm_struct: { size: 16, members: { pgd: [8, "u64"] } },
  task_struct: {
    size: 64,
    members: {
      pid: [0, "u32"],
      tasks: [8, "list_head"],
      mm: [24, "u64"],
      active_mm: [32, "u64"],
      signal: [40, "u64"],
    },
  },
  hw_perf_event: { size: 64, members: { address: [0, "u64"] } },
};
const TYPES = fixtureTypes(STRUCTS);

/** The types without a member; `undefined` unless one is named. */
function without(path?: string): Types | undefined {
  const [struct, member] = path?.split(".") ?? [];
  const layout = STRUCTS[struct ?? ""];
  if (struct === undefined || member === undefined || layout === undefined) {
    return undefined;
  }
  const members = Object.entries(layout.members)
    .map(([name, place]) => [name === member ? `${name}_` : name, place]);
  return fixtureTypes({
    ...STRUCTS,
    [struct]: { size: layout.size, members: Object.fromEntries(members) },
  });
}

/** GPA of the kernel's text: where phys_base 0 has it. */
const TEXT_GPA = Number(FIXTURE_TEXT - 0xffffffff80000000n);
/** GPAs of the processes' page tables. */
const PROCESS_TABLES = 0x80000;

/** The guest: 17 MiB, one page of text, one process with tables of its own. */
export class RootsGuest {
  readonly guest: FixtureGuest;
  /** GVA of `idt_table`. */
  readonly idt: bigint;
  /** GVA of `phys_base`, which is 0. */
  readonly base: bigint;
  /** GPA of the process's top-level table. */
  readonly process: number;
  /** GVA of the process's `task_struct`. */
  readonly task: bigint;
  /** The process's tables, to change them. */
  readonly tables: PageTableBuilder;

  readonly #renamed: string | undefined;

  /**
   * @param renamed a symbol, or a struct's member, that has another name in this
   * guest
   */
  constructor(live = false, renamed?: string) {
    this.#renamed = renamed;
    const guest = new FixtureGuest(without(renamed) ?? TYPES, {
      size: TEXT_GPA + 0x100000,
      memory: (bytes) => new BufferMemory(bytes, { live }),
    });
    this.guest = guest;
    this.idt = guest.image();
    guest.symbol("idt_table", this.idt);
    guest.symbol("_end", FIXTURE_TEXT + 0x1000n);
    guest.alias(FIXTURE_TEXT, DIRECT_MAP + BigInt(TEXT_GPA));

    this.tables = new PageTableBuilder(guest.bytes, 4, PROCESS_TABLES);
    this.tables.map(DIRECT_MAP, 0n, 2 ** 30);
    this.tables.map(FIXTURE_TEXT, BigInt(TEXT_GPA), 4096);
    this.tables.map(this.idt, BigInt(guest.gpa(this.idt)), 4096);
    this.process = this.tables.root;

    const page = guest.image(1);
    guest.symbol("init_task", page);
    guest.symbol(this.#named("init_mm"), page + 0x800n);
    this.base = page + 0xc00n;
    guest.symbol(this.#named("phys_base"), this.base);
    this.tables.map(page, BigInt(guest.gpa(page)), 4096);
    this.task = guest.create("task_struct");
    const mm = guest.create("mm_struct");
    const at = (task: bigint, member: string) =>
      guest.at("task_struct", task, member);
    guest.setU32(this.task, 17);
    guest.setU64(at(this.task, "mm"), mm);
    guest.setU64(mm + 8n, DIRECT_MAP + BigInt(this.process));
    guest.setU64(page + 0x808n, DIRECT_MAP + 0x1000n);
    guest.link(at(page, "tasks"), at(this.task, "tasks"));

    // The kernel's own tables lie in its image; those in use begin alike.
    const top = FIXTURE_TEXT + 0x80000n;
    const gpa = TEXT_GPA + 0x80000;
    guest.symbol(this.#named("init_top_pgt"), top);
    guest.alias(top, DIRECT_MAP + BigInt(gpa));
    this.tables.map(top, BigInt(gpa), 4096);
    guest.bytes.copyWithin(gpa, 0x1000, 0x2000);
  }

  #named(symbol: string): string {
    return symbol === this.#renamed ? `${symbol}_` : symbol;
  }

  /** Maps a page of the text elsewhere in the process's tables. */
  redirect(): void {
    this.tables.map(FIXTURE_TEXT, 0x90000n, 4096);
  }

  /** Registers of a vCPU that runs the process. */
  cpu(values: Record<string, bigint> = {}, cpu = 0): CpuRegisters {
    return {
      cpu,
      values: {
        cr0: 0x80050033n,
        cr3: BigInt(this.process),
        cr4: 0x300000n,
        efer: 0xd01n,
        "idtr.base": this.idt,
        "idtr.limit": 0xfffn,
        ...values,
      },
    };
  }

  /** What the hypervisor tells. */
  reading(...cpus: readonly CpuRegisters[]): RegisterReading {
    const { arch } = this.guest.kernel;
    return readingOf(arch.registers, this.guest.memory, cpus, "a monitor");
  }
}
