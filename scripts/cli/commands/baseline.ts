/** `xftrace baseline` and `xftrace diff`: learn call flows and compare them. */
import type { Command } from "@commander-js/extra-typings";
import { existsSync } from "node:fs";
import { EXIT, shown, XftraceError } from "xftrace";
import {
  addFlow,
  type Baseline,
  decodeBaseline,
  encodeBaseline,
  flowDiffPage,
  flowDiffText,
  flowText,
  recordedFlow,
  sealedFlow,
} from "xftrace/detect";
import { pageOf, writeOutput } from "xftrace/output";
import { shellWord } from "xftrace/targets";
import { usage } from "../option_values.ts";
import { readGivenText } from "../user_files.ts";
import {
  oneTarget,
  openGuest,
  type TargetOptions,
  withTarget,
} from "../target.ts";
import { note, out, outJson, strong } from "../terminal.ts";

/**
 * Reads the file of a baseline.
 *
 * @throws {XftraceError} when it cannot be read or is not a baseline.
 */
export function readBaseline(path: string): Baseline {
  return decodeBaseline(path, readGivenText(path));
}

/** A call flow, and whether a part of it could not be read. */
interface LearnedFlow extends Baseline {
  readonly partial?: boolean;
}

/**
 * Learns the call flow that the target's buffer, or a sealed recording, holds.
 */
async function learn(
  options: TargetOptions & { readonly recording?: string; klog?: string },
): Promise<LearnedFlow> {
  if (options.recording !== undefined) {
    return sealed(options.recording, options.klog);
  }
  // No cache: its key is the BUILD-ID, which a manipulated guest could forge.
  using guest = await openGuest({ ...options, cache: false });
  const { session } = guest;
  const { flow, events, problems } = recordedFlow(session.kernel);
  for (const problem of problems) note(`xftrace: ${problem}`);
  if (events === 0) {
    throw new XftraceError(
      `${session.target} has recorded no functions; record some first: xftrace on, or the function_graph tracer in the guest`,
    );
  }
  const { release, buildId } = session.kernel.facts;
  return {
    release,
    buildId: buildId ?? null,
    events,
    flow,
    ...(problems.length > 0 ? { partial: true } : {}),
  };
}

/** Learns the call flow of a sealed recording, which has no BUILD-ID. */
function sealed(path: string, klog?: string): Baseline {
  const { flow, events, problems, release } = sealedFlow(path, klog);
  if (problems.length > 0) {
    throw new XftraceError(
      `${path} is not whole and genuine (${
        problems.join("; ")
      }); see: xftrace verify ${shellWord(path)}`,
    );
  }
  return { release, buildId: null, events, flow };
}

/** Registers `xftrace baseline` and `xftrace diff` on the program. */
export function registerBaseline(program: Command): void {
  const baseline = program.command("baseline")
    .summary("learn the call flow of a kernel that is known to be good")
    .description(
      "A baseline is a file that says which functions call which, as recorded in a\n" +
        "guest that is known to be good. xftrace check --baseline and xftrace diff\n" +
        "compare other recordings with it.",
    );
  withTarget(baseline.command("learn"))
    .summary(
      "write a baseline from a guest's trace buffer or a sealed recording",
    )
    .description(
      "Writes a baseline from what the guest's top-level trace buffer holds. Record\n" +
        "something first, with the tracer function_graph or function.",
    )
    .requiredOption("-o, --output <file>", "the file to write")
    .option("--recording <file>", "learn from this sealed recording instead")
    .option(
      "--klog <file>",
      "the recording's key log (default: the one that it names)",
    )
    .option("--add", "add to the baseline that is in the file")
    .addHelpText(
      "after",
      `
Examples:
  xftrace baseline learn -t qemu:web1 -o web1.baseline
  xftrace baseline learn -t qemu:web1 -o web1.baseline --add
  xftrace baseline learn --recording trace.xfs -o web1.baseline`,
    )
    .action(async (options) => {
      let learned = await learn(options);
      if (options.add === true) {
        const before = readBaseline(options.output);
        const other = before.release !== learned.release ||
          (before.buildId !== null && learned.buildId !== null &&
            before.buildId !== learned.buildId);
        if (other) {
          throw new XftraceError(
            `${options.output} is of another kernel (${before.release}) than the guest's (${learned.release}); write to another file`,
          );
        }
        addFlow(learned.flow, before.flow);
        learned = {
          ...learned,
          buildId: learned.buildId ?? before.buildId,
          events: learned.events + before.events,
        };
      }
      writeOutput(options.output, encodeBaseline(learned), { mode: 0o644 });
      note(
        `${options.output}: ${learned.flow.size} functions out of ${learned.events} events`,
      );
    });
  baseline.command("show")
    .summary("print a baseline as a tree")
    .description("Prints a baseline as a tree of calls.")
    .argument("<file>", "a baseline, as `baseline learn` writes it")
    .argument("[function]", "only below this function")
    .option("--depth <levels>", "how many levels to show", Number, 6)
    .option("--json", "print JSON")
    .action((path, root, options) => {
      const { flow, release, events } = readBaseline(path);
      if (options.json === true) {
        return outJson(JSON.parse(encodeBaseline(readBaseline(path))));
      }
      if (root !== undefined) requireFunction(root, [flow]);
      out(strong(shown(`${release}, ${events} events`)) + "\n");
      const { depth } = options;
      out(flowText(flow, root === undefined ? { depth } : { root, depth }));
    });
  withTarget(program.command("diff"), "none; b must be given")
    .summary("compare two call flows side by side")
    .description(
      "Draws two call flows side by side, and marks calls that only one of them has:\n" +
        "< only in a, > only in b. Each is a baseline, a sealed recording, or a target\n" +
        "whose trace buffer is read. A target that is given with -t is b.",
    )
    .argument(
      "<a>",
      "a baseline, a sealed recording (.xfs), or a target (qemu:NAME, core:PATH)",
    )
    .argument("[b]", "the same; omitted when -t names a target")
    .argument("[function]", "only below this function")
    .option("--depth <levels>", "how many levels to show", Number, 6)
    .option("--html <file>", "also write a page for a browser to this file")
    .addHelpText(
      "after",
      `
Exit codes: 0 the flows are equal, 2 they differ, 3 a part could not be read.

Examples:
  xftrace diff good.baseline qemu:web1 __x64_sys_openat
  xftrace diff good.baseline -t qemu:web1 __x64_sys_openat
  xftrace diff good.baseline core:guest.core --html diff.html`,
    )
    .action(async (a, second, third, options) => {
      const { b, root } = otherSide(second, third, options.target);
      const { depth } = options;
      const one = await flowOf(a, options);
      const other = await flowOf(b, options);
      if (root !== undefined) requireFunction(root, [one.flow, other.flow]);
      const drawn = root === undefined ? { depth } : { root, depth };
      const { text, differences, hidden } = flowDiffText(
        one.flow,
        other.flow,
        drawn,
      );
      const unread = one.partial === true || other.partial === true;
      if (options.html !== undefined) {
        const page = flowDiffPage(one.flow, other.flow, [a, b], drawn, unread);
        writeOutput(options.html, pageOf(page), { option: "--html" });
      }
      Deno.exitCode = differences > 0
        ? EXIT.findings
        : unread
        ? EXIT.unjudged
        : EXIT.ok;
      out(text);
      if (differences === 0 && unread) {
        throw new XftraceError(
          `${a} and ${b} do not differ in what could be read of them`,
          { exitCode: EXIT.unjudged },
        );
      }
      if (differences === 0) return;
      throw new XftraceError(
        `${a} and ${b} differ in ${differences} calls` +
          (hidden === 0
            ? ""
            : `, ${hidden} of them deeper than is shown, or below no root; see --depth, or name a function`),
        { exitCode: EXIT.findings },
      );
    });
}

/**
 * Assigns the arguments after the first: the second flow, and the function that
 * both are limited to. A target with -t replaces the second argument.
 *
 * @throws {XftraceError} (exit code 64) when there is no second flow, or two.
 */
export function otherSide(
  second: string | undefined,
  third: string | undefined,
  target: string | undefined,
): { readonly b: string; readonly root: string | undefined } {
  if (target === undefined || third !== undefined || isSource(second)) {
    const b = oneTarget(second, target);
    if (b !== undefined) return { b, root: third };
    throw usage(
      "diff compares two flows, and one is given; name the other too, or a target with -t",
    );
  }
  return { b: target, root: second };
}

const TARGET = /^(qemu|pid|file|core):/;

/** Whether an argument is a flow's source rather than a function. */
function isSource(argument: string | undefined): boolean {
  if (argument === undefined) return false;
  return TARGET.test(argument) || argument.includes("/") ||
    argument.endsWith(".xfs") || existsSync(argument);
}

/** The call flow of a file or of a target. */
async function flowOf(
  source: string,
  options: TargetOptions,
): Promise<LearnedFlow> {
  return TARGET.test(source)
    ? await learn({ ...options, target: source })
    : source.endsWith(".xfs")
    ? sealed(source)
    : readBaseline(source);
}

function requireFunction(
  name: string,
  flows: readonly Baseline["flow"][],
): void {
  if (flows.some((flow) => flow.has(name))) return;
  throw usage(
    `${name} was not recorded; the roots are shown when no function is given`,
  );
}
