/**
 * What `xftrace report` costs, compared with `trace-cmd report` of the same
 * buffers: CPU time, elapsed time and peak memory of whole processes, which run
 * in turn.
 *
 *     deno run --allow-all bench/report_data.ts FOLDER
 *     deno run --allow-all bench/report.ts FOLDER [ROUNDS [CHECKOUT...]]
 *
 * For each trace: the guest's memory (`xftrace memory`), its trace.dat
 * (`xftrace dat`), and that file by trace-cmd. Other checkouts that are named
 * take part as well, and must print the same. Of each round, the ratio of
 * trace-cmd's CPU time to ours is taken.
 *
 * @module
 */
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What a run cost. */
interface Cost {
  /** User and system time, s. */
  readonly cpu: number;
  readonly wall: number;
  /** MiB. */
  readonly peak: number;
}

const HERE = fileURLToPath(import.meta.resolve("../"));
const TIME = "/usr/bin/time";

const [folder, rounds = "5", ...others] = Deno.args;
if (folder === undefined) {
  console.error("usage: report.ts FOLDER [ROUNDS [CHECKOUT...]]");
  Deno.exit(1);
}
const traces = Array.from(Deno.readDirSync(folder), ({ name }) => name)
  .filter((name) => name.endsWith(".dat"))
  .map((name) => basename(name, ".dat"))
  .sort();
if (traces.length === 0) {
  throw new Error(`${folder} has no traces: make them with report_data.ts`);
}

const xftrace = (checkout: string, target: string) => [
  Deno.execPath(),
  "run",
  "--allow-all",
  "--no-check",
  join(checkout, "scripts/xftrace.ts"),
  "report",
  "-t",
  target,
];

for (const trace of traces) {
  const dat = join(folder, `${trace}.dat`);
  const memory = join(folder, `${trace}.mem`);
  const ways = new Map<string, readonly string[]>();
  for (const checkout of [HERE, ...others]) {
    const who = checkout === HERE ? "xftrace" : basename(checkout);
    ways.set(`${who} memory`, xftrace(checkout, `file:${memory}`));
    ways.set(`${who} dat`, xftrace(checkout, `dat:${dat}`));
  }
  ways.set("trace-cmd", ["trace-cmd", "report", dat]);
  const costs = new Map<string, Cost[]>();
  const texts = new Map<string, string>();
  // One round that is not counted, for caches, in which the texts are compared.
  for (const [way, command] of ways) texts.set(way, await textOf(command));
  for (const [way, text] of texts) {
    const like = way.endsWith(" memory")
      ? texts.get("xftrace memory")
      : texts.get("trace-cmd");
    if (text !== like) throw new Error(`${trace}: ${way} prints another text`);
  }
  for (let round = 0; round < Number(rounds); round++) {
    for (const [way, command] of ways) {
      const all = costs.get(way) ?? [];
      all.push(await cost(command));
      costs.set(way, all);
    }
  }
  const them = costs.get("trace-cmd")!;
  console.log(
    `${trace}: CPU s (median, least, greatest), elapsed s, MiB, trace-cmd's CPU / this`,
  );
  for (const [way, all] of costs) {
    const ratios = all.map(({ cpu }, i) => them[i].cpu / cpu);
    console.log(
      way.padStart(20) + spread(all.map(({ cpu }) => cpu)) +
        median(all.map(({ wall }) => wall)).toFixed(2).padStart(9) +
        Math.max(...all.map(({ peak }) => peak)).toFixed(0).padStart(7) +
        spread(ratios),
    );
  }
}

function spread(values: readonly number[]): string {
  return [median(values), Math.min(...values), Math.max(...values)]
    .map((value) => value.toFixed(2).padStart(7)).join("");
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** A digest of what a command prints. */
async function textOf([command, ...args]: readonly string[]): Promise<string> {
  const child = new Deno.Command("sh", {
    args: ["-c", '"$@" | sha256sum', "sh", command, ...args],
    stderr: "null",
  });
  const { success, stdout } = await child.output();
  const text = new TextDecoder().decode(stdout);
  if (!success || text === "") throw new Error(`${command} failed`);
  return text;
}

async function cost(command: readonly string[]): Promise<Cost> {
  const file = Deno.makeTempFileSync();
  try {
    const { success } = await new Deno.Command(TIME, {
      args: ["-f", "%U %S %e %M", "-o", file, ...command],
      stdout: "null",
      stderr: "null",
    }).output();
    if (!success) throw new Error(`${command.join(" ")} failed`);
    const [user, system, wall, kib] = Deno.readTextFileSync(file).trim()
      .split(" ").map(Number);
    return { cpu: user + system, wall, peak: kib / 1024 };
  } finally {
    Deno.removeSync(file);
  }
}
