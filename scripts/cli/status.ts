/** `xftrace status`: whether a guest records, and what a collector has. */
import type { Command } from "@commander-js/extra-typings";
import { ask } from "../collector/protocol.ts";
import { StateFolder, stateFolders } from "../collector/state.ts";
import { openInstance } from "./instance.ts";
import { openTarget, withTarget } from "./target.ts";
import { count, out, outJson, size, strong } from "./terminal.ts";

/** What `status --json` prints. */
export interface Status {
  readonly target: string;
  readonly tracer: string;
  readonly recording: boolean;
  /** What steers the guest: plain writes to its memory. */
  readonly control: "plain writes";
  /** `null` when `xftrace on` was not run. */
  readonly collector: {
    readonly started: string;
    readonly functions: readonly string[];
    readonly running: boolean;
    readonly events?: number;
    readonly lost?: number;
    readonly dropped?: number;
    /** Bytes kept on disk. */
    readonly bytes?: number;
  } | null;
}

/** Adds the command. */
export function registerStatus(program: Command): void {
  withTarget(program.command("status"))
    .summary("whether a guest records, and what was collected")
    .description("Shows whether a guest records, and what was collected of it.")
    .option("--instance <name>", "an instance in place of the top level")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Examples:
  xftrace status
  xftrace status -t qemu:web1 --json`,
    )
    .action(async (options) => {
      using session = openTarget(options);
      const { instance } = openInstance(session, options.instance);
      const folder = session.key === undefined
        ? undefined
        : new StateFolder(session.key);
      const state = folder?.read();
      let collector: Status["collector"] = null;
      if (folder !== undefined && state !== undefined) {
        const reply = await ask(folder.socket, { do: "status" });
        const { started, functions } = state;
        collector = reply !== undefined && "status" in reply
          ? { started, functions, running: true, ...reply.status }
          : { started, functions, running: false };
      }
      const status: Status = {
        target: session.target,
        tracer: instance.tracer,
        recording: instance.recording,
        control: "plain writes",
        collector,
      };
      if (options.json === true) outJson(status);
      else out(statusText(status) + leftovers(folder));
    });
}

function statusText(status: Status): string {
  const row = (name: string, value: string) =>
    `${strong(name.padEnd(10))} ${value}\n`;
  let text = row("target", status.target) +
    row(
      "recording",
      `${status.recording ? "on" : "off"}, tracer ${status.tracer}`,
    ) + row("control", status.control);
  const { collector } = status;
  if (collector === null) {
    return text + row("collector", "none; `xftrace on` starts one");
  }
  const what = collector.functions.length === 0
    ? "everything"
    : collector.functions.join(" ");
  text += row("collector", `${what}, since ${collector.started}`);
  if (!collector.running) {
    return text +
      row("", "it has ended; `xftrace off` writes what it kept");
  }
  return text + row(
    "",
    `${count(collector.events ?? 0)} events, ${
      count(collector.lost ?? 0)
    } lost, ${size(collector.bytes ?? 0)} kept`,
  );
}

/** Other guests' traces that nobody has ended. */
function leftovers(own: StateFolder | undefined): string {
  return stateFolders().filter((folder) =>
    folder.path !== own?.path && folder.readResult() !== undefined
  ).map((folder) => {
    const state = folder.read();
    const result = folder.readResult();
    return `\n${state?.target}: ${result?.reason}; \`xftrace off -t ${state?.target}\` writes what was collected\n`;
  }).join("");
}
