import assert from "node:assert/strict";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { recordedGuest } from "../../kernel/locate/recorded_guest_fixture.ts";
import { expandKallsyms } from "../../kernel/symbols/kallsyms.ts";
import { findName, type SymbolBlob } from "../../kernel/symbols/symbol_blob.ts";
import { type SaidSymbols, symbolDoubts } from "./symbol_doubts.ts";

const guest = recordedGuest("6.1");
const opened = guest.describe();

function said(kernel: Kernel): SaidSymbols {
  const { origin, arch, symbols, space, facts } = kernel;
  assert.ok(origin);
  const tables = origin.tables();
  const start = symbols.address("__start_BTF");
  return {
    ...expandKallsyms(tables, arch.image.range),
    tables,
    order: origin.order(),
    btf: space.bytes(start, Number(symbols.address("__stop_BTF") - start)),
    note: facts.vmcoreinfo,
    image: arch.image.range,
  };
}

const TRUE = said(opened);

/** The same, with another last letter for a symbol. */
function renamed(name: string, letter: string): SaidSymbols {
  const names = TRUE.blob.names.slice();
  const blob: SymbolBlob = { ...TRUE.blob, names };
  const index = findName(blob, name);
  assert.ok(index >= 0, name);
  names[blob.starts[index + 1] - 1] = letter.charCodeAt(0);
  return { ...TRUE, blob };
}

Deno.test("the tables of a recorded guest agree with each other", () => {
  assert.equal(TRUE.order?.length, TRUE.blob.count);
  assert.deepEqual(symbolDoubts(TRUE), []);
});

Deno.test("a renamed variable is missed by the functions that use it", () => {
  // In the order of names it is still in its place.
  const doubts = symbolDoubts(renamed("ftrace_ops_list", "a"));
  assert.deepEqual(doubts, [
    "the kernel has the function register_ftrace_function, and kallsyms has no symbol ftrace_ops_list, which it uses",
  ]);
});

Deno.test("a renamed symbol is out of the kernel's own order of names", () => {
  const [doubt] = symbolDoubts(renamed("init_net", "z"));
  assert.match(doubt, /^by kallsyms_seqs_of_names, init_nez comes before /);
});

Deno.test("a renamed function, or per-CPU variable, is missed by BTF", () => {
  for (const name of ["vfs_read", "x64_sys_call", "cpu_number"]) {
    const all = symbolDoubts(renamed(name, "~")).join("\n");
    assert.match(all, new RegExp(`variable ${name}, and kallsyms has no such`));
  }
});

Deno.test("a note that places a symbol elsewhere, and a trashed list of names, are seen", () => {
  const note = TRUE.note?.replace(/(\(init_top_pgt\)=\w+)0000/, "$11000");
  assert.match(
    symbolDoubts({ ...TRUE, note }).join(),
    /^the vmcoreinfo note has init_top_pgt at 0x\w+1000, and kallsyms at 0x\w+0000$/,
  );
  assert.deepEqual(symbolDoubts({ ...TRUE, order: undefined }), [
    "kallsyms_seqs_of_names is not where it should be, or damaged",
  ]);
});

Deno.test("kernels that lack a table, or hold functions only, raise no doubt", () => {
  const types = TRUE.blob.types.map((type) =>
    // kallsyms without CONFIG_KALLSYMS_ALL.
    type | 0x20
  );
  const kept = [...types.keys()].filter((i) => types[i] === 0x74);
  const { blob } = TRUE;
  const pieces = kept.map((i) =>
    blob.names.subarray(blob.starts[i], blob.starts[i + 1])
  );
  const starts = new Uint32Array(kept.length + 1);
  pieces.forEach((piece, i) => starts[i + 1] = starts[i] + piece.length);
  const names = new Uint8Array(starts[kept.length]);
  pieces.forEach((piece, i) => names.set(piece, starts[i]));
  const functions: SymbolBlob = {
    count: kept.length,
    absolute: 0,
    offsets: Uint32Array.from(kept, (i) => blob.offsets[i]),
    types: Uint8Array.from(kept, (i) => blob.types[i]),
    starts,
    names,
  };
  const doubts = symbolDoubts({
    ...TRUE,
    blob: functions,
    order: undefined,
    note: undefined,
  });
  assert.deepEqual(
    doubts.filter((one) => /which it uses/.test(one)),
    [],
  );
});
