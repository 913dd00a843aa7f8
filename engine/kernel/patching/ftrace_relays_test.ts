import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import { ftraceOps } from "./ftrace_ops.ts";
import { relayed } from "./ftrace_relays.ts";

const TYPES = fixtureTypes({
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  ftrace_ops: {
    size: 32,
    members: { func: [0, "u64"], next: [8, "u64"], flags: [16, "u64"] },
  },
  klp_ops: {
    size: 64,
    members: { func_stack: [16, "list_head"], fops: [32, "ftrace_ops"] },
  },
  klp_func: {
    size: 32,
    members: { new_func: [8, "u64"], stack_node: [16, "list_head"] },
  },
  fprobe: {
    size: 48,
    members: {
      ops: [0, "ftrace_ops"],
      entry_handler: [32, "u64"],
      exit_handler: [40, "u64"],
    },
  },
  ftrace_func_probe: {
    size: 40,
    members: { probe_ops: [0, "u64"], ops: [8, "ftrace_ops"] },
  },
  ftrace_probe_ops: {
    size: 16,
    members: { func: [0, "u64"], init: [8, "u64"] },
  },
});

/** A guest with a listener inside another struct. */
function guestWith(handler: string, struct: string, member: string) {
  const guest = new FixtureGuest(TYPES);
  const variables = guest.image();
  guest.symbol("ftrace_ops_list", variables);
  guest.symbol(handler, variables + 0x100n);
  const object = guest.create(struct);
  const ops = guest.at(struct, object, member);
  guest.setU64(variables, ops);
  guest.setU64(guest.at("ftrace_ops", ops, "func"), variables + 0x100n);
  guest.symbol("ftrace_list_end", variables + 0x200n);
  guest.symbol("ftrace_stub", variables + 0x300n);
  guest.setU64(
    guest.at("ftrace_ops", variables + 0x200n, "func"),
    variables + 0x300n,
  );
  guest.setU64(guest.at("ftrace_ops", ops, "next"), variables + 0x200n);
  const read = () => {
    const [listener] = ftraceOps(guest.kernel);
    return relayed(guest.kernel, listener).map(({ what, func }) => [
      what,
      func,
    ]);
  };
  return { guest, object, read };
}

Deno.test("every patch of a function that livepatch leads to is told", () => {
  const { guest, object, read } = guestWith(
    "klp_ftrace_handler",
    "klp_ops",
    "fops",
  );
  const patches = [0x1000n, 0x2000n].map((to) => {
    const patch = guest.create("klp_func");
    guest.setU64(guest.at("klp_func", patch, "new_func"), to);
    return guest.at("klp_func", patch, "stack_node");
  });
  guest.link(guest.at("klp_ops", object, "func_stack"), ...patches);
  assert.deepEqual(read(), [["livepatch", 0x1000n], ["livepatch", 0x2000n]]);
});

Deno.test("the handlers of an fprobe are told", () => {
  const { guest, object, read } = guestWith("fprobe_handler", "fprobe", "ops");
  assert.deepEqual(read(), []);
  guest.setU64(guest.at("fprobe", object, "exit_handler"), 0x3000n);
  assert.deepEqual(read(), [["fprobe", 0x3000n]]);
});

Deno.test("the functions of a command are told", () => {
  const { guest, object, read } = guestWith(
    "function_trace_probe_call",
    "ftrace_func_probe",
    "ops",
  );
  const own = guest.create("ftrace_probe_ops");
  guest.setU64(own, 0x4000n);
  guest.setU64(guest.at("ftrace_func_probe", object, "probe_ops"), own);
  assert.deepEqual(read(), [["command of set_ftrace_filter", 0x4000n]]);
});

Deno.test("other listeners pass on to nobody", () => {
  assert.deepEqual(guestWith("some_handler", "fprobe", "ops").read(), []);
});
