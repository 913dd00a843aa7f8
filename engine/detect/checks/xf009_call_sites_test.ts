import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { FIXTURE_TEXT } from "../../kernel/symbols/symbols_fixture.ts";
import { SITE } from "../../kernel/patching/ftrace_ops.ts";
import { generatedCode } from "../../kernel/patching/generated_code.ts";
import { checked, type FixtureCode } from "../core/check_fixture.ts";
import { callSiteText } from "./xf009_call_sites.ts";

const TYPES = fixtureTypes({
  dyn_ftrace: { size: 16, members: { ip: [0, "u64"], flags: [8, "u64"] } },
  ftrace_ops: {
    size: 64,
    members: {
      next: [0, "u64"],
      func: [8, "u64"],
      flags: [16, "u64"],
      trampoline: [24, "u64"],
      trampoline_size: [32, "u64"],
    },
  },
  ftrace_page: {
    size: 24,
    members: { next: [0, "u64"], records: [8, "u64"], index: [16, "u32"] },
  },
}, [["MODULE_STATE_LIVE", 0]]);

const NOP = [0x0f, 0x1f, 0x44, 0, 0];
const ENTRY = FIXTURE_TEXT + 0x800n;
const MODULE = 0xffffffffc0100000n;
const DISABLED = SITE.disabled;
const STUB = FIXTURE_TEXT + 0x900n;
const TRAMPOLINE = 0xffffffffc0200000n;

/** A kernel with these records and its own count of them. */
class TracedGuest extends FixtureGuest {
  readonly #count: bigint;
  readonly #first: bigint;
  #records = 0;

  constructor() {
    super(TYPES, { size: 4 << 20 });
    const text = this.allocate(2 << 20, 4096);
    for (let at = 0n; at < 2n << 20n; at += 4096n) {
      this.alias(FIXTURE_TEXT + at, text + at);
    }
    this.bytes[this.gpa(FIXTURE_TEXT)] = 0xc3;
    const variables = this.image();
    this.symbol("ftrace_pages_start", variables);
    this.#count = variables + 8n;
    this.symbol("ftrace_update_tot_cnt", this.#count);
    this.symbol("ftrace_number_of_pages", variables + 16n);
    this.symbol("ftrace_caller", ENTRY);
    // What a trampoline is copied from: a mov of its ops, a call, and a no-op.
    this.symbol("ftrace_caller_op_ptr", ENTRY + 1n);
    this.symbol("ftrace_call", ENTRY + 8n);
    this.symbol("ftrace_caller_end", ENTRY + 13n);
    this.symbol("ftrace_stub", STUB);
    this.put(ENTRY, [0x90, 0x48, 0x8b, 0x15, 1, 2, 3, 4]);
    this.branch(ENTRY + 8n, 0xe8, STUB);
    this.#end = variables + 64n;
    this.#ops = variables + 24n;
    this.symbol("ftrace_ops_list", this.#ops);
    this.symbol("ftrace_list_end", this.#end);
    this.setU64(this.#ops, this.#end);
    this.setU64(this.at("ftrace_ops", this.#end, "func"), STUB);
    const page = this.create("ftrace_page");
    this.#first = this.allocate(16 * 64);
    this.setU64(this.at("ftrace_page", page, "records"), this.#first);
    this.setU64(variables, page);
    this.#page = page;
  }
  readonly #page: bigint;

  /** Adds a record; without `counted`, behind Ftrace's back. */
  record(ip: bigint, flags: number, counted = true): void {
    const at = this.#first + BigInt(16 * this.#records++);
    this.setU64(at, ip);
    this.setU32(at + 8n, flags);
    this.setU32(this.at("ftrace_page", this.#page, "index"), this.#records);
    if (!counted) return;
    this.setU32(this.#count, this.#records);
  }

  readonly #end: bigint;
  readonly #ops: bigint;

  /** Registers an `ftrace_ops` with a trampoline that calls `handler`. */
  trampoline(handler: bigint): bigint {
    const ops = this.create("ftrace_ops");
    this.setU64(this.#ops, ops);
    this.setU64(this.at("ftrace_ops", ops, "next"), this.#end);
    const page = this.allocate(4096, 4096);
    this.alias(TRAMPOLINE, page);
    this.put(page, [0x90, 0x48, 0x8b, 0x15, 16 - 8, 0, 0, 0, 0xe8]);
    this.setU32(
      page + 9n,
      Number(BigInt.asUintN(32, handler - TRAMPOLINE - 13n)),
    );
    this.setU64(page + 16n, ops);
    this.setU64(this.at("ftrace_ops", ops, "trampoline"), TRAMPOLINE);
    this.setU64(this.at("ftrace_ops", ops, "trampoline_size"), 24n);
    return page;
  }

  /** Puts bytes into the text. */
  put(gva: bigint, bytes: readonly number[]): void {
    this.bytes.set(bytes, this.gpa(gva));
  }
  /** Puts a call (e8) or a jump (e9) there. */
  branch(gva: bigint, opcode: number, target: bigint): void {
    this.put(gva, [opcode]);
    this.setU32(gva + 1n, Number(BigInt.asUintN(32, target - gva - 5n)));
  }
}

const at = (i: number) => FIXTURE_TEXT + 0x1000n + BigInt(i * 0x40);
const whose: FixtureCode["whose"] = (gva) =>
  gva >= MODULE && gva < MODULE + 0x1000n ? "module" : "kernel";
const FOREIGN = 0xffffffffc0300000n;
const whoseTraced: typeof whose = (gva) =>
  gva === FOREIGN
    ? "foreign"
    : gva >= TRAMPOLINE
    ? "ftrace"
    : whose?.(gva) ?? "kernel";
const said = (guest: TracedGuest) =>
  checked(callSiteText, guest.kernel, { whose: whoseTraced });

/** A guest with a no-op at one site, and a call of Ftrace at another. */
function traced(): TracedGuest {
  const guest = new TracedGuest();
  guest.put(at(0), NOP);
  guest.record(at(0), 0);
  guest.branch(at(1), 0xe8, ENTRY);
  guest.record(at(1), SITE.enabled);
  return guest;
}

Deno.test("sites that hold what Ftrace's records say are clean", () => {
  const { findings, unjudged, judged } = said(traced());
  assert.deepEqual([findings, unjudged, judged], [[], [], 2]);
});

Deno.test("no flag of a record hides what was written over its site", () => {
  for (let bit = 16; bit < 32; bit++) {
    for (const also of [0, DISABLED]) {
      const guest = traced();
      guest.branch(at(2), 0xe9, MODULE);
      guest.record(at(2), ((1 << bit) | also) >>> 0);
      assert.deepEqual(said(guest).findings.map(({ address }) => address), [
        at(2),
      ]);
    }
  }
});

Deno.test("a weak function's record, which Ftrace leaves alone, is clean", () => {
  const guest = traced();
  guest.put(at(2), NOP);
  guest.record(at(2), DISABLED);
  guest.branch(at(3), 0xe8, ENTRY);
  guest.record(at(3), (DISABLED | SITE.enabled) >>> 0);
  const { findings, unjudged } = said(guest);
  assert.deepEqual([findings, unjudged], [[], []]);
});

Deno.test("a record that Ftrace did not count is unjudged, and its site judged", () => {
  const guest = traced();
  guest.branch(at(2), 0xe8, MODULE);
  guest.record(at(2), (DISABLED | SITE.enabled) >>> 0, false);
  const { findings, unjudged } = said(guest);
  assert.deepEqual(findings.map(({ address }) => address), [at(2)]);
  assert.match(
    unjudged[0].why,
    /there are 3 of them, and Ftrace has counted 2/,
  );
});

Deno.test("a record outside of all text, and a second one for a place, are unjudged", () => {
  const guest = traced();
  // As a hook's site, but for the high half.
  guest.record(at(2) & 0xffffffffn, 0);
  guest.record(at(1), SITE.enabled);
  const { findings, unjudged } = said(guest);
  assert.deepEqual(findings, []);
  assert.deepEqual(unjudged.map(({ why }) => why.replace(/\d/, "n")), [
    "n of them name places outside of all text",
    "n of them name a place that another one names",
  ]);
});

Deno.test("records without a symbol are unjudged, in a kernel with Ftrace", () => {
  const guest = new FixtureGuest(TYPES);
  guest.symbol("register_ftrace_function", guest.image());
  const { unjudged } = checked(callSiteText, guest.kernel);
  assert.match(unjudged[0].why, /but no ftrace_pages_start/);
});

Deno.test("a trampoline is a copy of Ftrace's code, whatever the list of them says", () => {
  const traces = (handler: bigint) => {
    const guest = traced();
    guest.branch(at(2), 0xe8, TRAMPOLINE);
    guest.record(at(2), SITE.enabled);
    return { guest, page: guest.trampoline(handler) };
  };
  const { findings, unjudged } = said(traces(STUB).guest);
  assert.deepEqual([findings, unjudged], [[], []]);
  // Each of its bytes counts: the call's distance leads elsewhere in the kernel.
  for (let i = 0n; i < 9n; i++) {
    const { guest, page } = traces(STUB);
    guest.bytes[guest.gpa(page + i)] ^= 0x40;
    const found = said(guest);
    assert.equal(found.findings.length + found.unjudged.length, 1, String(i));
  }
  assert.match(
    said(traces(FOREIGN).guest).findings[0].summary,
    /the trampoline at 0xffffffffc0200000 leads to/,
  );
  // Of another's ops.
  const { guest, page } = traces(STUB);
  guest.setU64(page + 16n, 0x1234n);
  assert.match(said(guest).findings[0].summary, /not what Ftrace makes for it/);
});

Deno.test("only what Ftrace made is its code, whatever an ftrace_ops calls its trampoline", () => {
  const owned = (change: (guest: TracedGuest, page: bigint) => void) => {
    const guest = traced();
    const page = guest.trampoline(STUB);
    change(guest, page);
    return generatedCode(guest.kernel)
      .filter(({ kind }) => kind === "ftrace")
      .map(({ start, end }) => [start, Number(end - start)]);
  };
  const size = (bytes: bigint) => (guest: TracedGuest) => {
    const ops = guest.kernel.space.u64(
      guest.kernel.symbols.address("ftrace_ops_list"),
    );
    guest.setU64(guest.at("ftrace_ops", ops, "trampoline_size"), bytes);
  };
  assert.deepEqual(owned(() => {}), [[TRAMPOLINE, 24]]);
  // Its call is being changed.
  assert.deepEqual(
    owned((guest, page) => guest.put(page + 8n, [0xcc])),
    [[TRAMPOLINE, 24]],
  );
  assert.deepEqual(owned((guest, page) => guest.put(page, [0xcc])), []);
  assert.deepEqual(
    owned((guest, page) => guest.setU64(page + 16n, 0x1234n)),
    [],
  );
  const [[, most]] = owned(size(1n << 20n));
  assert.ok(most < 0x200, String(most));
});

Deno.test("a call into a trampoline leads to its start, whatever size it claims", () => {
  for (const offset of [4n, 24n, 0x400n]) {
    const guest = traced();
    guest.trampoline(STUB);
    guest.branch(at(2), 0xe8, TRAMPOLINE + offset);
    guest.record(at(2), SITE.enabled);
    assert.equal(said(guest).findings.length, 1, String(offset));
  }
});

Deno.test("a site that only the function graph listens at may call its trampoline", () => {
  const graph = FIXTURE_TEXT + 0xa00n;
  const calling = (flags: number, known: boolean) => {
    const guest = traced();
    guest.branch(at(2), 0xe8, graph);
    guest.record(at(2), flags);
    if (known) guest.symbol("ftrace_graph_caller", graph);
    return said(guest).findings.length;
  };
  assert.equal(calling(SITE.enabled + SITE.trampoline, true), 0);
  assert.equal(calling(SITE.enabled + SITE.trampoline, false), 1);
  // By Ftrace's books, others listen there too.
  assert.equal(calling(SITE.enabled, true), 1);
});
