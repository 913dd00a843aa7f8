/**
 * Installs the module in a running guest through the guest's agent: planning,
 * and carrying out the plan.
 *
 * During the installation, the agent, the programs that it runs and the kernel
 * are trusted. Once the host has read the module's text in guest memory and
 * computed its digest, they are no longer trusted.
 *
 * @module
 */
import type { GuestAgent } from "../agent/agent.ts";
import { EXIT, KernelError, XftraceError } from "../base/errors.ts";
import { shellWord } from "../base/shell_word.ts";
import { shownText } from "../base/shown.ts";
import { moduleTextIntegrity } from "../detect/checks/xf024_module_text.ts";
import { runChecks } from "../detect/core/runner.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import { ControlPage, MODULE_NAME } from "../seal/page/control_page.ts";
import {
  type InstalledText,
  installedText,
} from "../seal/page/installed_text.ts";
import type { ModuleFile } from "./module_file.ts";
import { obstacles } from "./obstacles.ts";

/**
 * The commands of the agent that an installation uses.
 *
 * @example
 * ```ts
 * import { AGENT_COMMANDS } from "xftrace/install";
 *
 * console.log(AGENT_COMMANDS.join(",")); // what qemu-ga must allow
 * ```
 */
export const AGENT_COMMANDS = [
  "guest-exec",
  "guest-exec-status",
  "guest-file-open",
  "guest-file-write",
  "guest-file-close",
] as const;

/** A step in the guest. Steps are carried out in order. */
export type InstallStep =
  | {
    readonly do: "run";
    readonly program: string;
    readonly args: readonly string[];
  }
  | {
    readonly do: "write";
    readonly path: string;
    readonly bytes: Uint8Array;
  };

/** The steps that install a module. */
export interface InstallPlan {
  readonly target: string;
  readonly file: ModuleFile;
  readonly steps: readonly InstallStep[];
  /** Carried out even if one of the steps fails. */
  readonly last: InstallStep;
  /**
   * The requirements of the guest's kernel for modules; see
   * {@linkcode obstacles}.
   */
  readonly obstacles: readonly string[];
}

/** The result of an installation. */
export interface Installed {
  /** To be stored on the host. */
  readonly kept: InstalledText;
  /** The address of the module's text, and its size. */
  readonly text: { readonly start: bigint; readonly bytes: number };
  /**
   * Why parts of its text could not be compared with the file; usually empty.
   */
  readonly unjudged: readonly string[];
  /** Why something was left in the guest; usually undefined. */
  readonly left: string | undefined;
}

/** How long the module's control page may take to appear, in milliseconds. */
const APPEAR_MS = 15_000;
const LOOK_MS = 50;
/**
 * How long loading may take, in milliseconds: an emulated guest needs seconds.
 */
const LOAD_MS = 120_000;

/**
 * Plans an installation, without asking the guest anything.
 *
 * @param parameters parameters of the module, such as `ring_kib=4096`
 * @throws {XftraceError} when the file is for another kernel, or the guest has
 * the module already.
 *
 * @example
 * ```ts ignore
 * import { planInstall, readModuleFile } from "xftrace/install";
 * import { open } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1");
 * const file = readModuleFile("xftrace.ko", Deno.readFileSync("xftrace.ko"));
 * const plan = planInstall(guest.session.kernel, guest.target, file);
 * for (const step of plan.steps) console.log(step.do);
 * ```
 */
export function planInstall(
  kernel: Kernel,
  target: string,
  file: ModuleFile,
  parameters: readonly string[] = [],
): InstallPlan {
  const { release } = kernel.facts;
  if (file.name !== MODULE_NAME) {
    throw new XftraceError(
      `${file.source} is the module ${file.name}, not ${MODULE_NAME}; give what xftrace guest build has made`,
    );
  }
  if (file.release !== release) {
    throw new XftraceError(
      `${file.source} is for the kernel ${file.release}, and ${target} runs ${release}; build it for that one: xftrace guest build -t ${
        shellWord(target)
      }`,
    );
  }
  requireAbsent(kernel, target);
  // The agent creates files that everyone may write. Since nobody else in the
  // guest may enter this folder, nobody can change the file before it is
  // loaded.
  const folder = `/run/xftrace-${
    crypto.getRandomValues(new Uint8Array(8)).toHex()
  }`;
  const path = `${folder}/${MODULE_NAME}.ko`;
  return {
    target,
    file,
    steps: [
      { do: "run", program: "mkdir", args: ["-m", "700", folder] },
      { do: "write", path, bytes: file.bytes },
      { do: "run", program: "insmod", args: [path, ...parameters] },
    ],
    last: { do: "run", program: "rm", args: ["-r", folder] },
    obstacles: obstacles(kernel, file),
  };
}

/**
 * Fails when the module is already loaded in a guest.
 *
 * @throws {XftraceError} with a sentence that says whether it is the same
 * version.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { requireAbsent } from "xftrace/install";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * requireAbsent(guest.session.kernel, guest.target);
 * ```
 */
export function requireAbsent(kernel: Kernel, target: string): void {
  kernel.live.refresh();
  const module = kernel.live.modules.find(({ name }) => name === MODULE_NAME);
  if (module === undefined) return;
  const other = versionOf(kernel);
  const unload = `unload it in the guest first: rmmod ${MODULE_NAME}`;
  throw new XftraceError(
    other === undefined
      ? `${target} has the module ${MODULE_NAME} already; there is nothing to do, or, to load another build of it, ${unload}`
      : `${target} has a module ${MODULE_NAME} already, of another version (${other}); ${unload}`,
  );
}

/** Why a loaded module cannot be used; undefined if it can. */
function versionOf(kernel: Kernel): string | undefined {
  try {
    ControlPage.find(kernel);
    return undefined;
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return error.message;
  }
}

/**
 * Carries out a plan, and reads from guest memory what was loaded.
 *
 * @param onStep called before each step
 * @throws {XftraceError} with a sentence that includes the kernel's own reason
 * if it refuses the module; files written to the guest are removed.
 *
 * @example
 * ```ts ignore
 * import { carryOutInstall, planInstall, readModuleFile } from "xftrace/install";
 * import { open, openAgent } from "xftrace/live";
 * import { resolveTarget } from "xftrace/targets";
 *
 * await using guest = await open("qemu:web1");
 * const resolved = resolveTarget(guest.target);
 * if (resolved.kind === "vm") {
 *   using agent = openAgent(resolved.vm, guest.target);
 *   const file = readModuleFile("xftrace.ko", Deno.readFileSync("xftrace.ko"));
 *   const { kernel } = guest.session;
 *   const plan = planInstall(kernel, guest.target, file);
 *   const { text } = await carryOutInstall(kernel, agent, plan);
 *   console.log(text.bytes, "bytes of code were loaded");
 * }
 * ```
 */
export async function carryOutInstall(
  kernel: Kernel,
  agent: GuestAgent,
  plan: InstallPlan,
  onStep: (step: InstallStep) => void = () => {},
): Promise<Installed> {
  let failure: unknown;
  try {
    for (const step of plan.steps) {
      onStep(step);
      await carryOut(agent, plan, step);
    }
  } catch (error) {
    failure = error;
  }
  let left: string | undefined;
  try {
    onStep(plan.last);
    await carryOut(agent, plan, plan.last);
  } catch (error) {
    // The first failure is the one to report.
    if (!(error instanceof XftraceError)) throw error;
    left = error.message;
  }
  if (failure !== undefined) throw failure;
  const page = await appeared(kernel, plan.target);
  const unjudged = await compareWithFile(kernel, plan);
  const { start, end } = page.module.text;
  return {
    kept: installedText(page, plan.file.sha256),
    text: { start, bytes: Number(end - start) },
    unjudged,
    left,
  };
}

async function carryOut(
  agent: GuestAgent,
  plan: InstallPlan,
  step: InstallStep,
): Promise<void> {
  if (step.do === "write") return await agent.writeFile(step.path, step.bytes);
  const { program, args } = step;
  const { status, out, err } = await agent.run(program, args, {
    timeoutMs: LOAD_MS,
  });
  if (status === 0) return;
  const said = shownText(err) || shownText(out) ||
    `it ended with status ${status} and said nothing`;
  throw new XftraceError(
    program === "insmod"
      ? [`the kernel of ${plan.target} refuses the module: ${said}`]
        .concat(plan.obstacles).join("; ")
      : `"${[program, ...args].join(" ")}" failed in ${plan.target}: ${said}`,
  );
}

/** Waits for the module's control page to appear. */
async function appeared(kernel: Kernel, target: string): Promise<ControlPage> {
  const until = performance.now() + APPEAR_MS;
  for (;;) {
    const page = ControlPage.find(kernel);
    if (page !== undefined) return page;
    if (performance.now() > until) {
      throw new XftraceError(
        `the agent of ${target} says that the module is loaded, but it is not in the guest's memory; read the messages of the guest's kernel (dmesg), and consider whether the agent can be trusted`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/**
 * Compares the loaded module with the file that was handed over.
 *
 * @returns what could not be compared
 * @throws {XftraceError} when they differ.
 */
async function compareWithFile(
  kernel: Kernel,
  { target, file }: InstallPlan,
): Promise<string[]> {
  const { outcomes } = await runChecks(kernel, [moduleTextIntegrity], {
    moduleFiles: (name) => name === MODULE_NAME ? [file.object] : [],
  });
  const [finding] = outcomes.flatMap(({ findings }) => findings);
  if (finding !== undefined) {
    throw new XftraceError(
      `what ${target} has loaded is not the file that was handed over: ${finding.summary}`,
      { exitCode: EXIT.findings },
    );
  }
  // What is said of the whole check concerns this module as well.
  const unjudged = outcomes.flatMap(({ unjudged }) => unjudged)
    .filter(({ what }) =>
      what === moduleTextIntegrity.title || what.includes(MODULE_NAME)
    )
    .map(({ why }) => why);
  // No other module is compared with a file.
  const compared = outcomes.some(({ judged }) => judged > 0);
  return compared || unjudged.length > 0
    ? unjudged
    : ["the guest's kernel does not list it among its modules"];
}
