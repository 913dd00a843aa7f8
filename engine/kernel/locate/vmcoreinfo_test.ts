import assert from "node:assert/strict";
import { BufferMemory } from "../../memory/buffer_memory_fixture.ts";
import type { GpaRange } from "../../memory/physical_memory.ts";
import { findVmcoreinfo, parseVmcoreinfo } from "./vmcoreinfo.ts";

const NOTE = `OSRELEASE=6.1.0-56-amd64
BUILD-ID=0123456789abcdef0123456789abcdef01234567
PAGESIZE=4096
SYMBOL(init_uts_ns)=ffffffffa0e1a0c0
SYMBOL(bad)=nonsense
NUMBER(phys_base)=-18874368
SYMBOL(init_top_pgt)=ffffffffa0e10000
NUMBER(pgtable_l5_enabled)=1
KERNELOFFSET=1e000000
`;

const without = (key: string) =>
  NOTE.split("\n").filter((line) => !line.startsWith(key)).join("\n");

Deno.test("a note gives the kernel's place", () => {
  const note = parseVmcoreinfo(NOTE, 0x5000);
  assert.ok(note);
  const { symbol, number, value, ...rest } = note;
  assert.deepEqual(rest, {
    gpa: 0x5000,
    copies: [0x5000],
    text: NOTE,
    release: "6.1.0-56-amd64",
    buildId: "0123456789abcdef0123456789abcdef01234567",
    kaslrOffset: 0x1e000000n,
  });
  assert.equal(number("phys_base"), -18874368n);
  assert.equal(number("pgtable_l5_enabled"), 1n);
  assert.equal(number("absent"), undefined);
  assert.equal(value("PAGESIZE"), "4096");
  assert.equal(value("absent"), undefined);
  assert.equal(symbol("init_top_pgt"), 0xffffffffa0e10000n);
  assert.equal(symbol("bad"), undefined);
  assert.equal(symbol("absent"), undefined);
});

Deno.test("the optional and the required lines of a note", () => {
  assert.equal(parseVmcoreinfo(without("BUILD-ID"))?.buildId, undefined);
  assert.equal(parseVmcoreinfo(NOTE)?.gpa, -1);
  for (const key of ["OSRELEASE", "KERNELOFFSET"]) {
    assert.equal(parseVmcoreinfo(without(key)), undefined, key);
  }
  assert.equal(
    parseVmcoreinfo(NOTE.replace("1e000000", "1e00000z")),
    undefined,
  );
  assert.equal(
    parseVmcoreinfo(NOTE.replace("-18874368", "-1e3"))?.number("phys_base"),
    undefined,
  );
  assert.equal(parseVmcoreinfo(""), undefined);
});

/** Memory without views, whose holes must not be touched. */
class HoleyMemory extends BufferMemory {
  readonly #data: GpaRange[];

  constructor(bytes: Uint8Array, data: GpaRange[]) {
    super(bytes);
    this.#data = data;
  }
  override dataRanges(): GpaRange[] {
    return this.#data;
  }
  override view(): undefined {
    return undefined;
  }
  override read(gpa: number, into: Uint8Array): void {
    const inside = this.#data.some(({ start, end }) =>
      gpa >= start && gpa + into.length <= end
    );
    assert.ok(inside, `the hole at 0x${gpa.toString(16)} was read`);
    super.read(gpa, into);
  }
}

Deno.test("notes are found at page starts, holes are not touched", () => {
  const bytes = new Uint8Array(10 << 20);
  const put = (text: string, gpa: number) =>
    bytes.set(new TextEncoder().encode(text), gpa);
  // Beyond the scan's first chunk.
  put(NOTE, 0x50_1000);
  put(NOTE.replace("6.1.0-56", "6.1.0-55"), 0x9000);
  // Not page-aligned, not a note, incomplete, in a hole.
  put(NOTE, 0x3010);
  put("OSREPLAY=", 0x4000);
  put(without("KERNELOFFSET"), 0x6000);
  put(NOTE, 0x90_0000);
  const data = [{ start: 0x10, end: 0x60_0800 }];
  for (
    const memory of [
      new HoleyMemory(bytes, data),
      new BufferMemory(bytes.slice(0, 0x60_0000)),
    ]
  ) {
    const found = findVmcoreinfo(memory);
    assert.deepEqual(
      found.map(({ gpa, release }) => [gpa, release]),
      [[0x9000, "6.1.0-55-amd64"], [0x50_1000, "6.1.0-56-amd64"]],
    );
  }
});

Deno.test("a note that fills its page to the last byte", () => {
  const bytes = new Uint8Array(8192).fill(0x41, 0, 4096);
  bytes.set(new TextEncoder().encode(NOTE + "X="));
  assert.equal(findVmcoreinfo(new BufferMemory(bytes))[0].text.length, 4096);
});

Deno.test("copies of a note are one note, and thousands of different ones are refused", () => {
  const bytes = new Uint8Array(16 << 20);
  for (let page = 0; page < 4096; page++) {
    bytes.set(new TextEncoder().encode(NOTE), page * 4096);
  }
  const [note, ...more] = findVmcoreinfo(new BufferMemory(bytes));
  assert.deepEqual(more, []);
  assert.equal(note.gpa, 0);
  assert.equal(note.copies.length, 4096);
  for (let page = 0; page < 4096; page++) {
    const other = NOTE.replace("0123456789", `${page}`.padStart(10, "0"));
    bytes.set(new TextEncoder().encode(other), page * 4096);
  }
  assert.throws(
    () => findVmcoreinfo(new BufferMemory(bytes, { name: "guest" })),
    /^KernelError: guest holds more than 256 different vmcoreinfo notes/,
  );
});

Deno.test("numbers of more than 64 bits are none", () => {
  const long = "f".repeat(400);
  const note = parseVmcoreinfo(
    `${NOTE}SYMBOL(long)=${long}\nNUMBER(long)=${"9".repeat(400)}\n`,
  );
  assert.equal(note?.symbol("long"), undefined);
  assert.equal(note?.number("long"), undefined);
  const offset = NOTE.replace(/KERNELOFFSET=\w+/, `KERNELOFFSET=${long}`);
  assert.equal(parseVmcoreinfo(offset), undefined);
});
