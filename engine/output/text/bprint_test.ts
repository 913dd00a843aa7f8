import assert from "node:assert/strict";
import fc from "fast-check";
import { PackedPrintf } from "./bprint.ts";
import type { TextEnvironment } from "./environment.ts";
import { RecordBytes } from "./record.ts";

const ENV: TextEnvironment = {
  symbols: {
    bare: (lo) => `bare_${lo.toString(16)}`,
    ps: (lo) => `ps_${lo.toString(16)}`,
    pS: (lo) => `pS_${lo.toString(16)}`,
    pB: (lo) => `pB_${lo.toString(16)}`,
  },
  string: () => undefined,
};

/** Where arguments begin in these records. */
const AT = 16;

/** An argument: a number is a word, and a text ends with a NUL. */
type Part = number | string | readonly number[];

function packed(parts: readonly Part[]): Uint8Array<ArrayBuffer> {
  const bytes = parts.flatMap((part) =>
    typeof part === "string"
      ? [...new TextEncoder().encode(part), 0]
      : typeof part === "number"
      ? [...new Uint8Array(Int32Array.of(part).buffer)]
      : part
  );
  return Uint8Array.from([...new Uint8Array(AT), ...bytes]);
}

function render(
  format: string,
  ...parts: readonly Part[]
): string {
  return new PackedPrintf(ENV)
    .render(format, new RecordBytes(packed(parts)), AT);
}

Deno.test("numbers of every size, each where the kernel aligned it", () => {
  assert.equal(render("no arguments\n"), "no arguments\n");
  assert.equal(render("%d %u %x", -5, -1, 255), "-5 4294967295 ff");
  // Eight bytes are aligned to four.
  assert.equal(render("%d %lld", 1, 2, 3), "1 12884901890");
  assert.equal(render("%hhu %d", [200, 0, 0, 0], 7), "200 7");
  assert.equal(render("%c%c|%hu", [65, 66], [0x34, 0x12]), "AB|4660");
  assert.equal(render("%c %d", [65, 0, 0, 0], 7), "A 7");
});

Deno.test("texts follow one another, and the next number is aligned", () => {
  assert.equal(render("[%s] [%s]", "abc", ""), "[abc] []");
  assert.equal(render("%s=%d", "abcd", [0, 0, 0], 9), "abcd=9");
  assert.equal(render("%6s|%-6s|%.2s", "ab", "cd", "efgh"), "    ab|cd    |ef");
});

Deno.test("widths and precisions that are arguments", () => {
  assert.equal(render("%*d|%*d|", 5, 1, -5, 2), "    1|2    |");
  assert.equal(render("%.*d|%.*d", 4, 7, -4, 7), "0007|7");
  assert.equal(render("%.*s|", 2, "abcd"), "ab|");
});

Deno.test("plain pointers are packed as numbers, others as the text that the kernel made", () => {
  const address = [0, 0, 0, 0x81, 0xff, 0xff, 0xff, 0xff];
  assert.equal(render("%ps %d", address, 7), "ps_81000000 7");
  assert.equal(render("%pS", address), "pS_81000000");
  assert.equal(render("%pI4 %d", "127.0.0.1", [0, 0], 7), "127.0.0.1 7");
});

Deno.test("nothing follows a conversion that the kernel does not have", () => {
  assert.equal(render("%d %f %d", 1, 2, 3), "1 ");
  assert.equal(render("100%"), "100");
});

Deno.test("arguments that the record lacks are 0 or empty", () => {
  assert.equal(render("%d|%s|%lld|%c", 5), "5||0|\0");
});

Deno.test("no width, precision or text goes beyond what a record can ask for", () => {
  assert.equal(render("%*d", 0x7fffffff, 1).length, 32767);
  assert.equal(render("%*d", -0x80000000, 1).length, 32767);
  assert.equal(render("%.*d", 0x7fffffff, 1).length, 32767);
  assert.equal(render(`%${"9".repeat(30)}s`, "a").length, 32767);
});

Deno.test("rendering never throws, for any format and any bytes", () => {
  const piece = fc.constantFrom(
    ...["%", "d", "s", "p", "c", "*", ".", "ll", "h", "x", "-", "0", "9"],
    ...["%*d", "%.*s", "%*p", "%pS", "%pI4", "%-*.*lx", "a", " "],
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 12 }).map((list) => list.join("")),
      fc.uint8Array({ maxLength: 60 }),
      (format, bytes) => {
        const record = new RecordBytes(bytes.slice());
        const text = new PackedPrintf(ENV).render(format, record, AT);
        assert.equal(typeof text, "string");
      },
    ),
    { numRuns: 2000, seed: 1 },
  );
});
