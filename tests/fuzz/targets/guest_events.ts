/**
 * The kernel's list of events and their fields, in a guest's memory.
 *
 * @module
 */
import { TraceEvents } from "../../../engine/ftrace/events/events.ts";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../../engine/kernel/core/kernel_fixture.ts";
import { readLimits } from "../../../engine/memory/read_limits.ts";
import { PatchedMemory } from "../patches.ts";
import type { Target } from "../target.ts";

const TYPES = fixtureTypes({
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  trace_event: { size: 8, members: { type: [0, "u32"] } },
  tracepoint: { size: 16, members: { name: [0, "u64"] } },
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
  syscall_metadata: {
    size: 64,
    members: {
      name: [0, "u64"],
      nb_args: [12, "u32"],
      types: [16, "u64"],
      args: [24, "u64"],
      enter_fields: [32, "list_head"],
    },
  },
  trace_event_call: {
    size: 80,
    members: {
      list: [0, "list_head"],
      class: [16, "u64"],
      name: [24, "u64"],
      event: [32, "trace_event"],
      print_fmt: [40, "u64"],
      flags: [48, "u32"],
      data: [56, "u64"],
      tp: [64, "u64"],
    },
  },
}, [
  ["TRACE_EVENT_FL_TRACEPOINT", 1 << 4],
  ["TRACE_EVENT_FL_TRACEPOINT_BIT", 4],
]);

/** A guest with some events; the last one is a system call's. */
function guest(): FixtureGuest {
  const it = new FixtureGuest(TYPES, { size: 1 << 18 });
  const head = it.image();
  it.symbol("ftrace_events", head);
  const enter = it.image(1);
  it.symbol("event_class_syscall_enter", enter);
  const calls = ["one", "two", "three", "sys_enter_openat"].map((name, i) => {
    const call = it.create("trace_event_call");
    const its = i === 3 ? enter : it.create("trace_event_class");
    const at = (path: string) => it.at("trace_event_call", call, path);
    it.setU64(it.at("trace_event_class", its, "system"), it.text("test"));
    const fields = ["pid", "comm", "len"].map((field) => {
      const made = it.create("ftrace_event_field");
      it.setU64(it.at("ftrace_event_field", made, "name"), it.text(field));
      it.setU64(it.at("ftrace_event_field", made, "type"), it.text("int"));
      it.setU32(it.at("ftrace_event_field", made, "size"), 4);
      return made;
    });
    const metadata = it.create("syscall_metadata");
    const args = it.allocate(16);
    it.setU64(args, it.text("dfd"));
    it.setU64(args + 8n, it.text("filename"));
    it.setU64(it.at("syscall_metadata", metadata, "name"), it.text("openat"));
    it.setU32(it.at("syscall_metadata", metadata, "nb_args"), 2);
    it.setU64(it.at("syscall_metadata", metadata, "types"), args);
    it.setU64(it.at("syscall_metadata", metadata, "args"), args);
    it.link(
      i === 3
        ? it.at("syscall_metadata", metadata, "enter_fields")
        : it.at("trace_event_class", its, "fields"),
      ...fields,
    );
    it.setU64(at("class"), its);
    it.setU64(at("name"), it.text(name));
    it.setU64(at("print_fmt"), it.text('"%d", REC->pid'));
    it.setU64(at("data"), metadata);
    it.setU32(at("event"), 100 + i);
    return call;
  });
  it.link(head, ...calls);
  return it;
}

export const guestEvents: Target = {
  name: "guest_events",
  open() {
    const it = guest();
    const { kernel } = it;
    const memory = new PatchedMemory(it.bytes, 0x10000);
    return {
      seeds: memory.seeds,
      mutate: (input, random) => memory.mutate(input, random),
      mutateBytes: (input, random) => memory.mutateBytes(input, random),
      run(input) {
        memory.apply(input);
        kernel.space.budget.allow(readLimits(kernel.memory));
        const events = new TraceEvents(kernel);
        for (const { id } of events.all()) events.format(id);
        events.find("test:two");
        void events.leftOut;
      },
    };
  },
};
