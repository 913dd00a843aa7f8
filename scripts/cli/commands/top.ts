/** `xftrace top`: sums of a trace, refreshed while it goes on. */
import type { Command } from "@commander-js/extra-typings";
import { GuestGoneError } from "xftrace";
import { numberFor, usage } from "../option_values.ts";
import { openGuest, withTarget } from "../target.ts";
import { out } from "../terminal.ts";
import { LiveTop } from "../traces/live_top.ts";
import { BY_NAME, TABLES } from "../top/columns.ts";
import { jsonLine, plainLines, type PlainOptions } from "../top/plain.ts";
import { Screen } from "../top/screen.ts";
import { type Shown, TopView } from "../top/view.ts";

const TITLES = [
  ...new Set(
    TABLES.flatMap(({ columns }) => columns.map(({ title }) => title)),
  ),
  BY_NAME,
];

/** Registers `xftrace top` on the program. */
export function registerTop(program: Command): void {
  withTarget(program.command("top"))
    .summary("show functions and system calls by time, refreshed")
    .description(
      "Shows what a guest's trace says now: functions and system calls by time and\n" +
        "calls, with their latencies, losses, and the state of a sealed trace. It\n" +
        "shows what the guest records (`xftrace on` begins that), and writes nothing\n" +
        "to it. Keys: ? lists them. Without a terminal, prints lines.",
    )
    .option(
      "--instance <name>",
      "use this trace instance (default: the top level)",
    )
    .option("--from-buffer", "start with what the buffers hold already")
    .option(
      "-i, --interval <seconds>",
      "refresh so often",
      numberFor("--interval"),
      1,
    )
    .option(
      "--for <seconds>",
      "stop after this many seconds",
      numberFor("--for"),
    )
    .option(
      "-n, --count <number>",
      "stop after so many intervals",
      numberFor("--count"),
    )
    .option(
      "--table <name>",
      `${
        TABLES.map(({ name }) => name).join(", ")
      }: begin with this one; without a terminal, print it alone`,
    )
    .option(
      "--sort <column>",
      `sort by this column: ${TITLES.join(", ")} (default: TIME)`,
    )
    .option(
      "--filter <text>",
      "only names with this text; * stands for anything",
    )
    .option(
      "--rows <number>",
      "rows of each table, without a terminal",
      numberFor("--rows"),
      15,
    )
    .option("--plain", "print lines, even on a terminal")
    .option("--json", "print a line of JSON for each interval; times in ns")
    .addHelpText(
      "after",
      `
Examples:
  xftrace on sys_openat sys_read; xftrace top
  xftrace top -t qemu:web1 --sort P99
  xftrace top --plain --for 10 --rows 5
  xftrace top --json -n 60 | jq .functions[0]`,
    )
    .action(async (options) => {
      const how = { ...chosen(options), rows: options.rows };
      if (options.interval < 0.1) {
        throw usage("--interval takes at least 0.1 seconds");
      }
      using guest = await openGuest(options);
      const top = new LiveTop(guest, options);
      const screen = options.plain !== true && options.json !== true &&
        Deno.stdout.isTerminal();
      if (screen) await onScreen(top, how);
      else await inLines(top, how, options.json === true);
    });
}

/** @throws {XftraceError} when a table or column does not exist. */
function chosen(
  { table: name, sort, filter }: {
    readonly table?: string;
    readonly sort?: string;
    readonly filter?: string;
  },
): Omit<PlainOptions, "rows"> {
  const table = TABLES.find((table) => table.name === name);
  if (name !== undefined && table === undefined) {
    throw usage(
      `--table takes ${
        TABLES.map(({ name }) => name).join(", ")
      }, and not "${name}"`,
    );
  }
  const title = sort?.toUpperCase();
  if (title !== undefined && !TITLES.includes(title)) {
    throw usage(`--sort takes ${TITLES.join(", ")}, and not "${sort}"`);
  }
  const columns = (table ?? TABLES[0]).columns;
  if (
    title !== undefined && title !== BY_NAME && table !== undefined &&
    !columns.some((column) => column.title === title)
  ) {
    throw usage(`the table ${table.name} has no column ${title}`);
  }
  return {
    ...(table === undefined ? {} : { table }),
    ...(title === undefined ? {} : { sort: title }),
    ...(filter === undefined ? {} : { filter }),
  };
}

/** Catches the signals that end the command. */
function untilSignal(): Disposable & { readonly ended: boolean } {
  let ended = false;
  const end = () => {
    ended = true;
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, end);
  return {
    get ended() {
      return ended;
    },
    [Symbol.dispose]: () => {
      for (const signal of signals) Deno.removeSignalListener(signal, end);
    },
  };
}

async function inLines(
  top: LiveTop,
  how: PlainOptions,
  json: boolean,
): Promise<void> {
  using signals = untilSignal();
  const print = () => {
    const shown = top.shown();
    if (json) out(`${jsonLine(shown, how)}\n`);
    else out(plainLines(shown, how).join("\n") + "\n");
  };
  try {
    await top.run(() => signals.ended, print);
  } catch (error) {
    // The end of the last interval was not printed.
    if (error instanceof GuestGoneError) print();
    throw error;
  }
}

async function onScreen(top: LiveTop, how: PlainOptions): Promise<void> {
  using signals = untilSignal();
  let quit = false;
  let last: Shown = top.shown();
  const view = new TopView(last, how);
  try {
    using screen = new Screen((key) => {
      const action = view.press(key);
      if (action === "quit") quit = true;
      if (action === "zero") top.zero();
      if (action === "zero") view.update(last = top.shown());
      if (action === "suspend") screen.suspend();
      draw();
    }, () => draw());
    const draw = () => {
      const { columns, rows } = screen.size;
      screen.draw(view.lines(columns, rows));
    };
    draw();
    await top.run(() => quit || signals.ended, () => {
      view.update(last = top.shown());
      draw();
    });
  } catch (error) {
    // What was on the screen is gone with it.
    if (error instanceof GuestGoneError) {
      out(plainLines(last, how).join("\n") + "\n");
    }
    throw error;
  }
}
