/** `xftrace check`: checks a guest's kernel for rootkits. */
import type { Command } from "@commander-js/extra-typings";
import {
  END_TEXT,
  EXIT,
  GuestGoneError,
  type Session,
  VERSION,
  XftraceError,
} from "xftrace";
import {
  type Check,
  type CheckOptions,
  type CheckRun,
  type CheckRunJson,
  checkRunJson,
  checks,
  findingsPage,
  findingsText,
  runChecks,
  sameThing,
  sarifLog,
  sealedFlow,
  selectChecks,
  summaryLine,
} from "xftrace/detect";
import { sleep } from "xftrace/ftrace";
import { pageOf, writeOutput } from "xftrace/output";
import { sameTold, toldByFile, toldByModule } from "../ask_guest.ts";
import { readBaseline } from "./baseline.ts";
import { builtModules, recordsOf } from "../check_state.ts";
import { readKernelFile } from "../kernel_file.ts";
import { moduleFiles } from "../module_files.ts";
import { nameList, usage } from "../option_values.ts";
import { oneTarget, openGuest, withTarget } from "../target.ts";
import { faint, out, outJson, outLine, strong } from "../terminal.ts";
import { whileThere } from "../while_there.ts";

/** Seconds between two runs of `--watch`. */
const WATCH_EVERY = 5;

/** Registers `xftrace check` on the program. */
export function registerCheck(program: Command): void {
  withTarget(program.command("check"))
    .summary("look for rootkits in a guest's kernel")
    .description(
      "Checks a guest's kernel from the host, while it runs or in a recording:\n" +
        "system calls, interrupts, hooks of every kind, tables of functions, text,\n" +
        "hidden modules and processes, and Ftrace's own switches. Whatever is found\n" +
        "is read again before it is reported. Nothing is written to the guest (except\n" +
        "with --ask-guest). The cache of symbols is never used.",
    )
    .argument("[target]", "the target; same as -t")
    .option("--only <ids>", "run only these checks: XF001,XF008", nameList)
    .option(
      "--vmlinuz <file>",
      "compare the kernel's text with this image, the vmlinuz that the guest booted",
    )
    .option(
      "--baseline <file>",
      "compare the recorded call flow with this baseline (see xftrace baseline)",
    )
    .option(
      "--recording <file>",
      "check the call flow of this sealed recording, made since the guest booted, instead of the buffer's",
    )
    .option(
      "--klog <file>",
      "the recording's key log (default: the one that it names)",
    )
    .option(
      "--modules <paths>",
      "compare modules' text with these .ko files, or folders of them; such modules may hook the kernel",
      nameList,
    )
    .option(
      "--trust-module <names>",
      "names of modules that may hook the kernel",
      nameList,
    )
    .option(
      "--no-record",
      "neither use nor keep the host's record of kernel text",
    )
    .option("--tracing-on <0|1>", "report tracing_on if it is not this", flag)
    .option("--tracer <name>", "report current_tracer if it is not this")
    .option(
      "--tracefs <file>",
      "compare memory with what tracefs says in the guest: a file with the output of grep -H '' tracing_on current_tracer set_graph_function there",
    )
    .option(
      "--ask-guest",
      "the same, but ask the xftrace module in the guest; writes to its mailbox",
    )
    .option(
      "--require-root",
      "exit with 3 unless the processors' registers show that they run the kernel that was read",
    )
    .option("--json", "print JSON")
    .option("--sarif", "print SARIF 2.1.0")
    .option("--html <file>", "also write a page for a browser to this file")
    .option("-d, --details", "also list hooks that are legitimate")
    .option("--list", "list the checks and what they look at")
    .option(
      "--watch [seconds]",
      "check again, every 5 seconds or as given; print changes only",
    )
    .addHelpText(
      "after",
      `
Exit codes: 0 clean, 2 findings, 3 not everything could be judged.

Examples:
  xftrace check
  xftrace check qemu:web1 --details
  xftrace check -t core:guest.core --sarif > guest.sarif
  xftrace check --html web1.html
  xftrace check --vmlinuz /boot/vmlinuz-6.1.0-56-amd64 --modules /lib/modules/6.1.0-56-amd64
  xftrace check --modules xftrace.ko
  xftrace check --only XF002,XF004 --watch 10`,
    )
    .action(async (target, options) => {
      if (options.list === true) return out(listText(checks));
      const selected = selectChecks(options.only ?? []);
      const named = oneTarget(target, options.target);
      // No cache: a verdict should not depend on another file of this host.
      using guest = await openGuest({
        ...options,
        cache: false,
        ...(named === undefined ? {} : { target: named }),
      }, { steered: options.askGuest === true });
      const { session } = guest;
      if (options.askGuest === true) session.memory.makeWritable();
      const said = expectations(options, session);
      const asks = options.askGuest === true;
      if (options.watch !== undefined) {
        if (options.html !== undefined) {
          throw usage("--watch never ends with one result: leave out --html");
        }
        const seconds = options.watch === true
          ? WATCH_EVERY
          : Number(options.watch);
        if (!(seconds > 0)) {
          throw usage(
            `--watch ${options.watch}: give seconds, such as --watch 10`,
          );
        }
        return await watch(session, selected, said, seconds, asks);
      }
      const run = asJson(
        session,
        await whileThere(
          session,
          "checked",
          () => once(session, selected, said, asks),
        ),
      );
      Deno.exitCode = exitOf(run);
      if (options.html !== undefined) {
        writeOutput(options.html, pageOf(findingsPage(run)), {
          option: "--html",
        });
      }
      if (options.json === true) outJson(run);
      else if (options.sarif === true) {
        outJson(sarifLog(run, selected, VERSION));
      } else {
        out(findingsText(run, { strong, faint }, options.details === true));
      }
      refuse(run);
    });
}

/** The options that say what the guest should be like. */
interface Said {
  readonly only?: string[];
  readonly vmlinuz?: string;
  readonly baseline?: string;
  readonly recording?: string;
  readonly klog?: string;
  readonly modules?: string[];
  readonly trustModule?: string[];
  readonly record: boolean;
  readonly tracingOn?: boolean;
  readonly tracer?: string;
  readonly tracefs?: string;
  readonly requireRoot?: boolean;
}

function expectations(said: Said, session: Session): CheckOptions {
  const {
    vmlinuz,
    baseline,
    modules,
    trustModule,
    tracingOn,
    tracer,
    tracefs,
  } = said;
  const records = said.record ? recordsOf(session) : undefined;
  const given = moduleFiles(modules ?? []);
  given.prepare(session.kernel.live.modules.map(({ name }) => name));
  const built = moduleFiles(builtModules());
  return {
    registers: () => session.registers(),
    unreadRam: () => session.unreadRam?.(),
    ...(said.requireRoot === true ? { requireRoot: true } : {}),
    ...(vmlinuz === undefined ? {} : { vmlinux: readKernelFile(vmlinuz) }),
    ...(baseline === undefined ? {} : { baseline: readBaseline(baseline) }),
    moduleFiles: (name) => [
      ...given(name),
      ...built(name).map((file) => ({ ...file, mayDiffer: true })),
    ],
    moduleFolders: (modules ?? []).filter((path) =>
      Deno.statSync(path).isDirectory
    ),
    ...(said.recording === undefined
      ? {}
      : { recorded: sealedFlow(said.recording, said.klog) }),
    ...(trustModule === undefined ? {} : { trustModules: trustModule }),
    ...(records === undefined ? {} : { textRecords: records }),
    asked: said.only !== undefined,
    tracing: {
      ...(tracingOn === undefined ? {} : { tracingOn }),
      ...(tracer === undefined ? {} : { tracer }),
      ...(tracefs === undefined ? {} : { told: toldByFile(tracefs) }),
    },
  };
}

/** Runs the checks once. */
function once(
  session: Session,
  selected: readonly Check[],
  options: CheckOptions,
  asks: boolean,
): Promise<CheckRun> {
  return asks
    ? asking(session, selected, options)
    : runChecks(session.kernel, selected, options);
}

function asJson({ kernel, target }: Session, run: CheckRun): CheckRunJson {
  const { release, buildId } = kernel.facts;
  return checkRunJson({ target, release, buildId }, run);
}

/**
 * Asks the module before and after the checks, and repeats them if the answers
 * differ: a setting that was changed meanwhile proves nothing.
 */
async function asking(
  session: Session,
  selected: readonly Check[],
  options: CheckOptions,
): Promise<CheckRun> {
  for (let attempt = 1;; attempt++) {
    const told = await toldByModule(session);
    const tracing = { ...options.tracing, told };
    const run = await runChecks(session.kernel, selected, {
      ...options,
      tracing,
    });
    const settled = sameTold(told, await toldByModule(session));
    if (settled || attempt === 3) return run;
  }
}

/** The exit code of a verdict. */
function exitOf({ verdict }: CheckRunJson): number {
  return verdict === "clean"
    ? EXIT.ok
    : verdict === "findings"
    ? EXIT.findings
    : EXIT.unjudged;
}

/** Throws unless the verdict is clean, with the verdict's exit code. */
function refuse(run: CheckRunJson): void {
  if (run.verdict === "clean") return;
  throw new XftraceError(
    run.verdict === "findings"
      ? `${run.target} is not clean`
      : `${run.target} could not be judged in full`,
    { exitCode: exitOf(run) },
  );
}

/** Checks until the guest is gone; prints what has changed since the last time. */
async function watch(
  session: Session,
  selected: readonly Check[],
  options: CheckOptions,
  seconds: number,
  asks: boolean,
): Promise<void> {
  let before: Map<string, string> | undefined;
  let last: CheckRunJson | undefined;
  const time = () => new Date().toISOString().slice(11, 19);
  while (before === undefined || session.alive()) {
    let result: CheckRun;
    try {
      result = await whileThere(
        session,
        "checked",
        () => once(session, selected, options, asks),
      );
    } catch (error) {
      if (error instanceof GuestGoneError && last !== undefined) break;
      throw error;
    }
    const { outcomes } = result;
    const run = asJson(session, result);
    const now = new Map(
      outcomes.flatMap(({ findings }) => findings).map((one) => [
        sameThing(one),
        `${one.check} ${one.severity}  ${one.summary}`,
      ]),
    );
    for (const { check, what, why } of run.unjudged) {
      now.set(`${check} ${what}`, `${check} not judged  ${what}: ${why}`);
    }
    for (const [key, text] of now) {
      if (before?.has(key) !== true) outLine(`${time()}  new   ${text}`);
    }
    for (const [key, text] of before ?? []) {
      if (!now.has(key)) outLine(`${time()}  gone  ${text}`);
    }
    if (before === undefined) outLine(`${time()}  ${summaryLine(run)}`);
    before = now;
    last = run;
    await sleep(seconds * 1000);
  }
  if (last !== undefined) refuse(last);
  const end = session.end() ?? "ended";
  if (end === "ended") return;
  throw new GuestGoneError(
    `${session.target} ${
      END_TEXT[end]
    }; it was clean when it was last checked, and can be checked again when it is up`,
  );
}

function listText(all: readonly Check[]): string {
  return all.map(({ id, title, technique, help }) =>
    `${strong(id)}  ${title} ${faint(`(ATT&CK ${technique})`)}\n` +
    wrap(help).map((line) => `       ${line}\n`).join("")
  ).join("");
}

function wrap(text: string): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.length - 1;
    const line = lines[last] === "" ? word : `${lines[last]} ${word}`;
    if (line.length > 72 && lines[last] !== "") lines.push(word);
    else lines[last] = line;
  }
  return lines;
}

function flag(text: string): boolean {
  if (text === "0" || text === "1") return text === "1";
  throw usage(`--tracing-on ${text}: give 0 or 1`);
}
