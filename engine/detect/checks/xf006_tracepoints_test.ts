import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { checked } from "../core/check_fixture.ts";
import { tracepointHooks } from "./xf006_tracepoints.ts";

const TYPES = fixtureTypes({
  tracepoint: {
    size: 64,
    members: {
      name: [0, "u64"],
      static_call_key: [8, "u64"],
      iterator: [16, "u64"],
      regfunc: [24, "u64"],
      funcs: [32, "u64"],
    },
  },
  tracepoint_func: { size: 24, members: { func: [0, "u64"] } },
  static_call_key: { size: 16, members: { func: [0, "u64"] } },
});
const OWN = 0xffffffff81000100n;
const FOREIGN = 0xffffffffc0100010n;

/** A guest with a tracepoint to which nothing is attached. */
class PointGuest extends FixtureGuest {
  readonly point: bigint;
  readonly key: bigint;

  /** @param table whether the table of tracepoints names it */
  constructor(table = true) {
    super(TYPES);
    const page = this.image();
    this.point = page + 64n;
    this.key = this.create("static_call_key");
    this.symbol("__start___tracepoints_ptrs", page);
    this.symbol("__stop___tracepoints_ptrs", page + (table ? 4n : 0n));
    this.symbol("__tracepoint_sys_enter", this.point);
    this.symbol("__traceiter_sys_enter", OWN);
    this.setU32(page, 64);
    this.set("name", this.text("sys_enter"));
    this.set("static_call_key", this.key);
    this.set("iterator", OWN);
    this.setU64(this.key, OWN);
  }
  set(member: string, value: bigint): void {
    this.setU64(this.at("tracepoint", this.point, member), value);
  }
  said() {
    return checked(tracepointHooks, this.kernel, {
      whose: (gva) => gva === FOREIGN ? "foreign" : "kernel",
    });
  }
}

Deno.test("a tracepoint to which nothing is attached leads to its own code", () => {
  const { findings, unjudged } = new PointGuest().said();
  assert.deepEqual([findings, unjudged], [[], []]);
});

Deno.test("what a tracepoint calls is judged, though nothing is attached to it", () => {
  for (const member of ["iterator", "regfunc"]) {
    const guest = new PointGuest();
    guest.set(member, FOREIGN);
    assert.equal(guest.said().findings[0].target, FOREIGN, member);
  }
  const bent = new PointGuest();
  bent.setU64(bent.key, FOREIGN);
  assert.match(bent.said().findings[0].where, /static call/);
});

Deno.test("a tracepoint that its table does not name is found by its symbol", () => {
  const guest = new PointGuest(false);
  guest.set("iterator", FOREIGN);
  assert.equal(guest.said().findings.length, 1);
});

Deno.test("a table of tracepoints without a symbol is not empty", () => {
  const guest = new FixtureGuest(TYPES);
  guest.symbol("tracepoint_probe_register", guest.image());
  const { unjudged } = checked(tracepointHooks, guest.kernel);
  assert.match(unjudged[0].why, /no __start___tracepoints_ptrs/);
});
