import assert from "node:assert/strict";
import { TemporaryFolder } from "../../base/temporary_folder_fixture.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import {
  patch,
  recordedGuest,
} from "../../kernel/locate/recorded_guest_fixture.ts";
import { parseVmcoreinfo } from "../../kernel/locate/vmcoreinfo.ts";
import { expandKallsyms } from "../../kernel/symbols/kallsyms.ts";
import {
  encodeImage,
  fixtureSymbols,
  LAYOUTS,
  RODATA,
} from "../../kernel/symbols/kallsyms_fixture.ts";
import { CheckContext, type CheckOptions } from "../core/context.ts";
import { readOnce } from "../core/runner.ts";
import {
  imageSymbols,
  otherSymbols,
  withImageSymbols,
} from "../text/image_symbols.ts";
import { textRecords } from "../text/text_record.ts";
import type { Vmlinux } from "../text/vmlinux.ts";
import { symbolTables } from "./xf028_symbols.ts";

const TEXT = 0xffffffff81000000n;

/** What the check says of a kernel. */
function said(kernel: Kernel, options: CheckOptions = {}) {
  const context: CheckContext = Object.create(CheckContext.prototype, {
    kernel: { value: kernel },
    options: { value: options },
    kprobes: { value: [] },
    code: { value: { modules: [] } },
    text: { value: { start: TEXT, bytes: new Uint8Array(4096) } },
  });
  const { findings, unjudged } = readOnce(kernel, symbolTables, context);
  return {
    findings: findings.map(({ summary }) => summary),
    unjudged: unjudged.map(({ why }) => why),
  };
}

/** An image file whose kernel has these symbols. */
function image(rename?: readonly [string, string]): Vmlinux {
  const symbols = fixtureSymbols(TEXT, 1021, true).map((symbol) =>
    symbol.name === rename?.[0] ? { ...symbol, name: rename[1] } : symbol
  );
  const { bytes } = encodeImage(symbols, TEXT, LAYOUTS["6.12"]);
  const section = (name: string, from: number, to: number) => ({
    name,
    address: TEXT + BigInt(from),
    bytes: bytes.subarray(from, to),
  });
  return {
    source: "vmlinuz",
    sections: [
      { name: "", address: 0n, bytes: new Uint8Array(0) },
      section(".text", 0, RODATA),
      section(".rodata", RODATA, bytes.length),
    ],
    buildId: undefined,
    relocations: { apply() {} },
  };
}

Deno.test("an image's symbols are read from its sections, and each difference is named", () => {
  const trusted = imageSymbols(image());
  const own = imageSymbols(image(["alias_second", "alias_seconf"]));
  assert.ok(trusted && own);
  assert.equal(trusted.textGva, TEXT);
  assert.deepEqual(otherSymbols(trusted.blob, trusted.blob, 5), []);
  const [only, ...more] = otherSymbols(trusted.blob, own.blob, 5);
  assert.deepEqual(more, []);
  assert.match(only.expected, /^alias_second \(t\) at 0x[0-9a-f]+$/);
  assert.equal(only.found, only.expected.replace("second", "seconf"));
  const fewer = { ...own.blob, count: own.blob.count - 1 };
  assert.match(otherSymbols(trusted.blob, fewer, 5)[0].found, /^\d+ symbols$/);
  assert.equal(imageSymbols({ ...image(), sections: [] }), undefined);
});

Deno.test("a guest's symbols and types must stay what they were, and those of its image", () => {
  const guest = recordedGuest("6.1");
  const kernel = guest.describe();
  using folder = new TemporaryFolder();
  const records = textRecords(folder.path, "vm-1-2");
  assert.deepEqual(said(kernel), { findings: [], unjudged: [] });
  const recorded = { textRecords: records };
  assert.deepEqual(said(kernel, recorded), { findings: [], unjudged: [] });

  // Nobody can see this one by the tables alone: the order stays.
  const at = parseVmcoreinfo(guest.note)?.symbol("kallsyms_offsets") ?? 0n;
  const { offsets = new Int32Array() } = kernel.origin?.tables() ?? {};
  let index = offsets.length >> 1;
  while (offsets[index] === offsets[index + 1]) index++;
  const gva = at + BigInt(4 * index);
  const before = kernel.space.bytes(gva, 4).slice();
  patch(kernel, gva, kernel.space.bytes(gva + 4n, 4).slice());
  assert.deepEqual(said(kernel), { findings: [], unjudged: [] });
  const [moved, ...others] = said(kernel, recorded).findings;
  assert.match(
    moved,
    /^the guest's symbols are not what they were when it was/,
  );
  assert.deepEqual(others, []);
  patch(kernel, gva, before);
  assert.deepEqual(said(kernel, recorded).findings, []);

  const types = kernel.symbols.address("__start_BTF") + 400n;
  const byte = kernel.space.bytes(types, 1).slice();
  patch(kernel, types, byte.map((value) => value ^ 1));
  assert.match(
    said(kernel, recorded).findings[0],
    /^the guest's types are not what they were/,
  );
  patch(kernel, types, byte);

  // Another kernel's image: nothing of it is used, and it is said.
  const other = { ...image(), buildId: "00" };
  assert.match(
    said(kernel, { vmlinux: other }).unjudged[0],
    /is another kernel/,
  );
  assert.equal(withImageSymbols(kernel, other), kernel);
  // One that claims to be the guest's, and has other symbols.
  const wrong = { ...image(), buildId: kernel.facts.buildId };
  assert.match(
    said(kernel, { vmlinux: wrong }).findings[0],
    /^the guest's symbol table says 94266 symbols, and the trusted image \d+ symbols/,
  );
  assert.equal(withImageSymbols(kernel, wrong), kernel);
});

Deno.test("a System.map that differs from the guest's own table is told", () => {
  const guest = recordedGuest("6.1");
  const { origin, arch } = guest.describe();
  assert.ok(origin);
  const { blob } = expandKallsyms(origin.tables(), arch.image.range);
  assert.deepEqual(said(guest.describe({ systemMap: blob })), {
    findings: [],
    unjudged: [],
  });
  const names = blob.names.slice();
  names[blob.starts[50_001] - 1] = 0x7a;
  const { unjudged } = said(
    guest.describe({ systemMap: { ...blob, names } }),
  );
  assert.match(unjudged[0], /where the System.map does not/);
});
