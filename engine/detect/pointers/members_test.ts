import assert from "node:assert/strict";
import { fixtureTypes } from "../../kernel/core/kernel_fixture.ts";
import { memberAt } from "./members.ts";

const TYPES = fixtureTypes({
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  sock_common: { size: 16, members: { skc_prot: [8, "u64"] } },
  sock: {
    size: 48,
    members: {
      __sk_common: [0, "sock_common"],
      node: [16, "list_head"],
      sk_data_ready: [40, "u64"],
    },
  },
});

Deno.test("members are named by their offset, through nested structs", () => {
  assert.equal(memberAt(TYPES, "sock", 40), "sk_data_ready");
  assert.equal(memberAt(TYPES, "sock", 8), "__sk_common.skc_prot");
  assert.equal(memberAt(TYPES, "sock", 24), "node.prev");
  // Nothing lies there, or nobody knows the struct.
  assert.equal(memberAt(TYPES, "sock", 32), undefined);
  assert.equal(memberAt(TYPES, "sock", 0), "__sk_common");
  assert.equal(memberAt(TYPES, "file", 0), undefined);
});
