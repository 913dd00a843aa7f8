import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../engine/kernel/core/kernel_fixture.ts";
import { functionIndex } from "../engine/kernel/functions/index.ts";
import { resolveFunctions } from "../engine/kernel/functions/resolve.ts";
import {
  namedSyscall,
  renamedSyscalls,
} from "../engine/kernel/functions/successors.ts";
import { functionAddresses } from "../engine/seal/tracer/trace_config.ts";
import { functionsOf } from "./compile/resolve_names.ts";
import { fakeFacts } from "./compile/compile_fixture.ts";

const NOP5 = [0x0f, 0x1f, 0x44, 0x00, 0x00];

/** A kernel in which all these functions can be traced. */
function kernelWith(names: readonly string[]) {
  const guest = new FixtureGuest(fixtureTypes({}));
  // The fixture's image is one page: 128 functions of 32 bytes.
  const text = guest.image();
  assert.ok(names.length <= 128);
  names.forEach((name, i) => {
    const gva = text + BigInt(32 * i);
    guest.symbol(name, gva);
    guest.bytes.set(NOP5, guest.space.translate(gva).gpa);
  });
  return guest.kernel;
}

const CALLS = renamedSyscalls();
const FUNCTIONS = [
  ...new Set(CALLS.flatMap((call) => {
    const { own, today } = namedSyscall(call);
    return [own, ...today].map((name) => `__x64_sys_${name}`);
  })),
  "vfs_read",
  "vfs_write",
];

Deno.test("one name means the same to xftrace on, the sealed module and the language", () => {
  const kernel = kernelWith(FUNCTIONS);
  const index = functionIndex(kernel);
  const facts = fakeFacts({ functions: index });
  const asked = [
    ...CALLS.map((call) => `sys_${call}`),
    "sys_openat",
    "__x64_sys_open",
    "vfs_read",
    "vfs_*",
    "sys_open*",
  ];
  for (const name of asked) {
    // What engine/control resolves for graph roots and set_graph_function.
    const on = resolveFunctions(index, name).functions;
    const notes: string[] = [];
    const language = functionsOf(
      { name },
      facts,
      { note: (sentence) => notes.push(sentence) },
      new Set(),
    );
    assert.deepEqual(
      language.map((each) => [each.name, each.addresses[0]]),
      on.map((each) => [each.name, each.addresses[0]]),
      name,
    );
    assert.deepEqual(
      functionAddresses(kernel, [name]).sort(),
      on.flatMap(({ addresses }) => addresses).sort(),
      name,
    );
    // A note says so when more than the call itself is traced.
    const own = on.map((each) => each.name);
    const call = namedSyscall(name.replace(/^sys_/, ""));
    assert.equal(notes.length, call.today.length > 0 ? 1 : 0, name);
    if (call.today.length > 0) {
      assert.deepEqual(own, [
        `__x64_sys_${call.own}`,
        ...call.today.map((newer) => `__x64_sys_${newer}`),
      ]);
    }
  }
});
