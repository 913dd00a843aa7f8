/** How many events can be rendered, and that their text equals the guest's. */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { spawnSync } from "node:child_process";
import { listEvents } from "../../../engine/ftrace/events/event_list.ts";
import { rawReason } from "../../../engine/output/text/unfollowed.ts";
import {
  guestTextOptions,
  traceMeta,
} from "../../../engine/output/text/trace_meta.ts";
import { textBytes } from "../../../engine/output/text/byte_text.ts";
import { openInstance } from "../../../engine/ftrace/ring/open_instance.ts";
import { PROBES, type Round, ROUNDS } from "./load_fixture.ts";
import { reportText } from "../matrix/run.ts";
import {
  assertNoOops,
  assertSameLines,
  attachTo,
  bootGuest,
  type Guest,
  KERNELS,
  NEWEST,
  OLDEST,
  SLOW,
  TRACEFS,
  xftrace,
  xftraceOk,
} from "../support_fixture.ts";

/** A disk image with a journal, made by the host's tools, if it has them. */
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
 * writeback_single_inode prints how old a dirty inode is at the time of
 * printing, not of the event, so even the guest's own text differs each time.
 */
function atRest(line: string | undefined): string | undefined {
  return line?.replace(/(: writeback_single_inode.* age=)\d+/, "$1?");
}

/**
 * Before b39181f7c690 (6.0), the guest lists weak functions that were overridden
 * by the name of the function before them, which has that name already or cannot
 * be traced.
 */
function withoutOverridden(own: string, listed: string): string {
  const left = listed.split("\n");
  const lines = own.trimEnd().split("\n");
  let at = 0;
  const kept = lines.filter((line) => {
    if (line !== left[at]) return false;
    at++;
    return true;
  });
  const dropped = lines.length - kept.length;
  console.log(`  ${dropped} of ${lines.length} were overridden`);
  assert.ok(dropped < lines.length / 50, `${dropped} are missing`);
  return kept.join("\n") + "\n";
}

const EVENT = /^.{16,}-\d+ +\[\d+\] \S+ +[\d.]+: (\w+)[:(]/;

for (const kernel of LONG ? [OLDEST, NEWEST] : KERNELS) {
  Deno.test(`every event of a ${kernel} guest`, async (t) => {
    await using guest = await bootGuest(kernel);
    await guest.sh("modprobe ext4; modprobe loop; true", SLOW);
    await guest.sh(`echo 6144 > ${TRACEFS}/buffer_size_kb`, SLOW);

    await t.step("the list of events is the guest's own", async () => {
      using session = attachTo(guest);
      const { instance, events } = openInstance(session);
      const listed = listEvents(instance, events)
        .filter((event) => !event.internal)
        .map((event) => `${event.system}:${event.name}`);
      const own = (await guest.sh(`cat ${TRACEFS}/available_events`, SLOW))
        .trim().split("\n");
      assert.deepEqual(listed, own);
    });

    await t.step("the list of functions is the guest's own", async () => {
      // The kernel's placeholders for weak functions that were overridden
      // cannot be traced (b39181f7c690), so they are not listed.
      const own = await guest.sh(
        `grep -v '^__ftrace_invalid_address__' ${TRACEFS}/available_filter_functions`,
        SLOW,
      );
      const target = ["-t", guest.target];
      const all = await xftraceOk(["functions", ...target]);
      const lines = assertSameLines(
        all,
        kernel === OLDEST ? withoutOverridden(own, all) : own,
      );
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

    await t.step(
      "the text of the recorded events equals the guest's own",
      async () => {
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
      },
    );
    await t.step(
      "the text equals the guest's own under raw, hex, bin and fields",
      () => followOptions(guest, kernel),
    );
    assertNoOops(guest);
  });
}

/** Trace options that change all lines, with options that go with them. */
const FORMS = ["raw", "hex", "bin", "fields", "raw nocontext-info", "verbose"];

/** Compares entries of all kinds under every option, byte by byte. */
async function followOptions(guest: Guest, kernel: string): Promise<void> {
  await guest.sh(
    `cd ${TRACEFS}; echo 0 > tracing_on; echo 0 > events/enable
     echo 'vfs_*' > set_ftrace_filter; echo function > current_tracer
     for e in sched syscalls kmem irq net kprobes synthetic; do
       echo 1 > events/$e/enable; done
     echo > trace; echo 1 > tracing_on
     echo 1 > options/stacktrace; echo 1 > options/userstacktrace
     ls / > /dev/null
     echo 0 > options/stacktrace; echo 0 > options/userstacktrace
     printf 'no UTF-8: \\377\\303\\n' > trace_marker
     printf '\\1\\2\\3\\4\\377\\200' > trace_marker_raw
     ip addr show lo > /dev/null; ls -l / > /dev/null; sleep 0.1
     echo 0 > tracing_on; echo 0 > events/enable`,
    SLOW,
  );
  const offered = await guest.sh(`cat ${TRACEFS}/trace_options`);
  const forms = FORMS.filter((form) =>
    form.split(" ").every((word) =>
      new RegExp(`^(no)?${word.replace(/^no/, "")}$`, "m").test(offered)
    )
  );
  // Kernels before 6.4 have all but `fields`.
  assert.ok(forms.length >= FORMS.length - 1, offered);
  const set = (words: string[]) =>
    guest.sh(
      `cd ${TRACEFS}; for w in ${words.join(" ")}; do
         echo $w > trace_options || exit 1; done`,
    );
  for (const form of forms) {
    const words = form.split(" ");
    await set(words);
    const { output: want } = await guest.exec(`cat ${TRACEFS}/trace`, SLOW);
    using session = attachTo(guest);
    const got = textBytes(reportText(session));
    // One character per byte, so that lines with any bytes can be compared.
    const latin = new TextDecoder("latin1");
    const masked = guestTextOptions(openInstance(session).instance).showsReader
      // Addresses of the guest's own reader: they differ each time.
      ? (text: string) => text.replace(/\(0x[0-9a-f]{16}(?=[:)])/g, "(0x?")
      : (text: string) => text;
    const lines = assertSameLines(
      masked(latin.decode(got)),
      masked(latin.decode(want)),
    );
    console.log(
      `  ${kernel} ${form}: ${lines} lines, ${want.length} bytes equal`,
    );
    assert.ok(lines > 1000, `${form}: only ${lines} lines`);
    await set(words.map((w) => w.startsWith("no") ? w.slice(2) : `no${w}`));
  }
  // An unsupported option is reported, and the command goes on.
  await set(["sym-userobj"]);
  const run = await xftrace(["report", "-t", guest.target]);
  assert.equal(run.code, 0, run.err);
  assert.match(run.err, /^xftrace: .*sym-userobj is not followed.*$/m);
  await set(["nosym-userobj"]);
  await guest.sh(`cd ${TRACEFS}; echo nop > current_tracer`);
}
