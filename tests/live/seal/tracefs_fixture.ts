/**
 * Tracefs files that `xftrace on` sets through the module or the guest's agent,
 * and that `off` restores.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Guest } from "../../../lab/mod.ts";
import type { User } from "./user_fixture.ts";
import { assertOneClearError, TRACEFS } from "../support_fixture.ts";

const EXEC = "sched:sched_process_exec";
const FILES = [
  "options/sym-addr",
  "tracing_thresh",
  "set_ftrace_notrace",
  "events/sched/sched_wakeup/filter",
  "events/sched/sched_process_exec/enable",
  "events/sched/sched_process_exec/filter",
  "events/sched/sched_process_exec/trigger",
];

/** Runs the steps in a guest with the module, or with `--agent`. */
export async function tracefsSteps(
  t: Deno.TestContext,
  guest: Guest,
  user: User,
): Promise<void> {
  const see = async (file: string) =>
    (await guest.sh(`cat ${TRACEFS}/${file}`)).trim();
  const seeAll = async () => {
    const files = FILES.join(" ");
    return (await guest.sh(
      `cd ${TRACEFS}; for f in ${files}; do echo "$f:" $(cat $f); done`,
    )).trim();
  };
  // The guest's administrator has set these before.
  await guest.sh(
    `cd ${TRACEFS}; echo 'pid > 5' > events/sched/sched_wakeup/filter
     echo vfs_write > set_ftrace_notrace
     echo 'traceon:7' >> events/sched/sched_process_exec/trigger`,
  );
  const before = await seeAll();

  await t.step(
    "events' filters, triggers and other files are set",
    async () => {
      const args = [
        ...["on", "--event", EXEC, "--event", "sched:sched_wakeup"],
        ...["--event-filter", `${EXEC}=filename ~ "*sleep*"`],
        ...["--event-filter", "sched:sched_wakeup=pid > 100000"],
        ...["--trigger", `${EXEC}=stacktrace:2 if filename ~ "*sleep*"`],
        ...["--set", "options/sym-addr=1", "--set", "tracing_thresh=256"],
        ...["--set", "set_ftrace_notrace+=vfs_read"],
      ];
      const plan = await user.ok(...args, "--dry-run");
      for (
        const line of [
          /options\/sym-addr +0 -> 1/,
          /tracing_thresh +what it holds -> 256/,
          /set_ftrace_notrace +what it holds -> and vfs_read/,
          /sched_process_exec\/filter +none -> filename ~ "\*sleep\*"/,
          /sched_wakeup\/filter +pid > 5 -> pid > 100000/,
          /sched_process_exec\/trigger +as it is -> and stacktrace:2 if/,
          /sched_process_exec\/enable +0 -> 1/,
        ]
      ) assert.match(plan, line);
      assert.ok(
        plan.indexOf("exec/trigger") < plan.indexOf("exec/enable"),
        "nothing comes that was not asked for",
      );
      assert.doesNotMatch(plan, /current_tracer/, "it stays as it is");
      assert.equal(await seeAll(), before, "nothing is written");

      await user.ok(...args);
      const during = await seeAll();
      assert.match(during, /sym-addr: 1/);
      assert.match(during, /tracing_thresh: 256/);
      assert.match(during, /notrace: (vfs_read vfs_write|vfs_write vfs_read)/);
      assert.match(during, /exec\/filter: filename ~ "\*sleep\*"/);
      assert.match(during, /trigger: .*traceon:count=7/);
      assert.match(during, /trigger: .*stacktrace:count=2/);
      assert.match(
        await user.ok("status"),
        /exec\/trigger=and stacktrace:2 if/,
      );
      await guest.sh(
        "for i in 1 2 3; do /bin/sleep 0; /bin/ls / >/dev/null; done",
      );
      await user.ok("off");
      const text = user.text();
      assert.equal(text.match(/sched_process_exec: .*sleep/g)?.length, 3);
      assert.doesNotMatch(text, /sched_process_exec: .*\/ls/);
      assert.doesNotMatch(text, /sched_wakeup:/);
      assert.equal(text.match(/<stack trace>/g)?.length, 2);
      assert.equal(await seeAll(), before);
    },
  );

  await t.step("what the guest changes in the meantime stays", async () => {
    await user.ok(
      ...["on", "--event", EXEC],
      ...["--event-filter", "sched:sched_wakeup=pid > 100000"],
      ...["--instance", "mine", "--set", "options/sym-addr=1"],
    );
    const mine = "instances/mine";
    assert.equal(await see(`${mine}/options/sym-addr`), "1");
    await user.ok("off");
    assert.equal((await guest.sh(`ls ${TRACEFS}/instances`)).trim(), "");
    assert.equal(await seeAll(), before);

    await user.ok(
      ...["on", "--event", EXEC, "--set", "tracing_thresh=256"],
      ...["--event-filter", "sched:sched_wakeup=pid > 100000"],
      ...["--trigger", `${EXEC}=stacktrace:2`],
    );
    await guest.sh(
      `cd ${TRACEFS}; echo 7 > tracing_thresh
       echo 'pid > 7' > events/sched/sched_wakeup/filter`,
    );
    await guest.sh(
      `cd ${TRACEFS}/events/sched/sched_process_exec
       echo '!stacktrace' >> trigger; echo 'stacktrace:9 if pid > 9' >> trigger`,
    );
    user.killCollector();
    const { code, err } = await user.run("off");
    assert.equal(code, 0, err);
    assert.match(
      err,
      /tracing_thresh was changed by the guest since \(it holds "7", `xftrace on` left "256"\), and is left as it is/,
    );
    assert.match(err, /sched_wakeup\/filter was changed .*"pid > 7"/);
    assert.match(err, /sched_process_exec\/trigger was changed/);
    assert.match(
      await see("events/sched/sched_process_exec/trigger"),
      /stacktrace:count=\d if pid > 9/,
    );
    assert.equal(await see("tracing_thresh"), "7");
    assert.equal(await see("events/sched/sched_wakeup/filter"), "pid > 7");
    assert.match(
      await see("events/sched/sched_process_exec/enable"),
      /^0/,
      "the others are set back",
    );
    await guest.sh(
      `cd ${TRACEFS}; echo 'pid > 5' > events/sched/sched_wakeup/filter
       echo 0 > tracing_thresh
       echo '!stacktrace' >> events/sched/sched_process_exec/trigger`,
    );
    assert.equal(await seeAll(), before);
  });

  await t.step("files are restored even without a collector", async () => {
    await user.ok("on", "--set", "tracing_thresh=256", "--event", EXEC);
    user.loseSpool();
    const { code, err } = await user.run("off");
    assert.equal(code, 0, err);
    assert.match(err, /nothing was collected: `xftrace on` ended before/);
    assert.equal(await seeAll(), before);
  });

  await t.step(
    "what cannot be set is refused, and nothing stays changed",
    async () => {
      const refused = async (expected: RegExp, ...args: string[]) => {
        const rest = ["--event", EXEC, "--set", "options/sym-addr=1"];
        assertOneClearError(await user.run("on", ...rest, ...args), expected);
        assert.equal(await seeAll(), before, args.join(" "));
      };
      await refused(
        /refused to write "no_such > 1" to tracefs' .*filter: .*invalid.*: Field not found/i,
        ...["--event-filter", `${EXEC}=no_such > 1`],
      );
      await refused(
        /refused to write "no_such:1" to tracefs' .*trigger: .*invalid/i,
        ...["--trigger", `${EXEC}=no_such:1`],
      );
      await refused(
        /refused to read .* no_such: .*no such file/i,
        "--set",
        "no_such=1",
      );
      await refused(
        /events\/sched\/enable holds "X"/,
        "--set",
        "events/sched/enable=1",
      );
      await refused(
        /refused to write "1" to tracefs' README/,
        "--set",
        "README=1",
      );
      await refused(/recording is switched by/, "--set", "tracing_on=0");
      await refused(/which cannot be undone/, "--set", "trace=");
      await refused(/"\.\.\/x" is none/, "--set", "../x=1");
      await refused(/takes FILE=VALUE/, "--set", "options/sym-addr");
      await refused(/no event no:such/, "--event-filter", "no:such=pid > 1");
      await refused(/--event is for .*--tracer function_graph/, "sys_read");
    },
  );
  await guest.sh(
    `cd ${TRACEFS}; echo 0 > events/sched/sched_wakeup/filter
     echo > set_ftrace_notrace
     echo '!traceon:7' >> events/sched/sched_process_exec/trigger`,
  );
}
