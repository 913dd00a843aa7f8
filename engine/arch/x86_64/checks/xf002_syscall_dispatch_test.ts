/** System calls of a small guest, dispatched by comparisons. */
import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../../kernel/core/kernel_fixture.ts";
import { checked } from "../../../detect/core/check_fixture.ts";
import { syscallDispatch } from "./xf002_syscall_dispatch.ts";

/** As many calls as the check wants of any kernel, and some. */
const CALLS = 70;
/** One that does not exist. */
const ABSENT = 50;
/** Bytes of `cmp $number,%esi; jne next; jmp function`. */
const EACH = 3 + 2 + 5;

/** Where a number's jump lies in the text. */
const jumpOf = (nr: number) => EACH * nr + 5;

/**
 * What the check says.
 *
 * @param change changes the text
 * @param table whether the table of system calls has its symbol
 */
function saidOf(
  change: (text: Uint8Array, view: DataView) => void = () => {},
  table = true,
) {
  const guest = new FixtureGuest(fixtureTypes({}));
  const page = guest.image();
  const functions = page + 0x800n;
  const none = functions + BigInt(8 * CALLS);
  const entries = page + 0xc00n;
  const bytes = new Uint8Array(EACH * CALLS + 5);
  const view = new DataView(bytes.buffer);
  for (let nr = 0; nr < CALLS; nr++) {
    bytes.set([0x83, 0xfe, nr, 0x75, 5, 0xe9], EACH * nr);
    const to = nr === ABSENT ? none : functions + BigInt(8 * nr);
    const end = BigInt(jumpOf(nr) + 5);
    view.setInt32(jumpOf(nr) + 1, Number(to - page - end), true);
    guest.symbol(
      nr === ABSENT ? `hole_${nr}` : `__x64_sys_call${nr}`,
      functions + BigInt(8 * nr),
    );
    guest.setU64(entries + BigInt(8 * nr), to);
  }
  bytes[EACH * CALLS] = 0xe9;
  view.setInt32(
    EACH * CALLS + 1,
    Number(none - page) - bytes.length,
    true,
  );
  change(bytes, view);
  guest.bytes.set(bytes, guest.gpa(page));
  guest.symbol("x64_sys_call", page);
  guest.symbol("after_x64_sys_call", page + BigInt(bytes.length));
  guest.symbol("__x64_sys_ni_syscall", none);
  guest.symbol("after_ni", none + 8n);
  guest.symbol(table ? "sys_call_table" : "some_table", entries);
  guest.symbol("after_table", entries + BigInt(8 * CALLS));
  // Symbols up to here are the image's.
  guest.symbol("_end", page + 0x1000n);
  const said = checked(syscallDispatch, guest.kernel);
  return {
    findings: said.findings.map(({ summary }) => summary),
    unjudged: said.unjudged,
  };
}

Deno.test("each number leads to its own function", () => {
  assert.deepEqual(saidOf(), { findings: [], unjudged: [] });
});

Deno.test("a number that shares another one's branch is found", () => {
  const { findings } = saidOf((_, view) => {
    // Number 7 goes to the jump of number 9.
    view.setInt32(jumpOf(7) + 1, jumpOf(9) - jumpOf(7) - 5, true);
  });
  assert.equal(findings.length, 1);
  assert.match(
    findings[0],
    /\(7\) leads to hook, which is not __x64_sys_call7$/,
  );
});

Deno.test("a number that cannot be followed is unjudged", () => {
  for (
    const [why, ...bytes] of [
      ["an indirect branch", 0xff, 0xe0],
      ["a return", 0xc3],
      ["a breakpoint", 0xcc],
      ["another instruction", 0x31, 0xf6],
    ] as const
  ) {
    const { findings, unjudged } = saidOf((text) => text.set(bytes, jumpOf(7)));
    assert.deepEqual(findings, []);
    assert.equal(unjudged.length, 1);
    assert.match(unjudged[0].what, /^x64_sys_call\+0x4b \(7\)$/);
    assert.match(unjudged[0].why, new RegExp(why));
  }
});

Deno.test("a return for numbers that do not exist is known", () => {
  const { findings, unjudged } = saidOf((text) => {
    text[EACH * CALLS] = 0xc3;
  });
  assert.deepEqual({ findings, unjudged }, { findings: [], unjudged: [] });
});

Deno.test("without the table, nothing says what a number should have", () => {
  const { unjudged } = saidOf(undefined, false);
  assert.match(unjudged[0].why, /no sys_call_table/);
});

/** What is said of a kernel that calls through a table with these words. */
function throughTable(text: (table: number, other: number) => number[]) {
  const guest = new FixtureGuest(fixtureTypes({}));
  const page = guest.image();
  const [table, other] = [page + 0x800n, page + 0x900n];
  const low = (gva: bigint) => Number(gva & 0xffffffffn);
  const bytes = text(low(table), low(other));
  guest.bytes.set(bytes, guest.gpa(page));
  guest.symbol("do_syscall_64", page);
  guest.symbol("after_do_syscall_64", page + BigInt(bytes.length));
  guest.symbol("sys_call_table", table);
  guest.symbol("other", other);
  guest.symbol("_end", page + 0x1000n);
  const { findings, unjudged } = checked(syscallDispatch, guest.kernel);
  return {
    findings: findings.map(({ summary }) => summary),
    unjudged: unjudged.map(({ what }) => what),
  };
}

/** `mov address(,%rax,8),%rax` */
const reads = (low: number) => [
  ...[0x48, 0x8b, 0x04, 0xc5],
  ...[low, low >>> 8, low >>> 16, low >>> 24].map((byte) => byte & 0xff),
];

Deno.test("kernels without such functions read the kernel's own table", () => {
  assert.deepEqual(throughTable((own) => [0x90, ...reads(own), 0xc3]), {
    findings: [],
    unjudged: [],
  });
});

Deno.test("another table than the kernel's is found, also beside it", () => {
  const finding =
    /^do_syscall_64 finds system calls in a table at 0xffffffff81400900, which is not the kernel's$/;
  const instead = throughTable((_, other) => reads(other));
  assert.match(instead.findings.join(), finding);
  assert.deepEqual(instead.unjudged, ["sys_call_table"]);
  const beside = throughTable((own, other) => [...reads(own), ...reads(other)]);
  assert.match(beside.findings.join(), finding);
});

Deno.test("a table that is read in no known way is unjudged", () => {
  // mov $table,%rcx; mov (%rcx,%rax,8),%rax
  const said = throughTable((own) => [
    ...[0x48, 0xc7, 0xc1],
    ...reads(own).slice(4),
    ...[0x48, 0x8b, 0x04, 0xc1],
  ]);
  assert.deepEqual(said, { findings: [], unjudged: ["sys_call_table"] });
});
