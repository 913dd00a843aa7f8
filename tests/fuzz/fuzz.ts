/**
 * Runs each parser on changed inputs: `deno task fuzz`.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { keepInput, keptInput } from "./kept.ts";
import { FuzzedTarget, MOST_BYTES, MOST_MS, targetFolder } from "./run.ts";
import { targetNamed, TARGETS } from "./targets.ts";
import type { Work, Worked } from "./worker.ts";

const USAGE = `usage: deno task fuzz [options]

Changes valid inputs of every parser, half of them by their structure (fields,
counts, pointers, names, lengths) and half byte by byte, and runs the parsers on
them. A run that ends with an error that the program does not foresee, takes
over 5 s, or over 1 GiB, is a failure; its input is kept in a file.

  --minutes N      how long, over all targets (default: 10)
  --inputs N       how many inputs at most, for each target
  --seed S         other inputs (default: 1)
  --from N         the number of the first input (default: 0)
  --only NAME,...  only these targets
  --keep FOLDER    where inputs that fail are kept (default: a temporary folder)
  --replay FILE    run one kept input, and show the error
  --list           list the targets`;

/** How long a run may last until its process is ended, in ms. */
const STUCK_MS = 3 * MOST_MS;
const POLL_MS = 250;

const { values } = parseArgs({
  args: Deno.args.filter((word) => word !== "--"),
  options: {
    minutes: { type: "string", default: "10" },
    inputs: { type: "string", default: "1000000000" },
    seed: { type: "string", default: "1" },
    from: { type: "string", default: "0" },
    only: { type: "string" },
    keep: { type: "string" },
    replay: { type: "string" },
    list: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  Deno.exit(0);
}
if (values.list) {
  console.log(TARGETS.map(({ name }) => name).join("\n"));
  Deno.exit(0);
}
if (values.replay !== undefined) Deno.exit(await replay(values.replay));
const [minutes, inputs, seed, from] = [
  values.minutes,
  values.inputs,
  values.seed,
  values.from,
].map(Number);
const targets = values.only?.split(",") ?? TARGETS.map(({ name }) => name);
if (
  ![minutes, inputs, seed, from].every((n) => n >= 0) ||
  targets.some((name) => !TARGETS.some((target) => target.name === name))
) {
  console.error(USAGE);
  Deno.exit(64);
}
const keep = values.keep ?? Deno.makeTempDirSync({ prefix: "xftrace-failed-" });
Deno.mkdirSync(keep, { recursive: true });
console.log(`seed ${seed}; what fails is kept in ${keep}`);
let [all, structural, failed] = [0, 0, 0];
const end = performance.now() + minutes * 60_000;
for (const [index, name] of targets.entries()) {
  const now = performance.now();
  // What one target does not use of its time, those after it have.
  const ms = Math.max(0, end - now) / (targets.length - index);
  const done = await fuzz(name, ms);
  all += done.inputs;
  structural += done.structural;
  failed += done.failures;
}
console.log(
  `${all.toLocaleString("en-US")} inputs, ${
    structural.toLocaleString("en-US")
  } of them structural, seed ${seed}: ${failed} failures`,
);
Deno.exit(failed === 0 ? 0 : 1);

/** Fuzzes one target for a while, in as many processes as it takes. */
async function fuzz(
  name: string,
  ms: number,
): Promise<{ inputs: number; structural: number; failures: number }> {
  const start = performance.now();
  let [next, structural, accepted, failures] = [from, 0, 0, 0];
  const begun = Deno.makeTempFileSync();
  try {
    while (next < from + inputs) {
      const left = ms - (performance.now() - start);
      if (left <= 0) break;
      const work: Work = {
        target: name,
        seed,
        from: next,
        to: from + inputs,
        ms: left,
        begun,
        keep,
      };
      const done = await inProcess(work);
      if ("why" in done) {
        failures++;
        if (done.iteration === undefined) {
          console.log(`FAILED ${name}: ${done.why}`);
          break;
        }
        const file = `${keep}/${name}-${seed}-${done.iteration}`;
        await keepAgain(name, done.iteration, done.why, file);
        report(name, done.iteration, done.why, file);
        // Of an ended process, it is not known how many were structural.
        structural += Math.ceil((done.iteration - next) / 2);
        next = done.iteration + 1;
        continue;
      }
      next = done.next;
      structural += done.structural;
      accepted += done.accepted;
      for (const { iteration, why, times, stack, file } of done.failures) {
        failures++;
        report(name, iteration, `${why}, ${times} times`, file);
        if (stack !== undefined) console.log(indented(stack));
      }
      break;
    }
  } finally {
    Deno.removeSync(begun);
  }
  const seconds = (performance.now() - start) / 1000;
  console.log(
    `${name.padEnd(20)} ${String(next - from).padStart(9)} inputs, ${
      String(structural).padStart(8)
    } structural, ${
      String(accepted).padStart(8)
    } accepted, ${failures} failures, ${seconds.toFixed(1)} s`,
  );
  return { inputs: next - from, structural, failures };
}

interface Ended {
  readonly why: string;
  /** The input that had begun; `undefined`: none. */
  readonly iteration?: number;
}

/** Runs a worker; what it did, or how it ended. */
async function inProcess(work: Work): Promise<Worked | Ended> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      `--v8-flags=--max-old-space-size=${MOST_BYTES / 2 ** 20 + 512}`,
      new URL("./worker.ts", import.meta.url).pathname,
      JSON.stringify(work),
    ],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let over = false;
  let stuck = false;
  const output = child.output().finally(() => over = true);
  Deno.writeFileSync(work.begun, new Uint8Array(new Float64Array([-1]).buffer));
  let [last, since] = [-1, performance.now()];
  while (!over) {
    await Promise.race([
      output,
      new Promise((resolve) => setTimeout(resolve, POLL_MS)),
    ]);
    const now = iterationIn(work.begun);
    if (now !== last) [last, since] = [now, performance.now()];
    // Before the first input, there are seeds to be made.
    const most = last < 0 ? 10 * STUCK_MS : STUCK_MS;
    if (!over && performance.now() - since > most) {
      stuck = true;
      child.kill("SIGKILL");
      break;
    }
  }
  const { success, stdout, stderr } = await output;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (success) return JSON.parse(text(stdout));
  const iteration = Math.max(work.from, iterationIn(work.begun));
  if (stuck) return { iteration, why: `no end within ${STUCK_MS / 1000} s` };
  const said = text(stderr);
  if (iterationIn(work.begun) < 0) {
    // Its seeds are no input that the parser accepts.
    console.log(indented(said));
    return { why: "its seeds are refused" };
  }
  return {
    iteration,
    why: /heap out of memory|allocation failed/i.test(said)
      ? "out of memory"
      : `the process ended: ${said.trim().split("\n")[0]}`,
  };
}

function iterationIn(path: string): number {
  const bytes = Deno.readFileSync(path);
  return bytes.length < 8 ? -1 : new Float64Array(bytes.buffer)[0];
}

/** Makes the input again with which a process ended, and keeps it. */
async function keepAgain(
  name: string,
  iteration: number,
  why: string,
  file: string,
): Promise<void> {
  await withTarget(name, (target) => {
    keepInput(file, name, why, target.make(iteration).input);
    return Promise.resolve();
  });
}

async function replay(path: string): Promise<number> {
  const { target: name, input } = keptInput(path);
  return await withTarget(name, async (target) => {
    const start = performance.now();
    const failure = await target.run(input);
    const ms = Math.round(performance.now() - start);
    console.log(`${name}: ${failure?.why ?? "as it should be"}, ${ms} ms`);
    if (failure?.stack !== undefined) console.log(indented(failure.stack));
    return failure === undefined ? 0 : 1;
  });
}

async function withTarget<T>(
  name: string,
  use: (target: FuzzedTarget) => Promise<T>,
): Promise<T> {
  const folder = targetFolder();
  try {
    return await use(
      new FuzzedTarget(targetNamed(name), Number(values.seed), folder),
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function report(
  name: string,
  iteration: number,
  why: string,
  file: string,
): void {
  console.log(`FAILED ${name}, seed ${seed}, input ${iteration}: ${why}`);
  console.log(`    deno task fuzz --replay ${file}`);
}

function indented(text: string): string {
  return text.trim().replace(/^/gm, "    ");
}
