import assert from "node:assert/strict";
import fc from "fast-check";
import { x86_64 } from "../../arch/x86_64/mod.ts";
import type { Finding, Report } from "../finding.ts";
import type { CodeKind } from "../reading/code_map.ts";
import { CodeReading } from "../reading/code_reading.ts";
import { compareText } from "./compare_text.ts";
import { places } from "./patch_sites.ts";
import { SiteMarks } from "./site_marks.ts";

const START = 0xffffffff81000000n;
/** From here on lies code without an owner. */
const FOREIGN = START + 0x10000n;

const reading: CodeReading = Object.create(CodeReading.prototype, {
  kernel: { value: { arch: x86_64 } },
  code: {
    value: {
      at: (gva: bigint) => {
        const kind: CodeKind = gva >= FOREIGN ? "foreign" : "kernel";
        return { kind, address: gva, name: `text+${gva - START}` };
      },
    },
  },
});

/** The report about a text that differs from the expected one. */
function compare(
  trusted: Uint8Array,
  own: Uint8Array,
  mark: (sites: SiteMarks) => void = () => {},
) {
  const findings: Omit<Finding, "check">[] = [];
  const said: string[] = [];
  let judged = 0;
  const report: Report = {
    finding: (finding) => findings.push(finding),
    unjudged: (_, why) => said.push(why),
    known: (text) => said.push(text),
    passing: () => assert.fail("nothing changes here"),
    gone: () => assert.fail("nothing goes here"),
    notRun: () => assert.fail("it was run"),
    judged: (count) => judged += count,
    part: (_, body) => body(),
  };
  const sites = new SiteMarks(x86_64, own);
  mark(sites);
  const places = compareText(reading, report, {
    what: "kernel text",
    with: "the trusted image",
    start: START,
    trusted,
    own,
    sites: sites.sites(),
  });
  return { findings, said, judged, places };
}

const text = fc.uint8Array({ minLength: 1, maxLength: 300 });

Deno.test("a text equals itself, up to the shorter length", () => {
  fc.assert(fc.property(text, text, (bytes, more) => {
    const longer = new Uint8Array([...bytes, ...more]);
    assert.deepEqual(compare(longer, bytes), {
      findings: [],
      said: [],
      judged: bytes.length,
      places: 0,
    });
  }));
});

Deno.test("any changed byte is found at its place", () => {
  fc.assert(
    fc.property(
      text,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (own, n, x) => {
        const at = n % own.length;
        const trusted = own.slice();
        trusted[at] ^= x;
        const { findings, places } = compare(trusted, own);
        assert.equal(places, 1);
        assert.equal(findings.length, 1);
        assert.equal(findings[0].address, START + BigInt(at));
        assert.equal(findings[0].severity, "critical");
      },
    ),
  );
});

Deno.test("nearby differences are one place, distant ones are two", () => {
  const trusted = new Uint8Array(64);
  const own = trusted.slice();
  own[10] = own[15] = 0xcc;
  own[40] = 0x90;
  const { findings } = compare(trusted, own);
  assert.deepEqual(
    findings.map(({ address, expected, found, summary }) => [
      address,
      expected,
      found,
      summary,
    ]),
    [
      [
        START + 10n,
        "00 00 00 00 00 00",
        "cc 00 00 00 00 cc",
        "6 bytes of text+10 are not those of the trusted image",
      ],
      [
        START + 40n,
        "00",
        "90",
        "1 bytes of text+40 are not those of the trusted image",
      ],
    ],
  );
});

const NOP5 = [0x0f, 0x1f, 0x44, 0x00, 0x00];
const jump = (distance: number) => [
  0xe9,
  ...new Uint8Array(Int32Array.of(distance).buffer),
];

Deno.test("a difference is explained by what patches the place, unless it leads to code without an owner", () => {
  const at = 32;
  const texts = (instruction: readonly number[]) => {
    const trusted = new Uint8Array(64).fill(0x90);
    trusted.set(NOP5, at);
    const own = trusted.slice();
    own.set(instruction, at);
    return [trusted, own] as const;
  };
  const label = (sites: SiteMarks) => sites.mark("jump labels", at, 5);
  const [trusted, patched] = texts(jump(-1000));
  assert.deepEqual(compare(trusted, patched, label), {
    findings: [],
    said: ["5 bytes of kernel text by jump labels"],
    judged: 64,
    places: 0,
  });
  // Where nothing patches the text, the same bytes are a finding.
  assert.equal(compare(trusted, patched).places, 1);
  assert.equal(compare(...texts(jump(0x20000)), label).places, 1);
  // No jump label writes these bytes.
  assert.equal(
    compare(...texts([0x31, 0xc0, 0x90, 0x90, 0x90]), label).places,
    1,
  );
});

Deno.test("a completely different text is reported in one sentence", () => {
  const trusted = new Uint8Array(16 * 300);
  const own = trusted.slice();
  for (let i = 0; i < 300; i++) own[16 * i] = 1;
  const { findings, said, places } = compare(trusted, own);
  assert.equal(places, 300);
  assert.equal(findings.length, 200);
  assert.deepEqual(said, [
    "it differs from the trusted image in 300 places, of which the first 200 are listed",
  ]);
});

Deno.test("an alternative may lie over the site of a return thunk", () => {
  // A retpoline that ends with a jump to the return thunk, and what stands there
  // in a kernel that needs neither: jmp *%rax, and no-ops across the site.
  const trusted = new Uint8Array(64).fill(0x90);
  trusted.set(jump(16), 28);
  const own = trusted.slice();
  own.set([0xff, 0xe0], 16);
  own.set([0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0], 26);
  const both = (sites: SiteMarks) => {
    sites.mark("alternatives", 16, 24);
    sites.mark("return thunks", 28, 5);
  };
  assert.deepEqual(compare(trusted, own, both).findings, []);
  assert.equal(
    compare(trusted, own, (sites) => {
      sites.mark("return thunks", 28, 5);
    }).places,
    2,
  );
  // Beyond the site within it, what is around is judged.
  own.set(jump(Number(FOREIGN - START)), 35);
  assert.ok(compare(trusted, own, both).places > 0);
});

Deno.test("the last entry of a table of patch sites may lack its padding", () => {
  const table = x86_64.patching.tables({
    tryStruct: () => undefined,
    tryOffset: () => undefined,
  }).find(({ section }) => section === ".parainstructions");
  assert.ok(table !== undefined);
  const bytes = new Uint8Array(16 + 12);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, START, true);
  view.setBigUint64(16, START + 7n, true);
  const found = (
    length: number,
  ) => [...places({ address: 0n, bytes: bytes.subarray(0, length) }, table)];
  assert.deepEqual(found(28), [[0, START], [16, START + 7n]]);
  assert.deepEqual(found(16 + 9), [[0, START]], "it has no length");
});
