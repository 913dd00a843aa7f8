import assert from "node:assert/strict";
import { mapSegments, processSegments } from "./segments.ts";
import type { AttachPlan, VmBacking } from "./vm.ts";

const backing: VmBacking = {
  id: "ram",
  size: 0x4000,
  deleted: false,
  memfd: false,
  hugetlb: false,
  shared: false,
  mappings: [
    { start: 0x7f0000001000, end: 0x7f0000002000, offset: 0 },
    { start: 0x7f0000008000, end: 0x7f000000b000, offset: 0x1000 },
  ],
};
const plan: AttachPlan = {
  backings: [backing],
  layout: {
    source: "test",
    regions: [
      { start: 0, end: 0x2000, backing: 0, offset: 0 },
      { start: 0x1_0000_0000, end: 0x1_0000_2000, backing: 0, offset: 0x2000 },
    ],
  },
  access: "process",
  memPath: "/proc/9/mem",
  plugged: [],
  spare: [],
};

Deno.test("regions are split where the process's mappings are split", () => {
  assert.deepEqual(processSegments(plan), {
    paths: ["/proc/9/mem"],
    identities: [undefined],
    segments: [
      { start: 0, end: 0x1000, backing: 0, offset: 0x7f0000001000 },
      { start: 0x1000, end: 0x2000, backing: 0, offset: 0x7f0000008000 },
      {
        start: 0x1_0000_0000,
        end: 0x1_0000_2000,
        backing: 0,
        offset: 0x7f0000009000,
      },
    ],
  });
  assert.throws(() => mapSegments(plan), /cannot be mapped/);
});

Deno.test("a region that is not completely mapped is refused", () => {
  const part = { ...backing, mappings: backing.mappings.slice(0, 1) };
  assert.throws(
    () => processSegments({ ...plan, backings: [part] }),
    /not mapped as a whole/,
  );
});

Deno.test("backings that can be opened are mapped according to the layout", () => {
  const open = { ...backing, open: "/proc/9/fd/3", identity: "00:1d 7" };
  assert.deepEqual(mapSegments({ ...plan, backings: [open] }), {
    paths: ["/proc/9/fd/3"],
    identities: ["00:1d 7"],
    segments: plan.layout.regions,
  });
});
