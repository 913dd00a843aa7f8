/**
 * The page about a running guest's trace: all its events, a hook of a system
 * call, and a name that would be markup.
 */
import assert from "node:assert/strict";
import { readPage } from "../../engine/output/formats/html_fixture.ts";
import { moduleFor } from "./seal/support_fixture.ts";
import { bootGuest, SLOW, TRACEFS, xftraceOk } from "./support_fixture.ts";

const HOSTILE = '<b>\x1b[31m"&x';

Deno.test("report --html: a hooked system call, system calls, a hostile name", async () => {
  await using guest = await bootGuest("6.12");
  const hook = await moduleFor(
    "6.12",
    "seal_hook",
    "../../../guest/fixtures/seal",
  );
  await guest.put(hook, "/root/seal_hook.ko");
  const shown = await guest.sh(
    `insmod /root/seal_hook.ko
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
});
