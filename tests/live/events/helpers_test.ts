/**
 * What the kernel offers for the formats of events (include/trace/stages) is
 * shown as the guest shows it: arrays, masks, socket addresses, flags, dumps,
 * times, of all lengths.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { buildModules } from "../build_fixture.ts";
import { openInstance } from "../../../engine/ftrace/ring/open_instance.ts";
import { FAILED_MARK } from "../../../engine/output/text/print_fmt/render.ts";
import { traceMeta } from "../../../engine/output/text/trace_meta.ts";
import { rawReason } from "../../../engine/output/text/unfollowed.ts";
import type { Session } from "../../../engine/session.ts";
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
  "helper_dump_at",
  "helper_mask",
  "helper_names",
  "helper_rel_cpus",
  "helper_rel_mask",
];

const LATER = ["helper_contexts", "helper_decoded"];

/**
 * The guest's text with what xftrace says instead of what is not in events: the
 * addresses of the reader's copy, and the words of a function of the kernel.
 */
function comparable(own: string): string {
  return own.replaceAll(
    /^(z |from a field )?[0-9a-f]{16}: /gm,
    "$1(____ptrval____): ",
  )
    .replace("number -7 in words", `${FAILED_MARK} value=-7`);
}

/** Why an event is shown raw. */
function rawReasonOf(session: Session): string {
  const { instance, events, layout } = openInstance(session);
  const found = events.find("helpers:helper_decoded");
  const format = found && events.format(found.id);
  assert.ok(format);
  return rawReason(format, traceMeta(instance, events, layout)) ?? "";
}

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
    // Kernels since 7.0 have one more, of interrupts, and 6.12 has __get_buf.
    assert.deepEqual(seen.filter((name) => !LATER.includes(name)), EVENTS);
    assert.ok(names.length > 200);
    using session = attachTo(guest);
    const lines = assertSameLines(reportText(session), comparable(own));
    console.log(`  ${kernel}: ${lines} lines of ${seen.length} events`);
    // Told, because the words are not in the event.
    if (own.includes("helper_decoded")) {
      assert.match(own, /helper_decoded: number -7 in words\n/);
      assert.match(rawReasonOf(session), /helper_decode\(\) writes its text/);
    }
    if (seen.includes("helper_contexts")) {
      await guest.sh(`echo 1 > ${TRACEFS}/options/bitmask-list`);
      const lists = await guest.sh(`cat ${TRACEFS}/trace`, SLOW);
      assert.match(lists, /helper_mask: .*\d-\d/);
      assertSameLines(reportText(session), comparable(lists));
    }
    assertNoOops(guest);
  });
}
