import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { TraceEvents } from "./events.ts";

const TYPES = fixtureTypes({
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  trace_event: { size: 8, members: { type: [0, "u32"] } },
  trace_event_class: {
    size: 32,
    members: { system: [0, "u64"], fields: [8, "list_head"] },
  },
  ftrace_event_field: {
    size: 64,
    members: {
      link: [0, "list_head"],
      name: [16, "u64"],
      type: [24, "u64"],
      filter_type: [32, "u32"],
      offset: [36, "u32"],
      size: [40, "u32"],
      is_signed: [44, "u32"],
    },
  },
  tracepoint: { size: 8, members: { name: [0, "u64"] } },
  trace_event_call: {
    size: 72,
    members: {
      list: [0, "list_head"],
      class: [16, "u64"],
      name: [24, "u64"],
      tp: [24, "u64"],
      event: [32, "trace_event"],
      print_fmt: [40, "u64"],
      flags: [48, "u32"],
    },
  },
}, [
  ["TRACE_EVENT_FL_TRACEPOINT", 1 << 4],
  ["TRACE_EVENT_FL_TRACEPOINT_BIT", 4],
]);

/** A guest with three events of one field each. */
function guest() {
  const it = new FixtureGuest(TYPES);
  const head = it.image();
  it.symbol("ftrace_events", head);
  const calls = ["one", "two", "three"].map((name, i) => {
    const call = it.create("trace_event_call");
    const its = it.create("trace_event_class");
    const field = it.create("ftrace_event_field");
    const at = (path: string) => it.at("trace_event_call", call, path);
    it.setU64(it.at("trace_event_class", its, "system"), it.text("test"));
    it.link(it.at("trace_event_class", its, "fields"), field);
    it.setU64(it.at("ftrace_event_field", field, "name"), it.text("pid"));
    it.setU64(it.at("ftrace_event_field", field, "type"), it.text("int"));
    it.setU64(at("class"), its);
    it.setU64(at("name"), it.text(name));
    it.setU64(at("print_fmt"), it.text('"%d", REC->pid'));
    it.setU32(at("event"), 100 + i);
    return { call, its, field, at };
  });
  it.link(head, ...calls.map(({ call }) => call));
  return { it, calls };
}

const UNMAPPED = 0x1000n;

function found({ it }: ReturnType<typeof guest>) {
  const events = new TraceEvents(it.kernel);
  const names = events.all().map(({ name }) => name);
  const formats = [100, 101, 102].map((id) => events.format(id)?.fields.length);
  return { names, formats, leftOut: events.leftOut };
}

Deno.test("all events and formats of a sound guest", () => {
  assert.deepEqual(found(guest()), {
    names: ["one", "two", "three"],
    formats: [1, 1, 1],
    leftOut: undefined,
  });
});

Deno.test("a format that cannot be read is left out, and no other", () => {
  type Damage = (
    one: ReturnType<typeof guest>["calls"][0],
    it: FixtureGuest,
  ) => void;
  const damages: Damage[] = [
    ({ at }, it) => it.setU64(at("print_fmt"), UNMAPPED),
    // A list of fields that leads to itself, or nowhere.
    ({ field }, it) => it.setU64(field, field),
    ({ field }, it) => it.setU64(field, UNMAPPED),
    ({ field }, it) =>
      it.setU64(it.at("ftrace_event_field", field, "name"), UNMAPPED),
  ];
  for (const damage of damages) {
    const all = guest();
    damage(all.calls[1], all.it);
    const { names, formats, leftOut } = found(all);
    assert.deepEqual(names, ["one", "two", "three"]);
    assert.deepEqual(formats, [1, undefined, 1]);
    assert.match(leftOut ?? "", /^1 part .* left out \(the format of test:two/);
  }
});

Deno.test("an event that cannot be read is left out, and no other", () => {
  for (const member of ["class", "name"]) {
    const all = guest();
    all.it.setU64(all.calls[1].at(member), UNMAPPED);
    const { names, leftOut } = found(all);
    assert.deepEqual(names, ["one", "three"]);
    assert.match(leftOut ?? "", /the list of events/);
  }
});

Deno.test("the events before a break in their list are kept", () => {
  for (const where of [0, 1, 2]) {
    const all = guest();
    const { call } = all.calls[where];
    for (const to of [call, UNMAPPED, all.calls[0].call]) {
      all.it.setU64(call, to);
      const { names, leftOut } = found(all);
      assert.deepEqual(names, ["one", "two", "three"].slice(0, where + 1));
      assert.match(leftOut ?? "", /the list of events/);
    }
  }
});
