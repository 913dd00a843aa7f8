/** Static calls of one key that were changed: each check tells them as one. */
import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { readImage } from "../../kernel/patching/text_image.ts";
import { FIXTURE_TEXT } from "../../kernel/symbols/symbols_fixture.ts";
import { textBranches } from "../checks/xf008_text_branches.ts";
import { patchSiteText } from "../checks/xf023_patch_sites.ts";
import { CheckContext } from "../core/context.ts";
import { readOnce } from "../core/runner.ts";

const TYPES = fixtureTypes({
  static_call_key: { size: 8, members: { func: [0, "u64"] } },
  tracepoint: { size: 16, members: { funcs: [0, "u64"] } },
}, [["MODULE_STATE_LIVE", 0]]);
const OWN = FIXTURE_TEXT + 0x800n;
/** Code of a module. */
const HOOK = 0xffffffffc0100000n;
/** Offsets of the calls of one key, and of another one's. */
const CALLS = [0x100, 0x200, 0x300, 0x400, 0x500];
const OTHER = 0x600;

/** Another function of the kernel's, in its text. */
const ANOTHER = FIXTURE_TEXT + 0x900n;

interface Has {
  /** What the key names; default: the kernel's own function. */
  readonly func?: bigint;
  /** Where each of its calls leads; default: there. */
  readonly calls?: readonly bigint[];
  /** Where the call of the other key leads; its key names the kernel's own. */
  readonly other?: bigint;
}

/** What XF008 and XF023 say. */
function said({ func = OWN, calls = CALLS.map(() => func), other = OWN }: Has) {
  const guest = new FixtureGuest(TYPES);
  const text = guest.allocate(4096, 4096);
  guest.alias(FIXTURE_TEXT, text);
  guest.bytes.fill(0x90, guest.gpa(text), guest.gpa(text) + 4096);
  const table = guest.image();
  const keys = [table + 0x800n, table + 0x810n];
  guest.setU64(keys[0], func);
  guest.setU64(keys[1], OWN);
  const sites = [
    ...CALLS.map((at, i) => [at, calls[i], keys[0]] as const),
    [OTHER, other, keys[1]] as const,
  ];
  const distance = (at: bigint, by: bigint) =>
    guest.setU32(at, Number(BigInt.asUintN(32, by)));
  sites.forEach(([at, to, key], i) => {
    const call = FIXTURE_TEXT + BigInt(at);
    guest.bytes[guest.gpa(text) + at] = 0xe8;
    distance(text + BigInt(at + 1), to - call - 5n);
    const entry = table + BigInt(8 * i);
    distance(entry, call - entry);
    distance(entry + 4n, key - entry - 4n);
  });
  const jump = table + 0x400n;
  for (
    const [name, gva] of [
      ["_etext", FIXTURE_TEXT + 4096n],
      ["__start_static_call_sites", table],
      ["__stop_static_call_sites", table + BigInt(8 * sites.length)],
      ["__start___jump_table", jump],
      ["__stop___jump_table", jump + 16n],
    ] as const
  ) guest.symbol(name, gva);
  // One jump label, of a no-op.
  const label = FIXTURE_TEXT + 0x700n;
  guest.bytes.set([0x0f, 0x1f, 0x44, 0, 0], guest.gpa(text) + 0x700);
  distance(jump, label - jump);
  distance(jump + 4n, label + 16n - jump - 4n);
  const { kernel } = guest;
  const names = new Map([
    [keys[0], "__SCK__might_resched"],
    [keys[1], "__SCK__other"],
  ]);
  const nameOf = (gva: bigint) =>
    names.get(gva) ??
      (gva === HOOK
        ? "hook [rk]"
        : gva === OWN
        ? "own"
        : `f+0x${(gva - FIXTURE_TEXT).toString(16)}`);
  const context: CheckContext = Object.create(CheckContext.prototype, {
    kernel: { value: kernel },
    code: {
      value: {
        pages: {
          executable: [
            { start: FIXTURE_TEXT, end: FIXTURE_TEXT + 4096n, writable: false },
            { start: HOOK, end: HOOK + 4096n, writable: false },
          ],
        },
        reserves: [],
        modules: [],
        executable: () => true,
        nameOf,
        at: (address: bigint) => ({
          kind: address === HOOK ? "module" : "kernel",
          address,
          name: nameOf(address),
          symbol: undefined,
          offset: 0,
          module: address === HOOK ? { name: "rk", taints: [] } : undefined,
        }),
      },
    },
    sites: { value: { count: 0 } },
    kprobes: { value: [] },
    text: { value: readImage(kernel, "_stext", "_etext") },
    trusts: { value: () => false },
    howToTrust: { value: () => "give its file" },
  });
  const of = (check: typeof textBranches) => {
    const { findings, unjudged } = readOnce(kernel, check, context);
    assert.deepEqual(unjudged, []);
    return findings.map(({ where, summary }) => `${where}: ${summary}`);
  };
  return { branches: of(textBranches), sites: of(patchSiteText) };
}

Deno.test("static calls that their keys name are no finding", () => {
  assert.deepEqual(said({}), { branches: [], sites: [] });
});

Deno.test("a static call that was replaced is one finding, by its name", () => {
  assert.deepEqual(said({ func: HOOK }), {
    branches: [
      "static call might_resched: static call might_resched leads to hook [rk], a module that the kernel does not vouch for (not signed): it is called at f+0x100, f+0x200, f+0x300 and 2 more",
    ],
    sites: [],
  });
});

Deno.test("calls that were patched and not their key are one finding of each check", () => {
  assert.deepEqual(said({ calls: CALLS.map(() => HOOK) }), {
    branches: [
      "f+0x100: static call might_resched: f+0x100 calls hook [rk], a module, which its key does not name; so do 4 more of its calls, at f+0x200, f+0x300, f+0x400 and 1 more",
    ],
    sites: [
      "static call at f+0x100: 5 static calls of might_resched lead to hook [rk], which its key does not name: at f+0x100, f+0x200, f+0x300 and 2 more",
    ],
  });
});

Deno.test("one call that was patched is told with its place and key", () => {
  const one = CALLS.map((_, i) => i === 1 ? HOOK : OWN);
  const { branches, sites } = said({ calls: one });
  assert.deepEqual(branches, [
    "f+0x200: static call might_resched: f+0x200 calls hook [rk], a module, which its key does not name",
  ]);
  assert.deepEqual(sites, [
    "static call at f+0x200: the static call of might_resched at f+0x200 leads to hook [rk], which its key does not name",
  ]);
  // Those of another key are another thing.
  const both = said({ calls: one, other: HOOK });
  assert.deepEqual([both.branches.length, both.sites.length], [2, 2]);
});

Deno.test("a call bent to other code of the kernel's is not seen without an image", () => {
  // Static calls lead to thunks, and past the start of functions: only XF020 can
  // tell, by the image's own tables.
  assert.deepEqual(said({ calls: CALLS.map(() => ANOTHER) }), {
    branches: [],
    sites: [],
  });
});
