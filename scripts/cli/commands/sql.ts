/** `xftrace sql`: asks a trace with SQL. */
import { type Command, Option } from "@commander-js/extra-typings";
import { EXIT } from "xftrace";
import { TraceDatabase, type TraceFormat, writeBuffers } from "xftrace/output";
import { numberFor, usage } from "../option_values.ts";
import { openGuest, type TargetOptions, withTarget } from "../target.ts";
import { count, note, Progress, traceOutput, warn } from "../terminal.ts";
import { datTarget, reportDat } from "../traces/dat_target.ts";
import {
  type BufferOptions,
  guestBuffers,
  tellUnread,
} from "../traces/guest_buffers.ts";
import { Writing } from "../traces/writing.ts";
import { SQL_MODES, sqlLines, type SqlMode } from "../traces/sql_rows.ts";

/** What is said besides the rows. */
const TABLES = `
Tables (times are ns of the trace clock):
  events     ts, cpu, pid, comm, name, fields (JSON: fields->>'next_comm')
  calls      ts, duration, self, cpu, pid, comm, func, parent, depth, outermost
             (whole calls of function_graph; self: without those inside)
  functions  func, calls, total, self, min, max, mean
  processes  pid, comm, events, first, last
  losses     before, cpu, lost
  findings   check_id, severity, place, address, expected, found, module,
             summary (of \`check\`, which is then run)
  and each event by its name: common_ts, common_cpu, common_pid, common_comm,
  and its fields`;

/** Registers `xftrace sql` on the program. */
export function registerSql(program: Command): void {
  withTarget(program.command("sql"))
    .summary("ask a trace with SQL")
    .description(
      "Runs an SQL statement (SQLite's) over what the guest's ring buffers, or a\n" +
        "recording, hold. Only the tables and columns that it names are filled.",
    )
    .argument(
      "<statement>",
      "such as 'SELECT name, count(*) FROM events GROUP BY 1'",
    )
    .option(
      "--instance <name>",
      "use this trace instance (default: the top level)",
    )
    .option("--snapshot", "read the snapshot buffer instead of the current one")
    .option(
      "--only-cpu <number>",
      "read only this CPU's buffer",
      numberFor("--only-cpu"),
    )
    .addOption(
      new Option("--mode <mode>", "how rows are written")
        .choices(SQL_MODES).default("table" as const),
    )
    .addHelpText(
      "after",
      `${TABLES}

Examples:
  xftrace sql 'SELECT name, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC'
  xftrace sql 'SELECT func, calls, total FROM functions ORDER BY total DESC LIMIT 10'
  xftrace sql 'SELECT next_comm, count(*) FROM sched_switch GROUP BY 1' --mode csv
  xftrace sql 'SELECT check_id, place FROM findings' -t core:web1.core
  xftrace sql 'SELECT comm, sum(duration) FROM calls GROUP BY 1' -t dat:trace.dat`,
    )
    .action(async (statement, options) => {
      using database = new TraceDatabase(statement);
      using progress = new Progress();
      const dat = datTarget(options.target);
      let unjudged = false;
      if (dat === undefined) unjudged = await fill(database, options);
      else fillFromDat(database, dat, options);
      const { sink, options: { escaped = false } } = traceOutput(false);
      // Nothing can be shown while SQLite is at work.
      progress.update("the statement is running");
      const result = database.result();
      progress[Symbol.dispose]();
      const lines = sqlLines(result, options.mode, escaped);
      for (const line of lines) sink(line);
      if (unjudged) Deno.exitCode = EXIT.unjudged;
    });
}

interface SqlOptions extends TargetOptions, BufferOptions {
  readonly mode: SqlMode;
}

/** Returns whether a check could not judge something. */
async function fill(
  database: TraceDatabase,
  options: SqlOptions,
): Promise<boolean> {
  using guest = await openGuest(options);
  const { session } = guest;
  const buffers = guestBuffers(session, options);
  using writing = new Writing(tablesOf(database), () => {});
  const totals = writeBuffers(
    buffers.reading,
    buffers.described,
    writing.writer,
  );
  writing[Symbol.dispose]();
  tellUnread(buffers);
  if (totals.lost > 0) {
    note(`${count(totals.lost)} events were overwritten while they were read`);
  }
  if (!database.asksForFindings) return false;
  const { outcomes } = await guest.check();
  database.findings(outcomes.flatMap(({ findings }) => findings));
  const unjudged = outcomes.flatMap((outcome) => outcome.unjudged);
  for (const { what, why } of unjudged.slice(0, 10)) {
    warn(`not judged: ${what}: ${why}`);
  }
  if (unjudged.length > 10) {
    warn(`${count(unjudged.length - 10)} more things were not judged`);
  }
  return unjudged.length > 0;
}

function fillFromDat(
  database: TraceDatabase,
  target: string,
  options: SqlOptions,
): void {
  if (database.asksForFindings) {
    throw usage(
      `${target} is a trace, without the memory that \`check\` judges: the table findings needs a guest or a core`,
    );
  }
  const { mode: _, ...only } = options;
  reportDat(target, tablesOf(database), { ...only, silent: true });
}

/** Tables as a format, that is filled in place of a file. */
function tablesOf(database: TraceDatabase): TraceFormat {
  return { name: "sql", about: "tables", writer: () => database.writer() };
}
