import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import { FixtureGuest } from "../../kernel/core/kernel_fixture.ts";
import { HASH_TYPES, HashGuest, TEXT } from "./graph_hash_fixture.ts";
import { readGraphRoots } from "./graph_roots.ts";

Deno.test("without a hash, or with an empty one, there are no roots", () => {
  const none = new FixtureGuest(HASH_TYPES);
  const nothing = { ips: [], capacity: 0 };
  assert.deepEqual(readGraphRoots(none.kernel), nothing);
  const empty = new HashGuest([], 3);
  assert.deepEqual(readGraphRoots(empty.kernel), nothing);
});

Deno.test("a hash that is damaged or changing is refused", () => {
  const refused = (damage: (guest: HashGuest) => void) => {
    const guest = new HashGuest([TEXT, TEXT + 0x40n], 0);
    damage(guest);
    assert.throws(() => readGraphRoots(guest.kernel), KernelError);
  };
  refused((guest) => guest.setU64(guest.hash, 60));
  refused((guest) => guest.setU64(guest.hash + 16n, 1 << 20));
  refused((guest) => guest.setU64(guest.hash + 16n, 1));
  // A list that loops.
  refused((guest) => {
    const first = guest.u64(guest.buckets);
    guest.setU64(guest.u64(first), first);
  });
});
