/** Patch sites of a small image: where they lie, and what marks them. */
import assert from "node:assert/strict";
import {
  DIRECT_MAP,
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { FIXTURE_TEXT } from "../../kernel/symbols/symbols_fixture.ts";
import { checked } from "../core/check_fixture.ts";
import { patchSiteText } from "./xf023_patch_sites.ts";

const TYPES = fixtureTypes({
  static_call_key: { size: 8, members: { func: [0, "u64"] } },
});
/** Offsets in the text. */
const SITE = 0x200n;
const TARGET = 0x300n;
const CALL = 0x400n;
/** Where init code was: behind the text. */
const INIT = 0x10000n;
const MARK = 2n;

interface Has {
  /** Of the jump label: its place, its target and its mark. */
  readonly jump?: readonly [at: bigint, to: bigint, mark: bigint];
  /** Of the static call: its place and its mark. */
  readonly call?: readonly [at: bigint, mark: bigint];
  /** Whether the jump label holds a jump to its target. */
  readonly on?: boolean;
}

function said(
  { jump = [SITE, TARGET, 0n], call = [CALL, 0n], on = false }: Has,
) {
  const guest = new FixtureGuest(TYPES);
  const text = guest.allocate(4096, 4096);
  guest.alias(FIXTURE_TEXT, text);
  guest.bytes.fill(0x90, guest.gpa(text), guest.gpa(text) + 4096);
  const put = (at: bigint, ...bytes: number[]) =>
    guest.bytes.set(bytes, guest.gpa(text + at));
  const distance = (at: bigint, to: bigint) =>
    guest.setU32(at, Number(BigInt.asUintN(32, to - at)));
  const table = guest.image();
  const [at, to, mark] = jump;
  if (on) {
    put(SITE, 0xe9);
    guest.setU32(text + SITE + 1n, Number(BigInt.asUintN(32, to - SITE - 5n)));
  } else put(SITE, 0x0f, 0x1f, 0x44, 0, 0);
  put(CALL, 0x0f, 0x1f, 0x44, 0, 0);
  distance(table, FIXTURE_TEXT + at);
  distance(table + 4n, FIXTURE_TEXT + to);
  guest.setU64(table + 8n, mark);
  distance(table + 64n, FIXTURE_TEXT + call[0]);
  distance(table + 68n, table + 128n | call[1]);
  for (
    const [name, gva] of [
      ["_etext", FIXTURE_TEXT + 4096n],
      ["__init_begin", FIXTURE_TEXT + INIT],
      ["__init_end", FIXTURE_TEXT + INIT + 4096n],
      ["__start___jump_table", table],
      ["__stop___jump_table", table + 16n],
      ["__start_static_call_sites", table + 64n],
      ["__stop_static_call_sites", table + 72n],
    ] as const
  ) guest.symbol(name, gva);
  assert.ok(text > DIRECT_MAP);
  const { findings, unjudged, judged } = checked(patchSiteText, guest.kernel);
  return {
    findings: findings.map(({ summary }) => summary),
    unjudged: unjudged.map(({ why }) => why),
    judged,
  };
}

Deno.test("patch sites of the text, and of init code that is gone", () => {
  const clean = { findings: [], unjudged: [] };
  assert.deepEqual(said({}), { ...clean, judged: 2 });
  assert.deepEqual(said({ on: true }), { ...clean, judged: 2 });
  const init = said({
    jump: [INIT, INIT + 16n, MARK],
    call: [INIT + 64n, MARK],
  });
  // Nothing of it is left, but the check has read the tables.
  assert.deepEqual(init.findings, []);
  assert.deepEqual(init.unjudged, [
    "there was nothing that it could judge",
  ]);
});

Deno.test("neither its place nor its mark alone makes a site one of init code", () => {
  const marked =
    "the kernel has marked it as one in init code, and it lies elsewhere";
  const nowhere = "its table names it, and it lies in no code";
  for (
    const [has, why] of [
      [{ jump: [SITE, TARGET, MARK] }, marked],
      [{ call: [CALL, MARK] }, marked],
      [{ jump: [INIT, INIT + 16n, 0n] }, nowhere],
      [{ call: [INIT, 0n] }, nowhere],
      [{ jump: [2n * INIT, TARGET, MARK] }, marked],
      [{ jump: [2n * INIT, TARGET, 0n] }, nowhere],
      [{ call: [2n * INIT, 0n] }, nowhere],
    ] as const
  ) {
    const { findings, unjudged, judged } = said(has);
    assert.deepEqual({ findings, unjudged, judged }, {
      findings: [],
      unjudged: [why],
      judged: 1,
    });
  }
});

Deno.test("a jump label whose table has it lead out of the text is found", () => {
  for (const on of [false, true]) {
    const { findings } = said({ jump: [SITE, 2n * INIT, 0n], on });
    assert.equal(findings.length, 1);
    assert.match(findings[0], /is to lead to hook, outside of its text$/);
  }
});
