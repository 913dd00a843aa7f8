/** What XF019 says of ftrace_enabled, and of Ftrace that has shut itself off. */
import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { FIXTURE_TEXT } from "../../kernel/symbols/symbols_fixture.ts";
import { CheckContext } from "../core/context.ts";
import { readOnce } from "../core/runner.ts";
import { ftraceState } from "./xf019_ftrace_state.ts";

const STUB = FIXTURE_TEXT + 0x40n;
const TRACER = FIXTURE_TEXT + 0x80n;
const WARNED = 1n << 9n;

/** Words of the guest's; those that are left out are those of a guest at rest. */
interface Has {
  readonly enabled?: number;
  readonly asked?: number;
  readonly disabled?: number;
  readonly traced?: bigint;
  readonly taints?: bigint;
  /** `kprobe_ftrace_disabled`; `null`: the kernel has no such variable. */
  readonly told?: number | null;
  /** Call sites that are enabled. */
  readonly calls?: number;
}

/** What is said of the switches alone. */
function said(has: Has): string[] {
  const { enabled = 1, asked = 1, disabled = 0, told = null, calls = 0 } = has;
  const guest = new FixtureGuest(fixtureTypes({}));
  const page = guest.image(1);
  let next = page;
  const put = (name: string, value: bigint | number) => {
    guest.symbol(name, next);
    guest.setU64(next, value);
    next += 8n;
  };
  guest.symbol("ftrace_stub", STUB);
  put("ftrace_enabled", enabled);
  put("last_ftrace_enabled", asked);
  put("ftrace_disabled", disabled);
  put("ftrace_trace_function", has.traced ?? TRACER);
  put("tainted_mask", has.taints ?? 0n);
  if (told !== null) put("kprobe_ftrace_disabled", told);
  const { kernel } = guest;
  const context: CheckContext = Object.create(CheckContext.prototype, {
    kernel: { value: kernel },
    options: { value: {} },
    // FTRACE_FL_ENABLED is the record's highest bit.
    sites: { value: { flags: new Array(calls).fill(0x80000000 >>> 0) } },
  });
  return readOnce(kernel, ftraceState, context).findings.map((
    { severity, where, summary },
  ) => `${severity} ${where}: ${summary}`);
}

const BEHIND =
  "critical ftrace_enabled: ftrace_enabled is 0, but sysctl set 1 last: it was written behind sysctl's back";
const OFF =
  "Ftrace has shut itself off for good (ftrace_disabled): it met text that it did not expect, or something made it so";
/** What ftrace_kill leaves. */
const KILLED = {
  enabled: 0,
  disabled: 1,
  traced: STUB,
  taints: WARNED,
} as const;

Deno.test("switches that agree are no finding", () => {
  assert.deepEqual(said({}), []);
  assert.deepEqual(said({ enabled: 0, asked: 0 }), []);
});

Deno.test("ftrace_enabled that sysctl did not write is found", () => {
  assert.deepEqual(said({ enabled: 0 }), [BEHIND]);
  const [on] = said({ asked: 0 });
  assert.match(on, /^critical .* is 1, but sysctl set 0 last/);
  const [calls] = said({ enabled: 0, asked: 0, calls: 3 });
  assert.match(calls, /^critical .* but 3 functions still call Ftrace/);
});

Deno.test("Ftrace that the kernel has shut off is one finding, which says so", () => {
  for (const told of [null, 1]) {
    assert.deepEqual(said({ ...KILLED, told }), [
      "high ftrace_disabled: Ftrace has shut itself off for good (ftrace_disabled, and ftrace_enabled with it): it met text that it did not expect, or something made it so",
    ]);
  }
  // It was switched off by sysctl before that.
  assert.deepEqual(said({ ...KILLED, asked: 0 }), [
    `medium ftrace_disabled: ${OFF}`,
  ]);
});

Deno.test("no word alone makes it the kernel's doing", () => {
  const off = `medium ftrace_disabled: ${OFF}`;
  for (
    const has of [
      { ...KILLED, traced: TRACER },
      { ...KILLED, taints: 0n },
      { ...KILLED, told: 0 },
      { enabled: 0, disabled: 1 },
    ]
  ) assert.deepEqual(said(has), [BEHIND, off]);
  assert.deepEqual(said({ ...KILLED, disabled: 0 }), [BEHIND]);
  assert.deepEqual(said({ disabled: 1 }), [off]);
  // Nor does it explain that Ftrace is on behind sysctl's back.
  const on = said({ ...KILLED, enabled: 1, asked: 0 });
  assert.match(on[0], /^critical .* is 1, but sysctl set 0 last/);
});
