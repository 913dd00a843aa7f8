/**
 * The memory that `xftrace convert` needs at most, for each format, for a short
 * trace and one that is ten times as long.
 *
 *     deno run --allow-all bench/format_memory.ts [EVENTS [FORMAT...]]
 *
 * Prints a line for each format: peak memory (VmHWM) of both, in MiB, their
 * ratio, and how long the longer one took. V8's room for new objects does not
 * grow meanwhile, as it otherwise does (to 96 MiB) in whatever runs for long
 * enough, and it has to collect old ones sooner than it would; with `--v8` as
 * the first argument it takes what it wants.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FORMATS, OutputFile } from "xftrace/output";
import { writeLongDat } from "../engine/tracedat/long_dat_fixture.ts";

const XFTRACE = fileURLToPath(
  import.meta.resolve("../scripts/xftrace.ts"),
);
const LOOK_MS = 10;

const free = Deno.args[0] === "--v8";
const [events = "200000", ...wanted] = Deno.args.slice(free ? 1 : 0);
const lengths = [Number(events), 10 * Number(events)];
const folder = Deno.makeTempDirSync({ prefix: "xftrace-memory-" });
try {
  const files = lengths.map((length) => {
    const path = join(folder, `${length}.dat`);
    using file = new OutputFile(path);
    writeLongDat(length, 7, (bytes) => file.write(bytes));
    file.commit();
    return path;
  });
  const names = wanted.length > 0 ? wanted : FORMATS.map(({ name }) => name);
  console.log(
    ["format", ...lengths.map((n) => `${n} events`), "ratio", "seconds", "MiB"]
      .map((cell) => cell.padStart(15)).join(""),
  );
  for (const name of names) {
    const [short, long] = [
      await convert(files[0], name),
      await convert(files[1], name),
    ];
    const ratio = (long.peak / short.peak).toFixed(2);
    console.log(
      [
        name,
        mebibytes(short.peak),
        mebibytes(long.peak),
        ratio,
        long.seconds.toFixed(1),
        mebibytes(long.bytes),
      ].map((cell) => cell.padStart(15)).join(""),
    );
  }
} finally {
  Deno.removeSync(folder, { recursive: true });
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

async function convert(
  file: string,
  format: string,
): Promise<{ peak: number; seconds: number; bytes: number }> {
  const output = `${file}.${format}`;
  const began = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--no-check",
      ...(free
        ? []
        : ["--v8-flags=--max-semi-space-size=8,--max-old-space-size=160"]),
      XFTRACE,
      ...(format.startsWith("sql ")
        ? ["sql", "-t", `dat:${file}`, format.slice(4)]
        : ["convert", file, "-o", output, "-f", format]),
    ],
    stdin: "null",
    stdout: format.startsWith("sql ") ? "null" : "inherit",
  }).spawn();
  let ended = false;
  const status = child.status.then((all) => {
    ended = true;
    return all;
  });
  let peak = 0;
  while (!ended) {
    peak = Math.max(peak, highWater(child.pid));
    await Promise.race([
      status,
      new Promise((done) => setTimeout(done, LOOK_MS)),
    ]);
  }
  if (!(await status).success) throw new Error(`${format}: it failed`);
  const bytes = format.startsWith("sql ") ? 0 : Deno.statSync(output).size;
  if (bytes > 0) Deno.removeSync(output);
  return { peak, seconds: (performance.now() - began) / 1000, bytes };
}

/** The most memory that a process has had; 0 if it has ended. */
function highWater(pid: number): number {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    return 1024 * Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  } catch {
    return 0;
  }
}
