import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { RB_BUFFER_OFF, TraceArray } from "./trace_array.ts";

type Structs = Parameters<typeof fixtureTypes>[0];

const STRUCTS: Structs = {
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  array_buffer: {
    size: 32,
    members: { buffer: [8, "u64"], time_start: [24, "u64"] },
  },
  trace_buffer: { size: 64, members: { record_disabled: [8, "u32"] } },
  trace_array: {
    size: 128,
    members: {
      list: [0, "list_head"],
      name: [16, "u64"],
      array_buffer: [24, "array_buffer"],
      current_trace: [64, "u64"],
      trace_flags: [72, "u32"],
      clock_id: [80, "u32"],
    },
  },
  tracer: { size: 64, members: { name: [0, "u64"], flags: [8, "u64"] } },
  tracer_flags: { size: 16, members: { val: [0, "u32"], opts: [8, "u64"] } },
  tracer_opt: { size: 16, members: { name: [0, "u64"], bit: [8, "u32"] } },
};
const TYPES = fixtureTypes(STRUCTS);

/** The same kernel with another `struct trace_array` or `struct tracer`. */
function altered(
  struct: "trace_array" | "tracer",
  without: string,
  more: Structs[string]["members"] = {},
) {
  const { size, members } = STRUCTS[struct];
  const left = Object.fromEntries(
    Object.entries(members).filter(([name]) => name !== without),
  );
  return fixtureTypes({
    ...STRUCTS,
    [struct]: { size, members: { ...left, ...more } },
  });
}

/** A guest with these instances besides the top-level one. */
class Setting {
  readonly guest: FixtureGuest;
  readonly top: bigint;
  readonly instances: readonly bigint[];
  #images = 0;

  constructor(...names: readonly string[]) {
    const guest = new FixtureGuest(this.types);
    this.guest = guest;
    this.top = this.variable("global_trace");
    const head = this.variable("ftrace_trace_arrays");
    this.instances = names.map((name) => {
      const array = guest.create("trace_array");
      this.set(array, "name", guest.text(name));
      return array;
    });
    guest.link(head, this.top, ...this.instances);
  }

  /** A variable of the kernel; returns its GVA. */
  variable(name: string): bigint {
    const gva = this.guest.image(this.#images++);
    this.guest.symbol(name, gva);
    return gva;
  }

  protected get types() {
    return TYPES;
  }

  set(array: bigint, path: string, value: bigint | number): void {
    this.guest.setU64(this.guest.at("trace_array", array, path), value);
  }

  get array(): TraceArray {
    return TraceArray.global(this.guest.kernel);
  }

  /** Makes a tracer the current one. */
  tracer(name: string): bigint {
    const tracer = this.guest.create("tracer");
    this.guest.setU64(tracer, this.guest.text(name));
    this.set(this.top, "current_trace", tracer);
    return tracer;
  }
}

Deno.test("the top-level instance, and the others by name", () => {
  const { guest, instances } = new Setting("one", "two");
  const { kernel } = guest;
  assert.deepEqual(TraceArray.all(kernel).map(({ name }) => name), [
    undefined,
    "one",
    "two",
  ]);
  assert.equal(TraceArray.named(kernel).name, undefined);
  assert.equal(TraceArray.named(kernel, "two").object.gva, instances[1]);
  assert.throws(
    () => TraceArray.named(kernel, "three"),
    /no trace instance "three": it has one, two$/,
  );
  assert.throws(
    () => TraceArray.named(new Setting().guest.kernel, "three"),
    /it has none but the top-level one/,
  );
});

Deno.test("a list of instances that does not end is refused", () => {
  const { guest, instances } = new Setting("one", "two");
  guest.setU64(instances[1], instances[0]);
  assert.throws(() => TraceArray.all(guest.kernel), KernelError);
});

Deno.test("a kernel without Ftrace says what it needs", () => {
  const guest = new FixtureGuest(TYPES);
  assert.throws(() => TraceArray.global(guest.kernel), /CONFIG_TRACING/);
});

Deno.test("whether it records, and when the guest is still booting", () => {
  const setting = new Setting();
  const { guest, top, array } = setting;
  assert.throws(() => array.recording, /still booting/);
  assert.equal(array.snapshotBuffer(), undefined);
  const buffer = guest.create("trace_buffer");
  setting.set(top, "array_buffer.buffer", buffer);
  assert.equal(array.recording, true);
  // Somebody inside the kernel has paused it, which tracing_on does not show.
  guest.setU32(buffer + 8n, 1);
  assert.equal(array.recording, true);
  guest.setU32(buffer + 8n, RB_BUFFER_OFF + 1);
  assert.equal(array.recording, false);
  setting.set(top, "array_buffer.time_start", 2n ** 63n);
  assert.equal(array.timeStart, 2n ** 63n);
});

Deno.test("the clock by its name, and whether it counts ns", () => {
  const setting = new Setting();
  const { guest } = setting;
  const table = setting.variable("trace_clocks");
  ["local", "x86-tsc"].forEach((name, i) => {
    guest.setU64(table + BigInt(24 * i + 8), guest.text(name));
    guest.setU32(table + BigInt(24 * i + 16), i === 0 ? 1 : 0);
  });
  assert.deepEqual(setting.array.clock, { name: "local", inNs: true });
  setting.set(setting.top, "clock_id", 1);
  assert.deepEqual(setting.array.clock, { name: "x86-tsc", inNs: false });

  const other = new Setting();
  other.set(other.top, "clock_id", 3);
  const unknown = { name: "clock 3", inNs: undefined };
  assert.deepEqual(other.array.clock, unknown);
  // A table that is not one of clocks.
  const names = other.variable("trace_clocks");
  other.guest.setU64(names + 8n, other.guest.text("elsewhere"));
  assert.deepEqual(other.array.clock, unknown);
});

Deno.test("options of Ftrace and of the current tracer", () => {
  const setting = new Setting();
  const { guest, top } = setting;
  const plain = new Setting().array;
  assert.equal(plain.tracer, "nop");
  assert.throws(() => plain.options(), /it has no symbol trace_options$/);
  const names = setting.variable("trace_options");
  ["print-parent", "sym-offset"].forEach((name, i) =>
    guest.setU64(names + BigInt(8 * i), guest.text(name))
  );
  const tracer = setting.tracer("function_graph");
  const flags = guest.create("tracer_flags");
  guest.setU64(tracer + 8n, flags);
  // The list ends with an entry that has no name.
  const opts = guest.allocate(3 * 16);
  ["funcgraph-cpu", "funcgraph-proc"].forEach((name, i) => {
    guest.setU64(opts + BigInt(16 * i), guest.text(name));
    guest.setU32(opts + BigInt(16 * i + 8), 1 << i);
  });
  guest.setU32(flags, 2);
  guest.setU64(flags + 8n, opts);
  guest.setU32(guest.at("trace_array", top, "trace_flags"), 1);
  const { array } = setting;
  assert.equal(array.tracer, "function_graph");
  assert.deepEqual(array.options().map(({ name, set }) => `${name} ${set}`), [
    "print-parent true",
    "sym-offset false",
    "funcgraph-cpu false",
    "funcgraph-proc true",
  ]);
});

/** A setting of an altered kernel. */
function settingOf(types: typeof TYPES): Setting {
  return new class extends Setting {
    protected override get types() {
      return types;
    }
  }();
}

Deno.test("options of a tracer that an instance points to itself", () => {
  const setting = settingOf(
    altered("trace_array", "", { current_trace_flags: [88, "u64"] }),
  );
  const { guest, top } = setting;
  setting.variable("trace_options");
  // What the tracer itself has is no instance's.
  const tracer = setting.tracer("function_graph");
  guest.setU64(tracer + 8n, guest.create("tracer_flags"));
  const flags = guest.create("tracer_flags");
  const opts = guest.allocate(2 * 16);
  guest.setU64(opts, guest.text("funcgraph-cpu"));
  guest.setU32(opts + 8n, 4);
  guest.setU32(flags, 4);
  guest.setU64(flags + 8n, opts);
  setting.set(top, "current_trace_flags", flags);
  assert.deepEqual(setting.array.options(), [
    { name: "funcgraph-cpu", set: true },
  ]);
});

Deno.test("a kernel that keeps options or snapshots elsewhere is refused by name", () => {
  const options = (types: typeof TYPES) => {
    const setting = settingOf(types);
    setting.variable("trace_options");
    return setting.array.options();
  };
  assert.throws(
    () => options(altered("trace_array", "trace_flags")),
    /struct trace_array has no trace_flags$/,
  );
  assert.throws(
    () => options(altered("tracer", "flags")),
    /no current_trace_flags, and struct tracer no flags$/,
  );
  const snapshot = (more: Structs[string]["members"]) =>
    settingOf(altered("trace_array", "", more)).array.snapshotBuffer();
  // Without CONFIG_TRACER_SNAPSHOT there is none.
  assert.equal(snapshot({}), undefined);
  assert.throws(
    () => snapshot({ allocated_snapshot: [96, "u8"] }),
    /no snapshot_buffer and no max_buffer$/,
  );
  for (const name of ["snapshot_buffer", "max_buffer"]) {
    const setting = settingOf(
      altered("trace_array", "", { [name]: [88, "array_buffer"] }),
    );
    assert.equal(setting.array.snapshotBuffer(), undefined);
    const buffer = setting.guest.create("trace_buffer");
    setting.set(setting.top, `${name}.buffer`, buffer);
    assert.equal(setting.array.snapshotBuffer()?.object.gva, buffer);
    assert.equal(setting.array.snapshot()?.member, name);
  }
});

Deno.test("whether a tracer's trace is that of its longest latency is asked, and not taken for no", () => {
  const shown = (name: string) => {
    const setting = new Setting();
    setting.tracer(name);
    const buffer = setting.guest.create("trace_buffer");
    setting.set(setting.top, "array_buffer.buffer", buffer);
    return setting.array.shown().member;
  };
  assert.equal(shown("function_graph"), "array_buffer");
  assert.throws(
    () => shown("wakeup_rt"),
    /longest latency: struct tracer has no print_max$/,
  );
});
