/**
 * Formats of events: a print_fmt, C expressions and fields of any shape, and
 * records to which they are applied.
 *
 * @module
 */
import { parseFormatFile } from "../../../engine/ftrace/events/formats_fixture.ts";
import { fieldKind } from "../../../engine/ftrace/events/field_kinds.ts";
import type { EventFormat } from "../../../engine/ftrace/events/formats.ts";
import type { TextEnvironment } from "../../../engine/output/text/environment.ts";
import {
  compilePrintFmt,
  rawFields,
} from "../../../engine/output/text/print_fmt/render.ts";
import { textBytes } from "../../../engine/output/text/byte_text.ts";
import { TextBuffer } from "../../../engine/output/text/bytes/text_buffer.ts";
import { RecordBytes } from "../../../engine/output/text/record.ts";
import type { Target } from "../target.ts";
import { decoded, encoded, mutateTexts } from "../texts.ts";

const ENV: TextEnvironment = {
  symbols: {
    bare: (lo) => `bare_${lo.toString(16)}`,
    ps: (lo) => `ps_${lo.toString(16)}`,
    pS: (lo) => `pS_${lo.toString(16)}+0x0/0x10`,
    pB: (lo) => `pB_${lo.toString(16)}`,
  },
  string: (lo) => lo === 0x1000 ? "kernel text" : undefined,
  enumerator: (name) => name === "SOME_ENUM" ? 3 : undefined,
  variable: (name) => name === "vmemmap_base" ? 0x1000n : undefined,
  structSize: (name) => name === "page" ? 64 : undefined,
  hz: 250,
};

const WORDS = [
  "REC->i",
  "__get_str(name)",
  "__get_dynamic_array(name)",
  "__get_rel_str(rel)",
  '__print_flags(REC->u, "|", { 1, "A" }, { 2, "B" })',
  '__print_symbolic(REC->u, { 0, "ZERO" })',
  "__print_hex(REC->mac, 6)",
  "__print_hex_str(__get_dynamic_array(name), REC->i)",
  "__print_array(REC->words, 3, 4)",
  "__get_bitmask(name)",
  "sizeof(struct page)",
  "(unsigned long)(REC->l)",
  "REC->comm[3]",
  '"%*.*s"',
  '"%2147483647d"',
  '"%-99999s"',
  '"%pS %ps %pB %pM %pI4 %pI6c %pU %ph %phN %ph"',
  "?",
  ":",
  "<<",
  "1 << 200",
  "-1",
  "/ 0",
  "% 0",
  "&REC->u",
  "*REC->p",
  "!~-+",
  "field:char x[16];\toffset:8;\tsize:16;\tsigned:1;\n",
  "__data_loc",
  "__rel_loc",
];

/** Format files as a kernel prints them. */
const FORMATS = [
  `name: sample
ID: 1000
format:
\tfield:int i;\toffset:8;\tsize:4;\tsigned:1;
\tfield:unsigned int u;\toffset:12;\tsize:4;\tsigned:0;
\tfield:long l;\toffset:16;\tsize:8;\tsigned:1;
\tfield:char comm[16];\toffset:32;\tsize:16;\tsigned:0;
\tfield:u8 mac[6];\toffset:48;\tsize:6;\tsigned:0;
\tfield:__data_loc char[] name;\toffset:60;\tsize:4;\tsigned:0;
\tfield:void * p;\toffset:64;\tsize:8;\tsigned:0;
\tfield:const char * str;\toffset:72;\tsize:8;\tsigned:0;
\tfield:u32 words[3];\toffset:80;\tsize:12;\tsigned:0;
\tfield:__rel_loc char[] rel;\toffset:92;\tsize:4;\tsigned:0;

print fmt: "i=%d u=%#x l=%ld comm=%s name=%s %s %s", REC->i, REC->u, REC->l, REC->comm, __get_str(name), __print_flags(REC->u & 0xff, "|", { 1, "A" }, { (1UL << 3), "B" }), __print_symbolic(REC->i, { -5, "minus" }, { 0, "zero" })
`,
  `name: shapes
ID: 1001
format:
\tfield:u32 words[3];\toffset:80;\tsize:12;\tsigned:0;
\tfield:u8 mac[6];\toffset:48;\tsize:6;\tsigned:0;
\tfield:void * p;\toffset:64;\tsize:8;\tsigned:0;
\tfield:__rel_loc char[] rel;\toffset:92;\tsize:4;\tsigned:0;
\tfield:__data_loc char[] name;\toffset:60;\tsize:4;\tsigned:0;

print fmt: "%s %s %pM %pS %*.*s %s", __print_array(REC->words, 3, 4), __print_hex(REC->mac, 6), REC->mac, (void *)REC->p, 5, 3, __get_rel_str(rel), REC->words[1] > 3 ? "many" : REC->p ? "few" : "none"
`,
];

const SIZE = 128;

export const printFmt: Target = {
  name: "print_fmt",
  open() {
    const record = new Uint8Array(SIZE);
    for (let i = 0; i < SIZE; i++) record[i] = i * 7;
    new DataView(record.buffer).setUint32(60, 6 << 16 | 96, true);
    return {
      seeds: FORMATS.map((text) => [encoded(text), record.slice()]),
      mutate: (input, random) => {
        if (random.next(4) > 0) {
          const [text] = input;
          const one = [text];
          mutateTexts(one, random, WORDS);
          input[0] = one[0];
        } else {
          const at = random.pick([60, 92, 8, 12, 64]) & ~3;
          new DataView(input[1].buffer).setUint32(
            Math.min(at, Math.max(0, input[1].length - 4)),
            random.pick([0, 0xffffffff, 0xffff0000, 0x7fff_0060, 0x0001_007f]),
            true,
          );
        }
      },
      run([text, bytes]) {
        const format: EventFormat = parseFormatFile(decoded(text), "test");
        const record = new RecordBytes(bytes);
        const before = `${format.name}: `;
        const { render, write } = compilePrintFmt(format, ENV, before);
        const expected = textBytes(before + render(record));
        const out = new TextBuffer();
        // Twice: at the second time, texts of numbers are kept.
        for (let i = 0; i < 2; i++) {
          out.clear();
          write(out, record, 0);
          if (!isSame(out.written, expected)) {
            throw new Error("as bytes, it is another text");
          }
        }
        rawFields(format)(record);
        for (const field of format.fields) fieldKind(format, field);
      },
    };
  },
};

function isSame(some: Uint8Array, others: Uint8Array): boolean {
  return some.length === others.length &&
    some.every((byte, i) => byte === others[i]);
}
