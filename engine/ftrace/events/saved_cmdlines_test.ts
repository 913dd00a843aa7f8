import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { SavedCmdlines } from "./saved_cmdlines.ts";

const NONE = 0xffffffff;
/** Slots of the map in these tests: pids are folded to five bits. */
const SLOTS = 33;

interface Saved {
  /** Pids and comms, in the order of the kernel's lines. */
  readonly lines: readonly (readonly [pid: number, comm: string])[];
  /** Whether the comms follow the struct, as since 6.10. */
  readonly inline?: boolean;
  /** `cmdline_num`, if it is not the number of lines. */
  readonly count?: number;
  /** Slots of the map that hold something else than the lines tell. */
  readonly slots?: Readonly<Record<number, number>>;
}

function read({ lines, inline = false, count, slots = {} }: Saved) {
  const guest = new FixtureGuest(fixtureTypes({
    slots: { size: 4 * SLOTS, members: {} },
    nothing: { size: 0, members: {} },
    saved_cmdlines_buffer: {
      size: 160,
      members: {
        map_pid_to_cmdline: [0, "slots"],
        map_cmdline_to_pid: [136, "u64"],
        cmdline_num: [144, "u32"],
        saved_cmdlines: inline ? [160, "nothing"] : [152, "u64"],
      },
    },
  }));
  const saved = guest.allocate(160 + 16 * 64);
  const pids = guest.allocate(4 * 64);
  const comms = inline ? saved + 160n : guest.allocate(16 * 64);
  for (let slot = 0; slot < SLOTS; slot++) {
    guest.setU32(saved + BigInt(4 * slot), NONE);
  }
  lines.forEach(([pid, comm], line) => {
    guest.setU32(saved + BigInt(4 * (pid & 31)), line);
    guest.setU32(pids + BigInt(4 * line), pid);
    guest.bytes.set(
      Uint8Array.from(comm, (c) => c.charCodeAt(0)),
      guest.gpa(comms) + 16 * line,
    );
  });
  for (const [slot, line] of Object.entries(slots)) {
    guest.setU32(saved + BigInt(4 * Number(slot)), line);
  }
  guest.setU64(
    guest.at("saved_cmdlines_buffer", saved, "map_cmdline_to_pid"),
    pids,
  );
  guest.setU32(
    guest.at("saved_cmdlines_buffer", saved, "cmdline_num"),
    count ?? lines.length,
  );
  if (!inline) {
    guest.setU64(
      guest.at("saved_cmdlines_buffer", saved, "saved_cmdlines"),
      comms,
    );
  }
  const variable = guest.image();
  guest.symbol("savedcmd", variable);
  guest.setU64(variable, saved);
  return SavedCmdlines.read(guest.kernel);
}

for (const inline of [false, true]) {
  const how = inline ? "after the struct" : "behind a pointer";
  Deno.test(`threads by name, with the names ${how}`, () => {
    const saved = read({ inline, lines: [[1, "init"], [7, "sshd"]] });
    assert.deepEqual([1, 7, 8].map((pid) => saved.comm(pid)), [
      "init",
      "sshd",
      "<...>",
    ]);
    assert.deepEqual([...saved.entries()], [[1, "init"], [7, "sshd"]]);
  });
}

Deno.test("pids that share a slot are not taken for one another", () => {
  const saved = read({ lines: [[7, "old"], [39, "new"]] });
  assert.deepEqual([saved.tryComm(39), saved.tryComm(7)], ["new", undefined]);
  // Only what the map still leads to.
  assert.deepEqual([...saved.entries()], [[39, "new"]]);
});

Deno.test("the idle task, and pids that no thread has", () => {
  const saved = read({ lines: [[1, "init"]] });
  assert.deepEqual([0, -1, -5].map((pid) => saved.comm(pid)), [
    "<idle>",
    "<XXX>",
    "<XXX>",
  ]);
});

Deno.test("names are bytes, and end where the next one begins", () => {
  const saved = read({
    lines: [[1, "0123456789abcdef"], [2, "b\xe4r"], [3, ""]],
  });
  assert.deepEqual([1, 2, 3].map((pid) => saved.comm(pid)), [
    "0123456789abcde",
    "b\xe4r",
    "",
  ]);
  assert.deepEqual([...saved.entries()].map(([pid]) => pid), [1, 2]);
});

Deno.test("a map that points outside of its lines has no names there", () => {
  const saved = read({
    lines: [[1, "init"]],
    slots: { 4: 1, 5: 0x7fffffff, 6: 0 },
  });
  assert.deepEqual([4, 5, 6].map((pid) => saved.tryComm(pid)), [
    undefined,
    undefined,
    undefined,
  ]);
});

Deno.test("a number of lines that no kernel has is not believed", () => {
  const saved = read({ lines: [[1, "init"]], count: 0x7fffffff });
  assert.deepEqual([saved.comm(1), [...saved.entries()]], ["<...>", []]);
});

Deno.test("a kernel that has never traced knows no thread", () => {
  const none = new FixtureGuest(fixtureTypes({}));
  assert.throws(
    () => SavedCmdlines.read(none.kernel),
    /keeps the names of tasks .* it has no symbol savedcmd$/,
  );
  const empty = new FixtureGuest(fixtureTypes({}));
  empty.symbol("savedcmd", empty.image());
  assert.equal(SavedCmdlines.read(empty.kernel).comm(1), "<...>");
  assert.equal(SavedCmdlines.read(empty.kernel).comm(0), "<idle>");
});
