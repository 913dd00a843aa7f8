/**
 * Modules, BPF programs and freed functions in a guest's memory: lists, symbol
 * tables, names.
 *
 * @module
 */
import { FixtureGuest } from "../../../engine/kernel/core/kernel_fixture.ts";
import { LiveSymbols } from "../../../engine/kernel/symbols/live_symbols.ts";
import {
  MODULE_AT,
  moduleTypes,
} from "../../../engine/kernel/symbols/modules_fixture.ts";
import { fixtureSymbolTable } from "../../../engine/kernel/symbols/symbols_fixture.ts";
import { readLimits } from "../../../engine/memory/read_limits.ts";
import { PatchedMemory } from "../patches.ts";
import type { Target } from "../target.ts";

const LISTS = ["modules", "bpf_kallsyms", "ftrace_mod_maps"] as const;
const SYMBOLS = 8;

/** A guest with modules of some symbols each. */
function guest(): { it: FixtureGuest; heads: [string, bigint][] } {
  const it = new FixtureGuest(moduleTypes("core_layout"), { size: 1 << 18 });
  const heads = LISTS.map((name, i): [string, bigint] => [name, it.image(i)]);
  const modules = ["ext4", "xftrace"].map((name) => {
    const gva = it.create("module");
    const code = it.allocate(0x2000, 4096);
    const symtab = it.allocate(24 * (SYMBOLS + 1));
    const strtab = it.allocate(16 * (SYMBOLS + 1));
    const types = it.text("?" + "t".repeat(SYMBOLS));
    const kallsyms = gva + BigInt(MODULE_AT.core);
    it.bytes.set(
      new TextEncoder().encode(name),
      it.gpa(gva + BigInt(MODULE_AT.name)),
    );
    it.setU64(gva + BigInt(MODULE_AT.kallsyms), kallsyms);
    it.setU64(kallsyms, symtab);
    it.setU32(kallsyms + 8n, SYMBOLS + 1);
    it.setU64(kallsyms + 16n, strtab);
    it.setU64(kallsyms + 24n, types);
    it.setU64(gva + BigInt(MODULE_AT.parts), code);
    it.setU32(gva + BigInt(MODULE_AT.parts + 8), 0x2000);
    it.setU32(gva + BigInt(MODULE_AT.parts + 12), 0x1000);
    for (let i = 1; i <= SYMBOLS; i++) {
      const at = symtab + BigInt(24 * i);
      it.setU32(at, 16 * i);
      it.setU32(at + 4n, 0x1_0012);
      it.setU64(at + 8n, code + BigInt(64 * i));
      it.setU64(at + 16n, 64);
      it.bytes.set(
        new TextEncoder().encode(`${name}_fn${i}`),
        it.gpa(strtab + BigInt(16 * i)),
      );
    }
    return gva;
  });
  const program = it.create("bpf_ksym");
  it.setU64(program, it.allocate(0x100));
  it.setU64(program + 8n, it.u64(program) + 0x100n);
  it.bytes.set(new TextEncoder().encode("bpf_prog_1"), it.gpa(program + 16n));
  const map = it.create("ftrace_mod_map");
  const func = it.create("ftrace_mod_func");
  it.setU64(map + 16n, modules[0]);
  it.link(map + 24n, func);
  it.setU64(func + 16n, it.text("freed_init"));
  it.setU64(func + 24n, 0xffffffffc0001000n);
  it.setU32(func + 32n, 64);
  it.link(heads[0][1], ...modules.map((gva) => gva + BigInt(MODULE_AT.list)));
  it.link(heads[1][1], program + 48n);
  it.link(heads[2][1], map);
  return { it, heads };
}

export const guestModules: Target = {
  name: "guest_modules",
  open() {
    const { it, heads } = guest();
    const memory = new PatchedMemory(it.bytes, 0x10000);
    const { space } = it;
    const table = fixtureSymbolTable(heads);
    return {
      seeds: memory.seeds,
      mutate: (input, random) => memory.mutate(input, random),
      mutateBytes: (input, random) => memory.mutateBytes(input, random),
      run(input) {
        memory.apply(input);
        space.budget.allow(readLimits(it.memory));
        const live = new LiveSymbols(
          table,
          (gva, into) => space.read(gva, into),
          it.types,
        );
        live.refresh();
        for (const { symbols } of live.modules) {
          for (const gva of symbols.addresses.subarray(0, 100)) {
            symbols.lookup(gva);
          }
        }
        live.refresh();
      },
    };
  },
};
