/**
 * The page about a running guest's trace: all its events, a hook of a system
 * call, and a name that would be markup.
 */
import assert from "node:assert/strict";
import { readPage } from "../../engine/output/formats/html_fixture.ts";
import { moduleFor } from "./seal/support_fixture.ts";
import { assertDocumented, printed } from "./json_documented_fixture.ts";
import {
  bootGuest,
  type Guest,
  SLOW,
  TRACEFS,
  xftraceOk,
} from "./support_fixture.ts";
import { KEYS, TerminalRun } from "./terminal_fixture.ts";

const HOSTILE = '<b>\x1b[31m"&x';

Deno.test("report --html: a hooked system call, system calls, a hostile name", async (t) => {
  await using guest = await bootGuest("6.12");
  const hook = await moduleFor(
    "6.12",
    "seal_hook",
    "../../../guest/fixtures/seal",
  );
  await guest.put(hook, "/tmp/seal_hook.ko");
  const shown = await guest.sh(
    `insmod /tmp/seal_hook.ko
    cd ${TRACEFS}
    echo x64_sys_call hooked_openat __x64_sys_openat do_sys_openat2 > set_ftrace_filter
    echo x64_sys_call > set_graph_function
    echo 1 > events/syscalls/sys_enter_openat/enable
    echo 1 > events/syscalls/sys_exit_openat/enable
    echo 1 > events/sched/sched_switch/enable
    echo function_graph > current_tracer
    sh -c 'printf "<b>\\\\033[31m\\"&x" > /proc/self/comm; sleep 0.3; for i in 1 2 3; do read x < /proc/self/stat; done; cat /nothing; sleep 0.3; true'
    echo 0 > tracing_on
    cat per_cpu/cpu*/stats | grep ^entries:`,
    SLOW,
  );
  const entries = [...shown.matchAll(/^entries: (\d+)/gm)]
    .reduce((sum, [, count]) => sum + Number(count), 0);
  const path = await Deno.makeTempFile({ suffix: ".html" });
  try {
    await xftraceOk(["report", "-t", guest.target, "--html", path]);
    const { data, rows } = readPage(await Deno.readTextFile(path));
    const trace = data.trace!;
    console.log(`${entries} events; foreign:`, trace.foreign.length);
    assert.ok(entries > 50);
    assert.equal(trace.events, entries);
    assert.equal(rows.length, entries);
    assert.ok(
      trace.foreign.some(({ node, caller, why }) =>
        trace.names[trace.tree.name[node]] === "__x64_sys_openat" &&
        caller === "hooked_openat [seal_hook]" &&
        why === "a system call that a module calls"
      ),
    );
    assert.ok(
      trace.threads.name.some((name) => name.startsWith(HOSTILE)),
      trace.threads.name.join(" "),
    );
    const failed = trace.processes.filter(({ errors }) => errors[0] === 2);
    assert.ok(failed.length > 0, "cat found a file that does not exist");
    const [[args]] = failed[0].args;
    assert.match(args, /^\{"dfd":-100,"filename":"0x\w+","flags":\d+,/);
  } finally {
    await Deno.remove(path);
  }
  await t.step(
    "sql: the same events, and the call that is foreign",
    async () => {
      const asked = async (sql: string) =>
        JSON.parse(
          await xftraceOk(["sql", sql, "-t", guest.target, "--mode", "json"]),
        );
      const [{ n }] = await asked("SELECT count(*) AS n FROM events");
      assert.equal(n, entries);
      const calls = await asked(
        `SELECT count(*) AS n, max(duration) AS longest FROM calls
       WHERE func = '__x64_sys_openat'`,
      );
      assert.ok(calls[0].n > 3 && calls[0].longest > 0, JSON.stringify(calls));
      const comms = await asked(
        "SELECT DISTINCT prev_comm AS comm FROM sched_switch",
      );
      const names = comms.map(({ comm }: { comm: string }) => comm);
      assert.ok(names.includes(HOSTILE), JSON.stringify(names));
    },
  );
  await t.step("top: on a terminal, and in lines", () => showsTop(guest));
});

/** Processes that open files until this is gone: /tmp/busy. */
const LOAD = `touch /tmp/busy
(while [ -e /tmp/busy ]; do cat /nothing /proc/version > /dev/null 2>&1; done) > /dev/null 2>&1 &
sh -c 'printf "<b>\\\\033[31m" > /proc/self/comm; while [ -e /tmp/busy ]; do read x < /proc/self/stat; sleep 0.1; done' > /dev/null 2>&1 &`;

async function showsTop(guest: Guest): Promise<void> {
  await guest.sh(`cd ${TRACEFS}; echo 1 > tracing_on; ${LOAD}`, SLOW);
  const target = ["-t", guest.target];
  const screen = new TerminalRun(["top", "--interval", "0.5", ...target]);
  await screen.shows(/FUNCTION/);
  await screen.shows((text) =>
    /__x64_sys_openat/.test(text) && /longest call +.*[▁-█]/.test(text)
  );
  assert.ok(screen.taken);
  await screen.shows(/calls of, or from, code that is not the kernel's/);
  assert.ok(screen.hasColour("calls", 1) || screen.hasColour("1", 1));
  await screen.press("n", "/", ..."x64_sys_cal");
  await screen.shows(/filter: x64_sys_cal_/);
  await screen.press(KEYS.enter, KEYS.right);
  await screen.shows(/- x64_sys_call[^]*\+ __x64_sys_openat/);
  await screen.press(KEYS.down, KEYS.right);
  await screen.shows(/- __x64_sys_openat[^]*\+ hooked_openat \[seal/);
  await screen.press(KEYS.escape, "2");
  await screen.shows(/PROCESS +SYSTEM CALL[^]*cat-\d+[^]*sys_openat/);
  await screen.press("e", KEYS.right);
  await screen.shows(/ENOENT/);
  await screen.press("/", ..."<b>");
  await screen.shows(/<b>\\x1b\[31m-\d+ .*sys_openat/);
  await screen.press(KEYS.enter, " ");
  await screen.shows(/^FROZEN/);
  const frozen = screen.screen();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.equal(screen.screen(), frozen);
  await screen.press("f", "3", KEYS.escape);
  await screen.shows(/EVENTS\/S EVENT[^]*sched_switch/);
  await screen.press("z");
  await screen.shows(/recording +[0-2]\.\d s/);
  await screen.press("q");
  assert.equal(await screen.ended(), 0);
  // All that the guest's name could do was to be read.
  assert.ok(!screen.raw.includes("<b>\x1b"));
  assert.ok(screen.raw.trimEnd().endsWith("\x1b[?25h\x1b[?1049l"));
  const lines = await xftraceOk([
    "top",
    "-n",
    "2",
    "--interval",
    "1",
    "--table",
    "functions",
    ...target,
  ]);
  assert.equal(lines.match(/^ +CALLS .*FUNCTION$/gm)?.length, 2);
  assert.match(lines, / __x64_sys_openat {2}\(foreign\)$/m);
  await assertDocumented(
    await printed([["TopLine", ["top", "-n", "1", ...target]]]),
  );
  await guest.sh("rm /tmp/busy");
}
