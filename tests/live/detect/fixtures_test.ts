/** For every hook of the fixtures, the check that is meant for it finds it. */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import type { CheckOptions } from "../../../engine/detect/core/context.ts";
import {
  decodeBaseline,
  encodeBaseline,
} from "../../../engine/detect/flow/baseline.ts";
import { recordedFlow } from "../../../engine/detect/flow/call_flow.ts";
import { flowDiffText } from "../../../engine/output/findings/findings_flow.ts";
import {
  RB_BUFFER_OFF,
  TraceArray,
} from "../../../engine/ftrace/ring/trace_array.ts";
import type { Session } from "../../../engine/session.ts";
import { takeSnapshot } from "../../../engine/snapshot/snapshot.ts";
import { openCoreSession } from "../../../engine/session.ts";
import { readKernelFile } from "../../../scripts/cli/kernel_file.ts";
import {
  assertClean,
  buildFixtures,
  check,
  findingsOf,
  vmlinuzOf,
} from "./support_fixture.ts";
import { verdictOf } from "../../../engine/output/findings/findings_json.ts";
import { commandLine } from "./command_fixture.ts";
import { damagedRecording } from "./damage_fixture.ts";
import { ownModule, textWithoutImage } from "./text_fixture.ts";
import {
  attachTo,
  bootGuest,
  type Guest,
  KERNELS,
  NEWEST,
  OLDEST,
  SLOW,
  TRACEFS,
} from "../support_fixture.ts";

/** A fixture, and what must be reported. */
interface Fixture {
  readonly module: string;
  readonly parameters?: string;
  /** A symbol that the kernel must have for it, or must not have. */
  readonly needs?: string;
  readonly unless?: string;
  readonly check: string;
  /** The place that the finding names. */
  readonly where: RegExp;
  /** The code that the place leads to, in the summary. */
  readonly names: RegExp;
  /** The module that is named; none if the hook's code is in no module. */
  readonly owner?: string | null;
  readonly before?: (guest: Guest) => Promise<string>;
  /** Run when the module has been loaded. */
  readonly then?: string;
  /** Run before the module is unloaded, and after it. */
  readonly after?: string;
  readonly last?: string;
}

const FIXTURES: readonly Fixture[] = [
  {
    module: "table",
    check: "XF001",
    where: /^sys_call_table\[257\]$/,
    names: /det_openat \[det_table\]/,
  },
  {
    module: "branch",
    needs: "x64_sys_call",
    check: "XF002",
    where: /^x64_sys_call\+0x[0-9a-f]+ \(79 sys_getcwd\)$/,
    names: /det_getcwd \[det_branch\]/,
  },
  {
    module: "branch",
    needs: "x64_sys_call",
    check: "XF008",
    where: /^x64_sys_call\+0x/,
    names: /det_getcwd \[det_branch\]/,
  },
  {
    module: "dispatch",
    unless: "x64_sys_call",
    check: "XF002",
    where: /^do_syscall_64\+0x/,
    names: /in a table at copy \[det_dispatch\], which is not the kernel's/,
    owner: null,
  },
  {
    module: "branch",
    parameters: "within=__x64_sys_getpid callee=__task_pid_nr_ns",
    unless: "x64_sys_call",
    check: "XF008",
    where: /^__(x64|do)_sys_getpid\+0x/,
    names: /det_getcwd \[det_branch\]/,
  },
  {
    module: "static",
    needs: "__SCK__might_resched",
    check: "XF008",
    where: /^static call might_resched$/,
    names: /det_resched \[det_static\].*it is called at .* and \d+ more/,
  },
  {
    module: "idt",
    check: "XF003",
    where: /^idt_table\[4\]$/,
    names: /det_gate \[det_idt\]/,
  },
  {
    module: "regs",
    parameters: "what=wp",
    check: "XF026",
    where: /^vCPU 1: CR0\.WP$/,
    names: /write protection is off/,
    owner: null,
  },
  {
    module: "regs",
    parameters: "what=dr",
    check: "XF026",
    where: /^vCPU 1: DR0$/,
    names: /breaks on writes at det_unused \[det_regs\].*booked no such/,
    owner: null,
  },
  {
    module: "regs",
    parameters: "what=idt",
    check: "XF027",
    where: /^vCPU 1$/,
    names: /its IDTR is 0x[0-9a-f]+, which is not idt_table/,
    owner: null,
  },
  {
    module: "iop",
    check: "XF011",
    where: /^inode 1 of proc: i_fop$/,
    names: /det_iterate \[det_iop\]/,
  },
  {
    module: "seq",
    check: "XF010",
    where: /^tcp4_seq_ops\.show$/,
    names: /det_tcp_show \[det_seq\]/,
  },
  {
    module: "pde",
    check: "XF012",
    where: /^\/proc\/modules: proc_ops$/,
    names: /own \[det_pde\] and not modules_proc_ops/,
  },
  {
    module: "ftrace",
    check: "XF004",
    where: /^ftrace_ops on __x64_sys_openat$/,
    names: /det_handler \[det_ftrace\].*IPMODIFY/,
  },
  {
    module: "ftrace",
    parameters: "hidden=1",
    check: "XF004",
    where: /^ftrace_ops on __x64_sys_openat$/,
    names: /det_handler \[det_ftrace\].*IPMODIFY/,
  },
  {
    module: "kprobe",
    check: "XF005",
    where: /^kprobe on __x64_sys_getcwd/,
    names: /det_pre \[det_kprobe\]/,
  },
  {
    module: "inline",
    check: "XF009",
    where: /^__x64_sys_getcwd/,
    names: /jumps to det_jump \[det_inline\]/,
  },
  {
    module: "tracepoint",
    check: "XF006",
    where: /^tracepoint sys_enter$/,
    names: /det_sys_enter \[det_tracepoint\]/,
  },
  {
    module: "netfilter",
    check: "XF007",
    where: /^netfilter ipv4 LOCAL_IN$/,
    names: /det_packet \[det_netfilter\]/,
  },
  {
    module: "notifier",
    check: "XF013",
    where: /^keyboard_notifier_list$/,
    names: /det_key \[det_notifier\]/,
  },
  {
    module: "lsm",
    check: "XF014",
    where: /^security hook file_open$/,
    names: /det_file_open \[det_lsm\]/,
  },
  {
    module: "hidden",
    check: "XF015",
    where: /^module det_hidden$/,
    names: /not in the module list/,
    after: "echo 1 > /sys/module/det_hidden/parameters/show",
  },
  {
    module: "hidden",
    parameters: "list=0",
    check: "XF015",
    where: /^module det_hidden$/,
    names: /not in \/proc\/modules .* its state is UNFORMED/,
    then: "echo unformed > /sys/module/det_hidden/parameters/hide",
    after: "echo 1 > /sys/module/det_hidden/parameters/show",
  },
  {
    module: "hidden",
    parameters: "list=0",
    check: "XF015",
    where: /^symbols of module det_hidden$/,
    names: /num_symtab is 0/,
    then: "echo symbols > /sys/module/det_hidden/parameters/hide",
    after: "echo 1 > /sys/module/det_hidden/parameters/show",
  },
  {
    module: "orphan",
    check: "XF016",
    where: /^0xffffffffc/,
    names: /belong to nobody/,
    owner: null,
  },
  {
    module: "orphan",
    check: "XF018",
    where: /^timer on CPU/,
    names: /unknown code at .* belongs to nobody/,
    owner: null,
  },
  {
    module: "task",
    check: "XF017",
    where: /^process \d+ \(sleep\)$/,
    names: /not in the task list/,
    owner: null,
    before: async (guest) => {
      await guest.sh("(sleep 999 > /dev/null 2>&1 &)");
      return `pid=${(await guest.sh("pidof sleep")).trim().split(" ")[0]}`;
    },
  },
  {
    // It is off every list, but its memory, events and files reveal it.
    module: "task",
    check: "XF017",
    where: /^process \d+ \(tail\)$/,
    names:
      /nor in the pid table \(it is in (run queues, )?memory, the trace\); .*\/tmp\/stolen/,
    owner: null,
    before: async (guest) => {
      await guest.sh(
        `echo secret > /tmp/stolen; (tail -f /tmp/stolen > /dev/null 2>&1 &)
         cd ${TRACEFS}; echo 1 > events/sched/sched_switch/enable
         until grep -q 'prev_comm=tail' trace; do sleep 0.2; done`,
      );
      return `all=1 pid=${(await guest.sh("pidof tail")).trim()}`;
    },
    last:
      `echo 0 > ${TRACEFS}/events/enable; echo > ${TRACEFS}/trace; killall tail || true`,
  },
  {
    // It is on a run queue in some readings and not in others.
    module: "task",
    check: "XF017",
    where: /^process \d+ \(worker\)$/,
    names: /nor in the pid table/,
    owner: null,
    before: async (guest) => {
      const pid = await guest.sh(
        `echo 'while :; do for i in $(seq 3000); do :; done; usleep 150000; done' |
           sed '1i #!/bin/sh' > /tmp/worker
         chmod +x /tmp/worker; (/tmp/worker > /dev/null 2>&1 & echo $! > /tmp/worker.pid)
         until grep -q worker /proc/$(cat /tmp/worker.pid)/comm; do usleep 50000; done
         cat /tmp/worker.pid`,
      );
      return `all=1 pid=${pid.trim()}`;
    },
    last: "kill $(cat /tmp/worker.pid)",
  },
  {
    module: "ftrace_off",
    check: "XF019",
    where: /^ftrace_enabled$/,
    names: /behind sysctl's back/,
    owner: null,
  },
  {
    module: "text",
    check: "XF020",
    // On 6.12 and later the padding is that of a return's patch site.
    where:
      /^(x64_sys_call|do_fast_syscall_32|__do_sys_ni_syscall|vdso_fault)\+0x/,
    names: /bytes of .* are not those of the trusted image/,
    owner: null,
  },
];

for (const kernel of LONG ? [OLDEST, NEWEST] : KERNELS) {
  Deno.test(`the hooks in a ${kernel} guest are found and named`, async (t) => {
    const folder = await buildFixtures(kernel);
    const vmlinux = readKernelFile(await vmlinuzOf(kernel));
    await using guest = await bootGuest(kernel);
    using session = attachTo(guest, true);
    const options = { vmlinux };

    await t.step("nothing is found before", async () => {
      assertClean(await check(session.kernel, [], options));
    });
    const has = (name?: string) =>
      name === undefined
        ? undefined
        : session.kernel.symbols.tryAddress(name) !== undefined;
    for (const fixture of FIXTURES) {
      if (has(fixture.needs) === false || has(fixture.unless) === true) {
        continue;
      }
      const name = `${fixture.check} finds det_${fixture.module} ${
        fixture.parameters ?? ""
      }`.trim();
      await t.step(name, async () => {
        await found(guest, session, folder, fixture, options);
      });
    }
    await t.step(
      "XF019 finds recording switched off from outside",
      async () => {
        await recordingOff(session);
      },
    );
    await t.step(
      "XF021 and XF022 find the changed flow of a hooked call",
      async () => {
        await hookedFlow(guest, session, folder);
      },
    );
    if (LONG || kernel === KERNELS.at(-1)) {
      await t.step(
        "a recording of a hooked guest gives the same findings",
        async () => {
          await recorded(kernel, guest, session, folder);
        },
      );
      await t.step("text is checked without a trusted image", async () => {
        await textWithoutImage(kernel, guest, session);
      });
      await t.step(
        "the project's own module is recognised by its file",
        async () => {
          await ownModule(kernel, guest, session, folder);
        },
      );
      await t.step(
        "the command prints findings as text, JSON and SARIF",
        async () => {
          await commandLine(kernel, guest, folder);
        },
      );
    }
    await t.step("nothing is found afterwards", async () => {
      assertClean(await check(session.kernel, [], options));
    });
  });
}

async function found(
  guest: Guest,
  session: Session,
  folder: string,
  fixture: Fixture,
  options: CheckOptions,
): Promise<void> {
  const { module, owner } = fixture;
  const name = `det_${module}`;
  const parameters = await fixture.before?.(guest) ?? fixture.parameters ?? "";
  await guest.put(`${folder}/${name}.ko`, `/tmp/${name}.ko`);
  await guest.sh(`insmod /tmp/${name}.ko ${parameters}`);
  if (fixture.then !== undefined) await guest.sh(fixture.then);
  const run = await check(session.kernel, [fixture.check], {
    registers: () => session.registers(),
    ...options,
  });
  await guest.sh(
    `${fixture.after ?? "true"}; rmmod ${name} && ${fixture.last ?? "true"}`,
  );
  const findings = findingsOf(run);
  const right = findings.find(({ where, summary }) =>
    fixture.where.test(where) && fixture.names.test(summary)
  );
  assert.ok(
    right,
    `found instead: ${findings.map((f) => `${f.where}: ${f.summary}`)}`,
  );
  assert.equal(right.module, owner === null ? undefined : name);
}

async function recordingOff(session: Session): Promise<void> {
  const { kernel, memory } = session;
  const { object } = TraceArray.global(kernel).buffer();
  const { gpa } = kernel.space.translate(object.at("record_disabled"));
  const write = (from: number, to: number) => {
    memory.compareExchange(gpa, 4, BigInt(from), BigInt(to));
  };
  const before = object.number("record_disabled");
  write(before, before | RB_BUFFER_OFF);
  const findings = findingsOf(await check(kernel, ["XF019"]));
  const asked = await check(kernel, ["XF019"], {
    tracing: { tracingOn: false },
  });
  write(before | RB_BUFFER_OFF, before);
  assert.equal(findings.length, 1);
  assert.match(findings[0].summary, /switched off, but not through tracefs/);
  assertClean(asked);
}

async function recorded(
  series: string,
  guest: Guest,
  session: Session,
  folder: string,
): Promise<void> {
  const core = Deno.makeTempFileSync({ suffix: ".core" });
  try {
    await guest.put(`${folder}/det_seq.ko`, "/tmp/det_seq.ko");
    await guest.sh("insmod /tmp/det_seq.ko");
    await takeSnapshot(session, core, { full: true });
    const ids = ["XF001", "XF008", "XF010"];
    const live = findingsOf(await check(session.kernel, ids));
    await guest.sh("rmmod det_seq");
    using opened = openCoreSession(`core:${core}`, core);
    assert.deepEqual(findingsOf(await check(opened.kernel, ids)), live);
    assert.equal(live.length, 1);
    await damagedRecording(opened.kernel, {
      vmlinux: readKernelFile(await vmlinuzOf(series)),
    });

    // Part of the memory is missing, and this does not count as clean.
    await takeSnapshot(session, core);
    using partial = openCoreSession(`core:${core}`, core);
    const run = await check(partial.kernel);
    assert.deepEqual(findingsOf(run), []);
    assert.equal(verdictOf(run), "unjudged");
    for (const { check, unjudged, notRun, judged } of run.outcomes) {
      assert.ok(
        unjudged.length > 0 || notRun !== undefined || judged > 0,
        check.id,
      );
    }
  } finally {
    Deno.removeSync(core);
  }
}

/** Compares the flow of a system call with and without a hook. */
async function hookedFlow(
  guest: Guest,
  session: Session,
  folder: string,
): Promise<void> {
  const { kernel } = session;
  const functions =
    "*_sys_openat do_sys_openat2 do_fil*_open path_openat det_openat";
  const record = async () => {
    await guest.sh(
      `cd ${TRACEFS}; echo 1 > tracing_on; echo '${functions}' > set_ftrace_filter
       echo function_graph > current_tracer; echo > trace
       for i in $(seq 60); do cat /proc/uptime > /dev/null; done
       echo 0 > tracing_on`,
      SLOW,
    );
    const recorded = recordedFlow(kernel);
    assert.ok(recorded.events > 300, `${recorded.events} events`);
    return recorded;
  };
  const reset =
    `cd ${TRACEFS}; echo nop > current_tracer; echo > set_ftrace_filter; echo > trace; echo 1 > tracing_on`;
  const good = await record();
  const release = kernel.facts.release;
  const file = encodeBaseline({ ...good, release, buildId: null });
  const options = { baseline: decodeBaseline("test", file) };
  assertClean(await check(kernel, ["XF021", "XF022"], options));
  await guest.sh(reset, SLOW);

  await guest.put(`${folder}/det_ftrace.ko`, "/tmp/det_ftrace.ko");
  await guest.sh("insmod /tmp/det_ftrace.ko");
  const { flow } = await record();
  const findings = findingsOf(await check(kernel, ["XF021", "XF022"], options));
  await guest.sh(`rmmod det_ftrace; ${reset}`, SLOW);
  // Before 0c0593b45c9b (5.17), the graph tracer sees where a call was led to,
  // and not the function that was called.
  const early = kernel.symbols.tryAddress("ftrace_graph_caller") === undefined;
  const above = early ? "__x64_sys_openat" : "(root)";
  assert.deepEqual(
    findings.map(({ check, where, severity }) =>
      `${check} ${severity} ${where}`
    )
      .sort(),
    [
      `XF021 critical function below ${above}`,
      `XF021 medium ${above} -> det_openat [det_ftrace]`,
      ...(early ? ["XF022 medium __x64_sys_openat"] : []),
    ],
  );
  const { text, differences } = flowDiffText(
    good.flow,
    flow,
    early ? { root: above } : {},
  );
  console.log(text);
  if (early) assert.equal(differences, 2);
  assert.match(text, /^ +> +det_openat \[det_ftrace\]\(\)$/m);
}
