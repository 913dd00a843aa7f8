/** `xftrace doctor`: what a guest lacks to be traced. */
import type { Command } from "@commander-js/extra-typings";
import { EXIT, shown, XftraceError } from "xftrace";
import {
  listVms,
  parseTarget,
  resolveTarget,
  shareOptions,
  targetOf,
  type VmProcess,
} from "xftrace/targets";
import {
  type DoctorCheck,
  errorCheck,
  sessionChecks,
  vmChecks,
} from "../doctor_checks.ts";
import {
  oneTarget,
  openGuest,
  type TargetOptions,
  withTarget,
} from "../target.ts";
import { out, outJson, strong, styled } from "../terminal.ts";

/** What `doctor --json` prints for each target. */
export interface Diagnosis {
  readonly target: string;
  /** Whether the target can be traced: no check is a problem. */
  readonly ready: boolean;
  readonly checks: readonly DoctorCheck[];
}

/** Examines one target. */
async function diagnose(
  target: string,
  options: TargetOptions,
): Promise<Diagnosis> {
  const checks: DoctorCheck[] = [];
  try {
    const vm = vmOf(target);
    if (vm !== undefined) checks.push(...vmChecks(vm));
    if (checks.every((check) => check.status !== "problem")) {
      using guest = await openGuest({ ...options, target });
      const { session } = guest;
      checks.push(...sessionChecks(session));
    }
  } catch (error) {
    if (!(error instanceof XftraceError)) throw error;
    checks.push(errorCheck(checks.length === 0 ? "target" : "kernel", error));
  }
  const ready = checks.every((check) => check.status !== "problem");
  return { target, ready, checks };
}

/** The VM behind a target, even if its memory cannot be read. */
function vmOf(target: string): VmProcess | undefined {
  const spec = parseTarget(target);
  if (spec.kind === "core" || spec.kind === "dat" || spec.kind === "xfs") {
    return undefined;
  }
  if (spec.kind === "file") {
    const resolved = resolveTarget(target);
    return resolved.kind === "vm" ? resolved.vm : undefined;
  }
  const found = listVms().filter((vm) =>
    spec.kind === "pid"
      ? vm.pid === spec.pid
      : vm.named && vm.name === spec.name
  );
  if (found.length === 1) return found[0];
  const resolved = resolveTarget(target);
  return resolved.kind === "vm" ? resolved.vm : undefined;
}

const MARK = { ok: "ok", hint: "hint", problem: "PROBLEM" } as const;
const COLOUR = { ok: "green", hint: "yellow", problem: "red" } as const;

/** Formats a diagnosis as text. */
export function diagnosisText(diagnosis: Diagnosis): string {
  let text = strong(shown(diagnosis.target)) + "\n";
  for (const check of diagnosis.checks) {
    const mark = MARK[check.status].padEnd(8);
    text += `  ${styled(COLOUR[check.status], mark)} ${shown(check.found)}\n`;
    for (const step of check.fix) text += `           - ${shown(step)}\n`;
  }
  const hints = diagnosis.checks.some((check) => check.status === "hint");
  return text +
    (diagnosis.ready
      ? `  ready${hints ? "; the hints make it better" : ""}\n`
      : "  not ready\n");
}

/** Registers `xftrace doctor` on the program. */
export function registerDoctor(program: Command): void {
  withTarget(program.command("doctor"))
    .summary("say what a guest lacks to be traced, and how to add it")
    .description(
      "Checks what a guest needs to be traced, and says what is missing and how to\n" +
        "add it. Without a target, checks every VM of this host.",
    )
    .argument("[target]", "the target; same as -t")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Exit codes: 0 all targets are ready, 2 something is missing.

Examples:
  xftrace doctor
  xftrace doctor qemu:web1
  xftrace doctor core:web1.core.zst --json | jq -r '.[].checks[] | .fix[]'`,
    )
    .action(async (argument, options) => {
      const named = oneTarget(argument, options.target) ??
        (Deno.env.get("XFTRACE_TARGET") || undefined);
      const targets = named === undefined ? listVms().map(targetOf) : [named];
      const all: Diagnosis[] = [];
      for (const target of targets) all.push(await diagnose(target, options));
      if (options.json === true) outJson(all);
      else if (all.length === 0) {
        out(
          "no VM runs on this host\n" +
            `           - start one; with QEMU add: ${shareOptions(0)}\n`,
        );
      } else out(all.map(diagnosisText).join("\n"));
      if (all.length === 0 || all.some((one) => !one.ready)) {
        throw new XftraceError(
          all.length === 0
            ? "there is nothing to look at"
            : "not every target is ready: see the problems above",
          { exitCode: EXIT.findings },
        );
      }
    });
}
