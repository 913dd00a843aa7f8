/**
 * Traces of a guest whose names and strings hold what controls a terminal.
 *
 * @module
 */
import assert from "node:assert/strict";
import { EventColumns, KIND, PageArena } from "../../ftrace/ring/columns.ts";
import { LAYOUT_6_1 } from "../../ftrace/ring/layout_fixture.ts";
import {
  decodeFixture,
  FIXTURES,
  loadFixture,
} from "../../ftrace/ring/fixtures/load_fixture.ts";
import { TEXT } from "../formats/text.ts";
import { JSONL } from "../formats/jsonl.ts";
import { BARE_META } from "../writer_fixture.ts";
import { writeBuffers } from "../write_buffers.ts";
import type { WriterOptions } from "../writer.ts";
import type { TraceMeta } from "./environment.ts";
import { escapedBody } from "./escaped_meta.ts";
import { DEFAULT_TEXT_OPTIONS } from "./options.ts";

const EVIL = "\x1b]0;x\x07\n\r\x9b31m\x7f\u202e\u2028<b>\udc9b";
const CONTROLS = /[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]--[\n\t]]/v;

type Fixture = ReturnType<typeof loadFixture>;

/** A recorded guest, with all names changed. */
function named(fixture: Fixture, add: string): TraceMeta {
  const { meta } = fixture;
  const { symbols } = meta;
  const name = (form: "bare" | "ps" | "pS" | "pB") =>
  (
    lo: number,
    hi: number,
  ) => symbols[form](lo, hi) + add;
  return {
    ...meta,
    release: `${meta.release}${add}`,
    comm: (pid) => `${add}${meta.comm(pid) ?? ""}`,
    symbols: {
      bare: name("bare"),
      ps: name("ps"),
      pS: name("pS"),
      pB: name("pB"),
    },
    format: (id) => {
      const format = meta.format(id);
      return format === undefined ? undefined : {
        ...format,
        name: format.name + add,
        // Beside the literal, with line ends as C writes them.
        printFmt: format.printFmt.replace(/^"/, `"${add}\\n`),
        fields: format.fields.map((field) => ({ ...field })),
      };
    },
    string: () => `${add} of the guest`,
  };
}

function textOf(
  fixture: Fixture,
  meta: TraceMeta,
  more: Partial<typeof DEFAULT_TEXT_OPTIONS>,
  writer: WriterOptions | "jsonl",
): string {
  let text = "";
  const sink = (chunk: string | Uint8Array) => text += chunk;
  const { columns, arena } = decodeFixture(fixture);
  writeBuffers(
    { columns, arena, cpus: [] },
    { meta, options: { ...fixture.options, ...more } },
    writer === "jsonl" ? JSONL.writer(sink) : TEXT.writer(sink, writer),
  );
  return text;
}

const OPTIONS: readonly Partial<typeof DEFAULT_TEXT_OPTIONS>[] = [
  {},
  { verbose: true },
  { latencyFormat: true },
  { fields: true },
  { raw: true },
  { hex: true },
  { bin: true },
  { contextInfo: false },
];

for (const name of FIXTURES) {
  Deno.test(`${name}: on a terminal, names forge neither a line nor a colour`, () => {
    const fixture = loadFixture(name);
    const evil = named(fixture, EVIL);
    const plain = named(fixture, "plain");
    // A line end in a print_fmt is the guest's too.
    const before = { ...plain, format: fixture.meta.format };
    assert.match(textOf(fixture, evil, {}, {}), CONTROLS);
    for (const options of OPTIONS) {
      const escaped = { escaped: true };
      const text = textOf(fixture, evil, options, escaped);
      const at = CONTROLS.exec(text)?.index ?? -1;
      assert.equal(at, -1, JSON.stringify(text.slice(at, at + 60)));
      if (options.bin === true) continue;
      assert.equal(
        text.split("\n").length,
        textOf(fixture, before, options, escaped).split("\n").length,
        JSON.stringify(options),
      );
    }
  });

  Deno.test(`${name}: what is clean is the same on a terminal and elsewhere`, () => {
    const fixture = loadFixture(name);
    const { meta } = fixture;
    assert.equal(
      textOf(fixture, meta, {}, { escaped: true }),
      textOf(fixture, meta, {}, {}),
    );
  });

  Deno.test(`${name}: lines of JSON hold no control characters`, () => {
    const fixture = loadFixture(name);
    const text = textOf(fixture, named(fixture, EVIL), {}, "jsonl");
    assert.doesNotMatch(text, CONTROLS);
    const { comm } = JSON.parse(text.split("\n")[0]);
    assert.ok(comm === "<idle>" || comm.startsWith(EVIL));
    const plain = textOf(fixture, named(fixture, "plain"), {}, "jsonl");
    assert.equal(text.split("\n").length, plain.split("\n").length);
  });
}

Deno.test("a message keeps its own line end, and no other", () => {
  assert.equal(escapedBody("a\nb\x1b\n"), "a\\x0ab\\x1b\n");
  assert.equal(escapedBody("a\nb"), "a\\x0ab");
});

Deno.test("a message of trace_puts is one line on a terminal, exact elsewhere", () => {
  const { types, bputs } = LAYOUT_6_1;
  const arena = new PageArena(4096);
  arena.acquire();
  const columns = new EventColumns(0n);
  columns.reserve(1);
  columns.length = 1;
  const size = bputs.str + 8;
  arena.words.set([types.bputs, 7], 0);
  arena.words.set([0x1000, 0xffffffff], bputs.str / 4);
  columns.type[0] = types.bputs;
  columns.pid[0] = 7;
  columns.size[0] = size;
  columns.kind[0] = KIND.other;
  const meta = {
    ...BARE_META,
    comm: () => "sh",
    string: () => "one\n  bash-1  [000] .....  2.0: two\x1b[2J\n",
  };
  const text = (how: WriterOptions) => {
    let written = "";
    writeBuffers(
      { columns, arena, cpus: [] },
      { meta, options: DEFAULT_TEXT_OPTIONS },
      TEXT.writer((chunk) => written += chunk, how),
    );
    return written.split("\n").filter((line) => !line.startsWith("#"));
  };
  assert.match(text({ escaped: true }).join("|"), /: one\\x0a .*\\x1b\[2J\|$/);
  assert.ok(text({}).join("|").includes(": one|  bash-1 "));
  assert.ok(text({}).join("|").endsWith("two\x1b[2J|"));
});
