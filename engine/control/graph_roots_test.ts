import assert from "node:assert/strict";
import fc from "fast-check";
import { times } from "../base/long_fixture.ts";
import { HashGuest, TEXT } from "../ftrace/graph/graph_hash_fixture.ts";
import { readGraphRoots } from "../ftrace/graph/graph_roots.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import { planGraphRoots, type RootsPlan } from "./graph_roots.ts";
import {
  applyWord,
  requireAsPlanned,
  StalePlanError,
  undoWord,
} from "./words.ts";

const sorted = (ips: readonly bigint[]) =>
  [...new Set(ips)].sort((a, b) => a < b ? -1 : 1);

/** Carries a plan out. */
function carryOut(kernel: Kernel, plan: RootsPlan) {
  return plan.changes.map((change) => applyWord(kernel, change));
}

const ips = (minLength: number) =>
  fc.uniqueArray(
    fc.nat(60).map((n) => TEXT + BigInt(n) * 0x40n),
    { minLength, maxLength: 12 },
  );

Deno.test("after the planned writes the hash is well-formed and holds the requested roots", () => {
  fc.assert(
    fc.property(ips(1), ips(1), fc.nat(4), (before, wanted, bits) => {
      const guest = new HashGuest(before, bits);
      const { kernel } = guest;
      assert.deepEqual(sorted(guest.check()), sorted(before));
      const image = guest.bytes.slice();
      const plan = planGraphRoots(kernel, wanted);
      assert.deepEqual(guest.bytes, image, "planning writes nothing");
      const applied = plan.changes.map((change) => {
        const one = applyWord(kernel, change);
        assert.equal(one.found, change.before);
        guest.checkEnds(before.length);
        return one;
      });
      const held = guest.check();
      assert.equal(held.length, before.length);
      const covered = wanted.filter((ip) => !plan.uncovered.includes(ip));
      assert.deepEqual(sorted(held), sorted(covered));
      assert.equal(covered.length, Math.min(wanted.length, before.length));
      assert.deepEqual(sorted([...readGraphRoots(kernel).ips]), sorted(held));
      for (const one of applied.toReversed()) {
        assert.equal(undoWord(kernel, one).undone, true);
      }
      assert.deepEqual(guest.bytes, image, "undone to the last byte");
    }),
    { numRuns: times(300) },
  );
});

Deno.test("entries that are already right are not written", () => {
  const held = [TEXT, TEXT + 0x40n, TEXT + 0x80n];
  const guest = new HashGuest(held, 2);
  assert.deepEqual(planGraphRoots(guest.kernel, held.toReversed()), {
    changes: [],
    uncovered: [],
  });
});

Deno.test("new roots can be planned on top of earlier changes", () => {
  const guest = new HashGuest([TEXT, TEXT + 0x40n, TEXT + 0x80n], 3);
  const { kernel } = guest;
  // Fewer roots than entries: some are repeated.
  carryOut(kernel, planGraphRoots(kernel, [TEXT + 0x100n]));
  assert.deepEqual(readGraphRoots(kernel), {
    ips: [TEXT + 0x100n],
    capacity: 3,
  });
  const wanted = [TEXT + 0x200n, TEXT + 0x240n, TEXT + 0x280n];
  const plan = planGraphRoots(kernel, wanted);
  assert.deepEqual(plan.uncovered, []);
  carryOut(kernel, plan);
  assert.deepEqual(sorted(guest.check()), wanted);
});

Deno.test("roots for which there is no entry are reported", () => {
  const guest = new HashGuest([TEXT], 1);
  const wanted = [TEXT + 0x40n, TEXT + 0x80n, TEXT + 0xc0n];
  assert.deepEqual(
    planGraphRoots(guest.kernel, wanted).uncovered,
    wanted.slice(1),
  );
});

Deno.test("without a hash, or with an empty one, roots cannot be set", () => {
  const empty = new HashGuest([], 3);
  assert.deepEqual(planGraphRoots(empty.kernel, [TEXT]), {
    changes: [],
    uncovered: [TEXT],
  });
  assert.deepEqual(planGraphRoots(empty.kernel, []), {
    changes: [],
    uncovered: [],
  });
});

Deno.test("when the hash has been replaced, neither hash is written", () => {
  const guest = new HashGuest([TEXT, TEXT + 0x40n], 2);
  const { kernel } = guest;
  const { changes } = planGraphRoots(kernel, [TEXT + 0x100n, TEXT + 0x200n]);
  guest.replace([TEXT + 0x80n]);
  const image = guest.bytes.slice();
  for (const look of [requireAsPlanned, () => applyWord(kernel, changes[0])]) {
    assert.throws(() => look(kernel, changes), (error) => {
      assert.ok(error instanceof StalePlanError);
      assert.match(
        error.message,
        /has changed its graph roots since the plan was made \(ftrace_graph_hash is 0x[0-9a-f]+ and no longer 0x/,
      );
      return true;
    });
  }
  assert.deepEqual(guest.bytes, image);
});

Deno.test("an entry that holds another function by now is not overwritten", () => {
  const guest = new HashGuest([TEXT, TEXT + 0x40n], 0);
  const { kernel } = guest;
  const { changes } = planGraphRoots(kernel, [TEXT + 0x100n, TEXT + 0x200n]);
  // The last entry differs: those before it are not written either.
  guest.setU64(changes[changes.length - 1].gva, TEXT + 0x300n);
  assert.throws(() => requireAsPlanned(kernel, changes), StalePlanError);
  const [first] = changes;
  guest.setU64(first.gva, 7n);
  assert.throws(() => applyWord(kernel, first), StalePlanError);
  assert.equal(guest.u64(first.gva), 7n);
});

Deno.test("roots in a hash that the guest has replaced are not undone", () => {
  const guest = new HashGuest([TEXT], 0);
  const { kernel } = guest;
  const [one] = carryOut(kernel, planGraphRoots(kernel, [TEXT + 0x100n]));
  guest.replace([TEXT + 0x80n]);
  const image = guest.bytes.slice();
  const { undone, moved } = undoWord(kernel, one);
  assert.equal(undone, false);
  assert.match(moved ?? "", /^ftrace_graph_hash is 0x/);
  assert.deepEqual(guest.bytes, image);
});
