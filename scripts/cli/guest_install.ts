/**
 * `xftrace guest install -t`: prints the plan, and carries it out with --run.
 *
 * @module
 */
import { shown } from "xftrace";
import {
  AGENT_COMMANDS,
  type AgentInfo,
  buildModule,
  carryOutInstall,
  type GuestAgent,
  type InstallPlan,
  type InstallStep,
  type KernelName,
  MODULE_SOURCES,
  type ModuleFile,
  planInstall,
  readModuleFile,
  requireAbsent,
  withoutDebug,
} from "xftrace/install";
import { installedTexts } from "xftrace/seal";
import { shellWord } from "xftrace/targets";
import { keepBuiltModule } from "./check_state.ts";
import { agentOf } from "./guest_agent.ts";
import { Interrupt } from "./interrupt.ts";
import { usage } from "./option_values.ts";
import { readGiven } from "./user_files.ts";
import { openGuest, type TargetOptions } from "./target.ts";
import { note, out, outLine, size, strong, warn } from "./terminal.ts";

/** The options of `guest install -t`. */
export interface InstallOptions extends TargetOptions {
  readonly target: string;
  readonly run?: true;
  readonly module?: string;
  readonly ringKib?: string;
  /** Finds the headers of a kernel. */
  readonly headersOf: (kernel: KernelName) => string;
}

/**
 * Prints what installing would do, and does it if `run` is set.
 *
 * @throws {XftraceError} one sentence: what prevents it, and what to do.
 */
export async function installInGuest(options: InstallOptions): Promise<void> {
  using guest = await openGuest(options);
  const { session } = guest;
  const { kernel, target } = session;
  const parameters = ringParameters(options.ringKib);
  // Checks that need no answer from the guest come first, building comes last.
  requireAbsent(kernel, target);
  using agent = agentOf(session);
  const info = await agent.require(AGENT_COMMANDS);
  const { file, source } = await moduleFile(options, kernel.facts);
  const plan = planInstall(kernel, target, file, parameters);
  const texts = installedTexts(session);
  out(
    planText(plan, agent, info, kernel.facts.release, source, texts?.path),
  );
  if (options.run !== true) {
    note(
      `nothing was changed in the guest; to do it: xftrace guest install -t ${
        shellWord(target)
      } --run`,
    );
    return;
  }
  using interrupt = new Interrupt();
  const { kept, text, unjudged, left } = await carryOutInstall(
    kernel,
    agent,
    plan,
    (step) => {
      // The last step removes what was written, so it runs after Ctrl-C too.
      if (step !== plan.last) interrupt.check();
      note(`+ ${stepText(step).join(" ")}`);
    },
  );
  keepBuiltModule(file.bytes);
  texts?.save(kept);
  if (left !== undefined) warn(`${left}; remove it there yourself`);
  for (const why of unjudged) {
    warn(`its text could not be compared with the file: ${why}`);
  }
  outLine(
    `loaded: ${file.name} ${file.version} in ${target}; its text (${
      size(text.bytes)
    } at 0x${text.start.toString(16)}) ${
      unjudged.length === 0 ? "is the file's, read in guest memory" : "was read"
    }`,
  );
  outLine(
    texts === undefined
      ? "its digest is not kept: neither HOME nor XDG_STATE_HOME is set"
      : `kept: its digest, sha256 ${kept.text}`,
  );
}

function ringParameters(kib: string | undefined): string[] {
  if (kib === undefined) return [];
  const number = Number(kib);
  if (Number.isInteger(Math.log2(number)) && number >= 4) {
    return [`ring_kib=${number}`];
  }
  throw usage(
    `--ring-kib ${kib}: give a power of two, such as 4096`,
  );
}

/** The module that was named, or one built for the guest's kernel. */
async function moduleFile(
  options: InstallOptions,
  kernel: KernelName,
): Promise<{ file: ModuleFile; source: string }> {
  const { module } = options;
  if (module !== undefined) {
    const bytes = readGiven(module, { option: "--module" });
    return { file: readModuleFile(module, bytes), source: module };
  }
  const headers = options.headersOf(kernel);
  note(`building the module against ${headers}`);
  const bytes = await withoutDebug(
    await buildModule(MODULE_SOURCES, headers, "xftrace.ko"),
  );
  return {
    file: readModuleFile("xftrace.ko", bytes),
    source: `built against ${headers}`,
  };
}

/** A step as text: the agent's command, and what it does. */
function stepText(step: InstallStep): [call: string, what: string] {
  return step.do === "run"
    ? ["guest-exec", [step.program, ...step.args].join(" ")]
    : ["guest-file-write", `${step.path}, ${size(step.bytes.length)}`];
}

function planText(
  plan: InstallPlan,
  agent: GuestAgent,
  info: AgentInfo,
  release: string,
  source: string,
  kept: string | undefined,
): string {
  const { target, file, steps, last } = plan;
  let text = strong(shown(
    `Plan   install ${file.name} ${file.version}   target ${target}  kernel ${release}  agent ${info.version}, ${agent.where}`,
  )) + "\n";
  text += `Module   ${shown(source)}, ${
    size(file.bytes.length)
  }, sha256 ${file.sha256}\n`;
  text += "In the guest, by its agent, as the agent's user\n";
  [...steps, last].forEach((step, i) => {
    const [call, what] = stepText(step);
    text += `${String(i + 1).padStart(3)}  ${call.padEnd(17)} ${shown(what)}\n`;
  });
  text += "On this host\n";
  text += `${String(steps.length + 2).padStart(3)}  ${
    "compare".padEnd(17)
  } the module's text in guest memory with the file\n`;
  if (kept !== undefined) {
    text += `${String(steps.length + 3).padStart(3)}  ${
      "keep".padEnd(17)
    } the text's digest, in ${shown(belowHome(kept))}\n`;
  }
  for (const each of plan.obstacles) text += `In the way: ${shown(each)}\n`;
  const programs = [...steps, last].flatMap((step) =>
    step.do === "run" ? [step.program] : []
  );
  return text +
    `Trusted until then: the guest's kernel, its agent, and the programs ${
      shown(programs.join(", "))
    } there. The module stays until the guest restarts.\n`;
}

/** A path as people write it: `~/.local/state`. */
function belowHome(path: string): string {
  const home = Deno.env.get("HOME");
  return home !== undefined && path.startsWith(`${home}/`)
    ? `~${path.slice(home.length)}`
    : path;
}
