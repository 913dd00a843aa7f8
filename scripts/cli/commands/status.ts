/** `xftrace status`: whether a guest records, and what its collector has. */
import type { Command } from "@commander-js/extra-typings";
import { type Session, shown } from "xftrace";
import { afterText } from "xftrace/control";
import { openInstance } from "xftrace/ftrace";
import {
  installedTexts,
  type ModuleState,
  moduleState,
  type PresenceFinding,
  type SealedStatus,
  SealedTracer,
} from "xftrace/seal";
import { shellWord } from "xftrace/targets";
import { ask } from "../../collector/protocol.ts";
import { isGone, StateFolder, stateFolders } from "../../collector/state.ts";
import { openGuest, withTarget } from "../target.ts";
import { whileThere } from "../while_there.ts";
import { count, out, outJson, shownPath, size, strong } from "../terminal.ts";

/** What `status --json` prints. */
export interface Status {
  readonly target: string;
  readonly tracer: string;
  readonly recording: boolean;
  /** How a trace of the guest is controlled, or would be. */
  readonly control: "plain writes" | "sealed module";
  /** The state that the guest's module reports; `null` when it has none. */
  readonly module: ModuleState | null;
  /** About a module that the host has loaded itself; `null` when it has not. */
  readonly installed: {
    /** When it was loaded, ISO 8601. */
    readonly since: string;
    /** How the module differs now from what was loaded; normally empty. */
    readonly findings: readonly PresenceFinding[];
  } | null;
  /** The trace that `xftrace on` started; `null` when there is none. */
  readonly collector: {
    readonly started: string;
    readonly functions: readonly string[];
    readonly running: boolean;
    /** Why it ended, when it no longer runs and could say so. */
    readonly ended?: string;
    readonly events?: number;
    readonly lost?: number;
    readonly dropped?: number;
    /** Bytes kept on disk. */
    readonly bytes?: number;
    /** Why nothing is collected any more: the file that cannot be written. */
    readonly failed?: string;
    /**
     * Files of tracefs that were set for `--tracer`: `current_tracer=function`.
     */
    readonly tracefs?: readonly string[];
    /** This and the rest: of a sealed trace. */
    readonly sealed?: SealedStatus;
    readonly recording?: string;
    readonly klog?: string;
    readonly rotateMs?: number;
  } | null;
}

/** Registers `xftrace status` on the program. */
export function registerStatus(program: Command): void {
  withTarget(program.command("status"))
    .summary("show whether a guest records, and what was collected")
    .description(
      "Shows whether a guest records, and what its collector has collected so far.",
    )
    .option(
      "--instance <name>",
      "use this trace instance (default: the top level)",
    )
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Examples:
  xftrace status
  xftrace status -t qemu:web1 --json`,
    )
    .action(async (options) => {
      using guest = await openGuest(options);
      const { session } = guest;
      const folder = session.key === undefined
        ? undefined
        : new StateFolder(session.key);
      const status = await whileThere(
        session,
        "read",
        () => statusOf(session, folder, options.instance),
        true,
      );
      if (options.json === true) outJson(status);
      else out(statusText(status) + leftovers(folder));
    });
}

/** The state of a guest, and of the trace that is on in it. */
async function statusOf(
  session: Session,
  folder: StateFolder | undefined,
  instanceName: string | undefined,
): Promise<Status> {
  const { instance } = openInstance(session, instanceName);
  const state = folder?.read();
  let collector: Status["collector"] = null;
  if (folder !== undefined && state !== undefined) {
    const reply = await ask(folder.socket, { do: "status" });
    const { started, functions, sealed, applied } = state;
    const files = applied.filter((one) => one.way === "tracefs");
    const asked = {
      started,
      functions,
      ...(state.byFiles
        ? {
          tracefs: files.map(({ change }) =>
            `${change.path}=${afterText(change)}`
          ),
        }
        : {}),
      ...(sealed === undefined ? {} : {
        recording: sealed.recordingPath,
        klog: sealed.klogPath,
        rotateMs: sealed.rotateMs,
      }),
    };
    collector = reply !== undefined && "status" in reply
      ? { ...asked, running: true, ...reply.status }
      : { ...asked, running: false, ...endedWhy(folder) };
  }
  const { module, installed } = findModule(session);
  return {
    target: session.target,
    tracer: instance.tracer,
    recording: instance.recording,
    control:
      (state === undefined ? module !== null : state.sealed !== undefined)
        ? "sealed module"
        : "plain writes",
    module,
    installed,
    collector,
  };
}

/**
 * The guest's module, if it has one, and whether it is the one that was loaded.
 */
function findModule(session: Session): Pick<Status, "module" | "installed"> {
  const tracer = SealedTracer.find(session);
  const kept = installedTexts(session)?.load();
  return {
    module: tracer === undefined ? null : moduleState(tracer.page),
    installed: kept === undefined ? null : {
      since: kept.since,
      findings: tracer?.presence.full() ?? [{
        problem: "module gone",
        detail: "the module that was installed is not loaded any more",
      }],
    },
  };
}

/** Why a collector that no longer runs ended, if it could say so. */
function endedWhy(folder: StateFolder): { readonly ended?: string } {
  const reason = folder.readResult()?.reason;
  return reason === undefined ? {} : { ended: reason };
}

/** A line of the text: a name and its value. */
function row(name: string, value: string): string {
  return `${strong(name.padEnd(10))} ${shown(value)}\n`;
}

function statusText(status: Status): string {
  let text = row("target", status.target) +
    row(
      "recording",
      `${status.recording ? "on" : "off"}, tracer ${status.tracer}`,
    ) + row("control", controlText(status)) + installedText(status);
  const { collector } = status;
  if (collector === null) {
    return text + row("collector", "none; `xftrace on` starts one");
  }
  const what = collector.functions.length === 0
    ? "everything"
    : collector.functions.join(" ");
  text += row("collector", `${what}, since ${collector.started}`);
  if (collector.tracefs !== undefined) {
    text += row("tracefs", collector.tracefs.join("  "));
  }
  if (!collector.running) {
    const { ended } = collector;
    return text + row(
      "",
      ended !== undefined && isGone({ reason: ended })
        ? `${ended}; \`xftrace off\` writes what was collected`
        : collector.klog === undefined
        ? "it has ended; `xftrace off` writes what it kept"
        : "it has ended without ending the trace: `xftrace on --resume` goes on, `xftrace off` ends it",
    );
  }
  const { sealed, failed } = collector;
  if (failed !== undefined) {
    text += row(
      "FAILED",
      `${failed}; nothing is collected any more: run \`xftrace off\``,
    );
  }
  if (sealed !== undefined) {
    const epochs = sealed.cpus.map(({ cpu, epoch }) =>
      `${epoch} on CPU ${cpu}`
    );
    text += row(
      "keys",
      `${count(sealed.keySwitches)} taken, each ${collector.rotateMs} ms` +
        (epochs.length === 0 ? "" : `; epoch ${epochs.join(", ")}`),
    ) + row(
      "heartbeat",
      `answered ${(sealed.heartbeatAgeMs / 1000).toFixed(1)} s ago`,
    ) + row(
      "files",
      `${shownPath(collector.recording ?? "")}, keys ${
        shownPath(collector.klog ?? "")
      }`,
    );
    for (const { problem, detail } of sealed.findings) {
      text += row("FOUND", `${problem}: ${detail}`);
    }
  }
  return text + row(
    "",
    `${count(collector.events ?? 0)} events, ${
      count(collector.lost ?? 0)
    } lost, ${size(collector.bytes ?? 0)} kept`,
  );
}

/** Whether the module is still what the host has loaded. */
function installedText({ installed }: Status): string {
  if (installed === null) return "";
  const { since, findings } = installed;
  if (findings.length === 0) {
    return row("module", `installed ${since}; its text is what it was then`);
  }
  return findings.map(({ problem, detail }) =>
    row("FOUND", `${problem}: ${detail}`)
  ).join("");
}

function controlText({ control, module, collector }: Status): string {
  if (module === null) {
    return collector?.klog === undefined
      ? control
      : "the guest's module, which is gone";
  }
  const { seal, registered, enabled, phase } = module;
  if (control === "plain writes") return `${control}; its module is idle`;
  if (!enabled && !registered) {
    return `its module, which is loaded and ${phase}`;
  }
  return `its module: ${enabled ? "on" : "off"}, seal ${seal}`;
}

/** Traces of other guests that wait for `xftrace off`. */
function leftovers(own: StateFolder | undefined): string {
  return stateFolders().filter((folder) =>
    folder.path !== own?.path && folder.readResult() !== undefined
  ).map((folder) => {
    const state = folder.read();
    const result = folder.readResult();
    const does = state?.migrated === true
      ? "says how to undo the rest"
      : state?.collected === true
      ? "undoes the rest"
      : "writes what was collected";
    const reason = shown(result?.reason ?? "");
    return `\n${shown(state?.target ?? "")}: ${reason}; \`xftrace off -t ${
      shown(shellWord(state?.target ?? ""))
    }\` ${does}\n`;
  }).join("");
}
