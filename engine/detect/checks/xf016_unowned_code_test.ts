import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { checked, HELPER } from "../core/check_fixture.ts";
import { FIXTURE_TEXT } from "../../kernel/symbols/symbols_fixture.ts";
import { unownedCode } from "./xf016_unowned_code.ts";

const TYPES = fixtureTypes({}, [
  ["MODULE_STATE_LIVE", 0],
  ["MODULE_STATE_COMING", 1],
]);
const TEXT = 0xffffffffc0100000n;
const DATA = TEXT + 0x2000n;
const MODULE: ModuleView = {
  ...HELPER,
  text: [{ start: TEXT, end: TEXT + 0x1f80n }],
  ranges: [{ start: TEXT, end: DATA + 0x2000n }],
};

/** What is said when the pages from TEXT up to a GVA can be executed. */
function upTo(end: bigint, module = MODULE) {
  const { kernel } = new FixtureGuest(TYPES);
  return checked(unownedCode, kernel, {
    whose: (gva) => gva < MODULE.text[0].end ? "module" : "foreign",
    modules: [module],
    pages: [{ start: TEXT, end, writable: false }],
  });
}

Deno.test("a module owns the pages of its text", () => {
  const { findings, unjudged } = upTo(DATA);
  assert.deepEqual([findings, unjudged], [[], []]);
});

Deno.test("a module's data that can be executed is nobody's code", () => {
  const { findings } = upTo(DATA + 0x1000n);
  assert.deepEqual(findings.map(({ address }) => address), [DATA]);
  assert.match(
    findings[0].summary,
    /^4096 bytes .* belong to module helper, which has no text there$/,
  );
});

Deno.test("a module that is live has no init code to own", () => {
  const live = { ...MODULE, hasInit: true };
  const { unjudged } = upTo(DATA, live);
  assert.deepEqual(unjudged.map(({ what }) => what), ["module helper"]);
  const coming = upTo(DATA, { ...live, state: 1 }).unjudged;
  assert.deepEqual(coming.map(({ why }) => why), [
    "the module is being loaded or unloaded",
  ]);
});

Deno.test("a page of thunks does not speak for the code behind it", () => {
  const { kernel } = new FixtureGuest(TYPES);
  const page = (i: bigint) => TEXT + i * 0x1000n;
  const { findings } = checked(unownedCode, kernel, {
    whose: (gva) => gva < page(1n) || gva >= page(3n) ? "thunk" : "foreign",
    pages: [{ start: TEXT, end: page(4n), writable: false }],
  });
  assert.deepEqual(findings.map(({ address }) => address), [page(1n)]);
  assert.match(findings[0].summary, /^8192 bytes .* belong to nobody$/);
});

const RODATA = FIXTURE_TEXT + 0x200000n;
const IMAGE_END = FIXTURE_TEXT + 0x600000n;

/**
 * What is said of a guest whose image can be written and executed, but for what
 * `image` says, and of a module like that.
 */
function unprotectedGuest(
  { line = "quiet rodata=off", enabled = 0, image = [] }: {
    line?: string;
    enabled?: number;
    image?: { start: bigint; end: bigint; writable: boolean }[];
  },
) {
  const guest = new FixtureGuest(TYPES);
  const page = guest.image();
  guest.symbol("__end_rodata", RODATA + 0x100000n);
  guest.symbol("rodata_enabled", page);
  guest.symbol("saved_command_line", page + 8n);
  guest.symbol("_end", IMAGE_END - 0x1000n);
  guest.bytes[guest.gpa(page)] = enabled;
  guest.setU64(page + 8n, guest.text(line));
  const module = { start: TEXT, end: DATA, writable: true };
  const idt = RODATA + 0x200000n;
  const whole = [
    { start: FIXTURE_TEXT, end: idt, writable: true },
    { start: idt, end: idt + 0x1000n, writable: false },
    { start: idt + 0x1000n, end: IMAGE_END, writable: true },
  ];
  const { findings } = checked(unownedCode, guest.kernel, {
    whose: (gva) =>
      gva < RODATA
        ? "kernel"
        : gva >= TEXT && gva < DATA
        ? "module"
        : "foreign",
    modules: [MODULE],
    pages: [...image.length > 0 ? image : whole, module, {
      start: DATA + 0x100000n,
      end: DATA + 0x101000n,
      writable: true,
    }],
  });
  return findings.map(({ severity, summary }) =>
    `${severity} ${summary.replace(/^\d+ bytes.* at (\S+) /, "$1 ")}`
  );
}

/** Code of nobody's, which no setting of the kernel's explains. */
const NOBODYS = [
  "high 0xffffffffc0202000 can be written and executed",
  "critical 0xffffffffc0202000 belong to nobody",
];

Deno.test("a kernel that was booted with rodata=off is one finding", () => {
  assert.deepEqual(unprotectedGuest({}), [
    "high the kernel does not protect its memory, as it was booted with rodata=off: all of its image can be written and executed",
    ...NOBODYS,
  ]);
});

Deno.test("a kernel that is unprotected and was not booted so", () => {
  for (const line of ["quiet", "xrodata=off", "rodata=on"]) {
    assert.match(
      unprotectedGuest({ line })[0],
      /^critical .* although it was not booted with rodata=off/,
      line,
    );
  }
});

Deno.test("the word rodata_enabled alone explains nothing", () => {
  const all = unprotectedGuest({ enabled: 1 });
  const image = [
    { start: FIXTURE_TEXT, end: RODATA, writable: false },
    { start: RODATA, end: RODATA + 0x1000n, writable: true },
  ];
  const one = unprotectedGuest({ image });
  for (const found of [all, one]) {
    assert.ok(found.every((said) => !/rodata=off/.test(said)), found.join());
    // The image's data, and the module, and what is nobody's.
    assert.ok(found.includes("critical 0xffffffff81200000 belong to nobody"));
    assert.ok(
      found.includes("high 0xffffffffc0100000 can be written and executed"),
    );
    for (const said of NOBODYS) assert.ok(found.includes(said));
  }
});

Deno.test("trampolines that a kernel keeps writable are known, if all are", () => {
  const page = (i: bigint) => TEXT + i * 0x1000n;
  const said = (
    { packs = false, names = ["bpf_trampoline_1", "bpf_dispatcher_xdp"] },
    writable: readonly boolean[],
  ) => {
    const guest = new FixtureGuest(TYPES);
    if (packs) guest.symbol("pack_list", guest.image());
    const { findings, known } = checked(unownedCode, guest.kernel, {
      whose: () => "bpf",
      reserves: names.map((name, i) => ({
        kind: "bpf",
        name,
        start: page(BigInt(2 * i)),
        end: page(BigInt(2 * i + 1)),
      })),
      pages: writable.map((each, i) => ({
        start: page(BigInt(2 * i)),
        end: page(BigInt(2 * i + 1)),
        writable: each,
      })),
    });
    return [findings.length, known.length];
  };
  assert.deepEqual(said({}, [true, true]), [0, 1]);
  assert.deepEqual(said({}, [true, false]), [1, 0]);
  // A kernel with packs protects them, and no kernel leaves programs writable.
  assert.deepEqual(said({ packs: true }, [true, true]), [2, 0]);
  const names = ["bpf_trampoline_1", "bpf_prog_1"];
  assert.deepEqual(said({ names }, [true, true]), [1, 1]);
});

Deno.test("the first code of a range is shown, and not the padding before it", () => {
  const shown = (at: number, ...code: number[]) => {
    const guest = new FixtureGuest(TYPES);
    const size = 3 * 4096;
    const bytes = guest.allocate(size, 4096);
    for (let i = 0; i < 3; i++) {
      const page = BigInt(i * 4096);
      guest.alias(TEXT + page, bytes + page);
    }
    const from = guest.gpa(bytes);
    guest.bytes.fill(0x90, from, from + size);
    guest.bytes.set(code, from + at);
    const { findings } = checked(unownedCode, guest.kernel, {
      whose: () => "foreign",
      pages: [{ start: TEXT, end: TEXT + BigInt(size), writable: false }],
    });
    return findings.map(({ found }) => found);
  };
  // ENDBR64, then Ftrace's call site, behind CONFIG_CALL_PADDING's 16 bytes.
  const code = [0xf3, 0x0f, 0x1e, 0xfa, 0x0f, 0x1f, 0x44, 0, 0, 0x55];
  const first = "f3 0f 1e fa 0f 1f 44 00 00 55 90 90 90 90 90 90";
  assert.deepEqual(shown(16, ...code), [first]);
  // `nopw` that aligns, and code in the second page, and at the very end.
  const align = [0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0];
  assert.deepEqual(shown(6, ...align, ...code), [first]);
  assert.deepEqual(shown(4096 + 16, ...code), [first]);
  assert.deepEqual(shown(3 * 4096 - 2, 0xeb, 0xfe), ["eb fe"]);
  // Padding alone.
  assert.deepEqual(shown(0), [new Array(16).fill("90").join(" ")]);
});

Deno.test("code that the kernel says that it has generated is told", () => {
  const { kernel } = new FixtureGuest(TYPES);
  const { known } = checked(unownedCode, kernel, {
    whose: () => "bpf",
    generated: [{
      kind: "bpf",
      name: "bpf_prog_6deef7357e7b4530",
      start: TEXT,
      end: TEXT + 0x40n,
    }],
    pages: [{ start: TEXT, end: TEXT + 0x1000n, writable: false }],
  });
  assert.deepEqual(known, [
    "generated code (bpf): bpf_prog_6deef7357e7b4530 at 0xffffffffc0100000, 64 bytes",
  ]);
});
