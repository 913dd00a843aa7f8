import assert from "node:assert/strict";
import { architectures } from "../arch/all.ts";
import { rootsStep } from "./roots_step.ts";

for (const arch of architectures) {
  const { names } = arch.syscalls;

  Deno.test(`${arch.name}: roots have the names that users know, in one order with their addresses`, () => {
    const before = [names.entry("sys_close"), "do_exit"];
    const step = rootsStep(names, before, [
      { name: "vfs_read", gva: 3n },
      { name: names.entry("sys_read"), gva: 2n },
      { name: names.entry("sys_openat"), gva: 1n },
    ]);
    assert.deepEqual(step, {
      control: "roots",
      before: ["sys_close", "do_exit"],
      functions: ["sys_openat", "sys_read", "vfs_read"],
      addresses: [1n, 2n, 3n],
    });
  });
}
