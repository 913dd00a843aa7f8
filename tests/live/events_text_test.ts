/** Every event: how many can be rendered, and that they read as the guest's. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { listEvents, rawReason } from "../../engine/ftrace/event_list.ts";
import { traceMeta } from "../../engine/ftrace/trace_meta.ts";
import { openInstance } from "../../scripts/cli/instance.ts";
import { PROBES, type Round, ROUNDS } from "./events_load.ts";
import { reportText } from "./matrix_run.ts";
import {
  assertNoOops,
  assertSameLines,
  attachTo,
  bootGuest,
  type Guest,
  KERNELS,
  SLOW,
  TRACEFS,
  xftraceOk,
} from "./support.ts";

/** A disk image with a journal, from the host's tools where it has them. */
async function putDisk(guest: Guest): Promise<void> {
  const path = Deno.makeTempFileSync();
  try {
    Deno.truncateSync(path, 8 << 20);
    const made = spawnSync("mkfs.ext4", ["-q", "-F", path]);
    if (made.status === 0) {
      await guest.put(path, "/tmp/disk");
      return;
    }
  } finally {
    Deno.removeSync(path);
  }
  await guest.sh("truncate -s 8M /tmp/disk && mke2fs -F /tmp/disk > /dev/null");
}

/** Records one round and stops. */
async function recordRound(guest: Guest, round: Round): Promise<string> {
  const on = round.events.map((name) =>
    `[ -e events/${name}/enable ] && echo 1 > events/${name}/enable`
  ).join("\n");
  await guest.sh(
    `cd ${TRACEFS}; echo 0 > tracing_on; echo 0 > events/enable; echo > trace
     ${on}
     echo 1 > tracing_on
     (${round.work}) > /dev/null 2>&1
     echo 0 > ${TRACEFS}/tracing_on`,
    SLOW,
  );
  const { output } = await guest.exec(`cat ${TRACEFS}/trace`, SLOW);
  return new TextDecoder().decode(output);
}

/**
 * writeback_single_inode tells how old a dirty inode is at the time of
 * printing, not of the event: two readings of one trace differ as well.
 */
function atRest(line: string | undefined): string | undefined {
  return line?.replace(/(: writeback_single_inode.* age=)\d+/, "$1?");
}

const EVENT = /^.{16,}-\d+ +\[\d+\] \S+ +[\d.]+: (\w+)[:(]/;

for (const kernel of KERNELS) {
  Deno.test(`every event of a ${kernel} guest`, async (t) => {
    await using guest = await bootGuest(kernel);
    await guest.sh("modprobe ext4; modprobe loop; true", SLOW);
    await guest.sh(`echo 6144 > ${TRACEFS}/buffer_size_kb`, SLOW);

    await t.step("the list is the guest's own", async () => {
      using session = attachTo(guest);
      const { instance, events } = openInstance(session);
      const listed = listEvents(instance, events)
        .filter((event) => !event.internal)
        .map((event) => `${event.system}:${event.name}`);
      const own = (await guest.sh(`cat ${TRACEFS}/available_events`, SLOW))
        .trim().split("\n");
      assert.deepEqual(listed, own);
    });

    await t.step("the functions are the guest's own", async () => {
      // The kernel's placeholders for weak functions that were overridden
      // cannot be traced (b39181f7c690); they are no functions to offer.
      const own = await guest.sh(
        `grep -v '^__ftrace_invalid_address__' ${TRACEFS}/available_filter_functions`,
        SLOW,
      );
      const target = ["-t", guest.target];
      const all = await xftraceOk(["functions", ...target]);
      const lines = assertSameLines(all, own);
      const modules = all.split("\n").filter((line) => / \[ext4\]$/.test(line));
      console.log(`  ${kernel}: ${lines} functions, ${modules.length} of ext4`);
      assert.ok(modules.length > 100, "ext4's are missing");
      const enabled = await guest.sh(
        `cd ${TRACEFS}; echo 'vfs_*' > set_ftrace_filter
         echo 'ext4_f*' >> set_ftrace_filter; echo function > current_tracer
         cut -d' ' -f1 enabled_functions`,
        SLOW,
      );
      const listened = (await xftraceOk(["functions", "--enabled", ...target]))
        .replace(/ \[\w+\]$/gm, "");
      assert.ok(assertSameLines(listened, enabled) > 50);
      await guest.sh(
        `cd ${TRACEFS}
         echo nop > current_tracer; echo > set_ftrace_filter; echo > trace`,
        SLOW,
      );
    });

    await t.step("at least 97 % can be rendered", () => {
      using session = attachTo(guest);
      const { instance, events, layout } = openInstance(session);
      const meta = traceMeta(instance, events, layout);
      const raw: string[] = [];
      const listed = listEvents(instance, events);
      for (const event of listed) {
        const format = events.format(event.id);
        assert.ok(format !== undefined, `${event.name} has no format`);
        const reason = rawReason(format, meta);
        if (reason !== undefined) raw.push(`${event.name}: ${reason}`);
      }
      const share = 100 * (1 - raw.length / listed.length);
      console.log(
        `  ${kernel}: ${listed.length - raw.length} of ${listed.length} ` +
          `events are rendered (${share.toFixed(2)} %)`,
      );
      assert.ok(share >= 97, raw.join("\n"));
    });

    await t.step("what was provoked reads as the guest's own", async () => {
      await putDisk(guest);
      await guest.sh(PROBES, SLOW);
      const seen = new Map<string, number>();
      const wrong: string[] = [];
      let lines = 0;
      for (const round of ROUNDS) {
        const want = (await recordRound(guest, round)).split("\n");
        using session = attachTo(guest);
        const got = reportText(session).split("\n");
        for (let i = 0; i < Math.max(got.length, want.length); i++) {
          const event = EVENT.exec(want[i] ?? "")?.[1];
          if (event !== undefined) {
            seen.set(event, (seen.get(event) ?? 0) + 1);
          }
          if (atRest(got[i]) !== atRest(want[i])) {
            wrong.push(
              `${round.name} ${i}:\n  got  ${got[i]}\n  want ${want[i]}`,
            );
          }
        }
        lines += want.length - 1;
        console.log(`  ${kernel} ${round.name}: ${want.length - 1} lines`);
      }
      console.log(
        `  ${kernel}: ${lines} lines of ${seen.size} events, ` +
          `${wrong.length} differ`,
      );
      assert.equal(wrong.length, 0, wrong.slice(0, 20).join("\n"));
      assert.ok(seen.size >= 100, `only ${[...seen.keys()].join(" ")}`);
      assert.ok(lines > 50_000, `only ${lines} lines`);
    });
    assertNoOops(guest);
  });
}
