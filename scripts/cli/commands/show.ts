/** `xftrace show`: prints the trace as it happens, like trace_pipe. */
import type { Command } from "@commander-js/extra-typings";
import {
  END_TEXT,
  GuestGoneError,
  isBelievable,
  type Session,
  XftraceError,
} from "xftrace";
import {
  Follower,
  openInstance,
  pollGuest,
  SavedCmdlines,
} from "xftrace/ftrace";
import {
  FORMATS,
  guestTextOptions,
  LiveTrace,
  traceFileFacts,
  traceMeta,
  unfollowedSettings,
} from "xftrace/output";
import { givenGraphOptions, withGraphOptions } from "../graph_options.ts";
import { chosenFormat, FORMATS_HELP, RAW_HELP } from "../format_option.ts";
import { numberFor } from "../option_values.ts";
import { openGuest, withTarget } from "../target.ts";
import { count, note, traceOutput, warn } from "../terminal.ts";

const POLL_MS = 50;
/** How often to read thread names again and look at the guest's process, ms. */
const SLOW_MS = 500;

/** Registers `xftrace show` on the program. */
export function registerShow(program: Command): void {
  withGraphOptions(withTarget(program.command("show")))
    .summary("print the trace as it happens, like trace_pipe")
    .description(
      "Prints events as they happen, like trace_pipe, but from the host: nothing\n" +
        "is consumed in the guest, and nothing is written to it. Ctrl-C ends it.",
    )
    .option(
      "--instance <name>",
      "use this trace instance (default: the top level)",
    )
    .option("--raw", RAW_HELP)
    .option("-f, --format <name>", FORMATS_HELP, FORMATS[0].name)
    .option("--from-buffer", "start with what the buffers hold already")
    .option(
      "--for <seconds>",
      "stop after this many seconds",
      numberFor("--for"),
    )
    .addHelpText(
      "after",
      `
Examples:
  xftrace show -t qemu:web1
  xftrace show --for 5 --abstime --proc > five_seconds.txt
  xftrace show --format jsonl | jq .fields`,
    )
    .action(async (options) => {
      const format = chosenFormat(options);
      using guest = await openGuest(options);
      const { session } = guest;
      if (!session.memory.live) {
        throw new XftraceError(
          `${session.target} is a recording: nothing happens in it any more; \`xftrace report\` prints what it holds`,
        );
      }
      const { instance, events, layout } = openInstance(
        session,
        options.instance,
      );
      let saved = SavedCmdlines.read(session.kernel);
      const meta = traceMeta(instance, events, layout, {
        comm: (pid) => saved.tryComm(pid),
      });
      const own = guestTextOptions(instance);
      if (format.display === true) {
        for (const each of unfollowedSettings(instance.tracer, own)) {
          warn(each);
        }
      }
      const follower = new Follower(instance, layout, {
        fromBuffer: options.fromBuffer === true,
      });
      const graph = { ...own.graph, ...givenGraphOptions(options) };
      const { sink, options: how } = traceOutput(
        options.raw === true,
        format,
      );
      const live = new LiveTrace(
        follower,
        {
          meta,
          options: { ...own, graph },
          target: session.target,
          file: traceFileFacts(instance, events),
        },
        format.writer(sink, how),
      );
      let stop = false;
      const end = () => {
        stop = true;
      };
      Deno.addSignalListener("SIGINT", end);
      Deno.addSignalListener("SIGTERM", end);
      const until = options.for === undefined
        ? Infinity
        : performance.now() + options.for * 1000;
      const gone = await pollGuest({
        alive: () => session.alive(),
        stopped: () => stop || performance.now() >= until,
        slowMs: SLOW_MS,
        slow: () => {
          if (session.kernel.origin?.life() === "still") return;
          saved = SavedCmdlines.read(session.kernel);
          session.kernel.live.refresh();
          live.refresh();
        },
        poll: () => {
          // If the guest is restarting, its memory may be overwritten already.
          if (session.kernel.origin?.life() === "still") return POLL_MS;
          follower.poll();
          live.drain();
          return POLL_MS;
        },
      }) === "guest gone";
      readLast(follower, session);
      const { lost, dropped } = live.end();
      note(
        `${count(follower.totals().decoded)} events, ${count(lost)} lost` +
          (dropped > 0 ? `, ${count(dropped)} dropped by the guest` : ""),
      );
      if (gone) {
        throw new GuestGoneError(
          `${session.target} ${
            END_TEXT[session.end() ?? "ended"]
          }; what it had traced is above`,
        );
      }
      Deno.removeSignalListener("SIGINT", end);
      Deno.removeSignalListener("SIGTERM", end);
    });
}

/** Reads what the guest has written last, also if it is gone by now. */
function readLast(follower: Follower, session: Session): void {
  if (!isBelievable(session)) return;
  try {
    follower.poll();
  } catch (error) {
    if (!(error instanceof XftraceError) || session.end() === undefined) {
      throw error;
    }
    // The guest was in the middle of something when it ended.
  }
}
