/**
 * Guests booted without a protection are clean, or the check says which one is
 * off: their text, addresses and page tables differ.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { readKernelFile } from "../../../scripts/cli/kernel_file.ts";
import {
  assertClean,
  blameGuest,
  check,
  findingsOf,
  vmlinuzOf,
} from "./support_fixture.ts";
import { modulesOf } from "./text_fixture.ts";
import { Guest } from "../../../lab/mod.ts";
import { attachTo, bootGuest, KERNELS } from "../support_fixture.ts";

/** A processor with Meltdown, and one with Retbleed, by QEMU's names. */
const [INTEL, AMD] = ["Skylake-Server", "EPYC-Rome"];

/** A guest: its kernel, parameters and processor. */
type Boot = readonly [kernel: string, append: string, cpu?: string];

/** Each showed a false finding, or something unjudged, at some time. */
const USUAL: readonly Boot[] = [
  ["6.1", "nokaslr", AMD],
  ["6.1", "mitigations=off", INTEL],
];
const MORE: readonly Boot[] = KERNELS.flatMap((kernel) =>
  [undefined, INTEL, AMD].flatMap((cpu) =>
    ["", "nopti", "mitigations=off", "retbleed=off", "nokaslr", "nokaslr nopti"]
      .map((
        append,
      ): Boot => cpu === undefined ? [kernel, append] : [kernel, append, cpu])
  )
);

for (const [kernel, append, cpu] of LONG ? [...USUAL, ...MORE] : USUAL) {
  const how = [append, cpu ?? ""].filter((word) => word !== "").join(" on ");
  Deno.test(`nothing is found in a ${kernel} guest, ${how || "as it is"}`, async () => {
    await using guest = await Guest.boot({
      kernel,
      append,
      ...(cpu === undefined ? {} : { cpu }),
    });
    using session = attachTo(guest);
    await blameGuest(guest, async () => {
      assertClean(await check(session.kernel));
      assertClean(
        await check(session.kernel, [], {
          vmlinux: readKernelFile(await vmlinuzOf(kernel)),
          moduleFiles: await modulesOf(kernel),
        }),
      );
    });
  });
}

for (const kernel of LONG ? KERNELS : KERNELS.slice(-1)) {
  Deno.test(`rodata=off is one finding in a ${kernel} guest`, async () => {
    await using guest = await bootGuest(kernel, "rodata=off");
    using session = attachTo(guest);
    await blameGuest(guest, async () => {
      const run = await check(session.kernel);
      assert.deepEqual(
        findingsOf(run).map(({ check, severity, summary }) =>
          `${check} ${severity} ${summary}`
        ),
        [
          "XF016 high the kernel does not protect its memory, as it was booted with rodata=off: all of its image can be written and executed",
        ],
      );
      assertClean({
        ...run,
        outcomes: run.outcomes.filter(({ check }) => check.id !== "XF016"),
      });
    });
  });
}
