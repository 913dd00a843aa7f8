/**
 * What the kernel offers for the formats of events (include/trace/stages) is
 * shown as the guest shows it: arrays, masks, socket addresses, flags, dumps,
 * times, of all lengths.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { buildModules } from "../build_fixture.ts";
import { reportText } from "../matrix/run.ts";
import {
  assertNoOops,
  assertSameLines,
  attachTo,
  bootGuest,
  KERNELS,
  NEWEST,
  SLOW,
  TRACEFS,
} from "../support_fixture.ts";

const EVENTS = [
  "helper_addresses",
  "helper_arrays",
  "helper_cpus",
  "helper_dump",
  "helper_mask",
  "helper_names",
  "helper_rel_cpus",
  "helper_rel_mask",
];

for (
  const kernel of LONG ? [...KERNELS, NEWEST] : KERNELS.slice(-1)
) {
  Deno.test(`the formats of events of a ${kernel} guest`, async () => {
    const modules = await buildModules("events", kernel);
    await using guest = await bootGuest(kernel);
    await guest.put(`${modules}/helper_events.ko`, "/tmp/helper_events.ko");
    await guest.sh(
      `insmod /tmp/helper_events.ko; cd ${TRACEFS}
       echo 1 > events/helpers/enable
       echo 1 > /sys/module/helper_events/parameters/emit
       echo 0 > tracing_on`,
      SLOW,
    );
    const own = await guest.sh(`cat ${TRACEFS}/trace`, SLOW);
    const names = [...own.matchAll(/: (helper_\w+): /g)].map(([, name]) =>
      name
    );
    const seen = [...new Set(names)].sort();
    // Kernels since 7.0 have one more, of interrupts.
    assert.deepEqual(seen.filter((name) => name !== "helper_contexts"), EVENTS);
    assert.ok(names.length > 200);
    using session = attachTo(guest);
    const lines = assertSameLines(reportText(session), own);
    console.log(`  ${kernel}: ${lines} lines of ${seen.length} events`);
    if (seen.length > EVENTS.length) {
      await guest.sh(`echo 1 > ${TRACEFS}/options/bitmask-list`);
      const lists = await guest.sh(`cat ${TRACEFS}/trace`, SLOW);
      assert.match(lists, /helper_mask: .*\d-\d/);
      assertSameLines(reportText(session), lists);
    }
    assertNoOops(guest);
  });
}
