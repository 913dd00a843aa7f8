/**
 * Converting a trace ten times as long takes hardly more memory, in each format.
 * In the usual runs the traces are short, and it is only seen that each format
 * is written; `deno task test:long` measures.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LONG, times } from "../../engine/base/long_fixture.ts";
import { OutputFile } from "../../engine/base/host_file/output.ts";
import { FORMATS } from "../../engine/output/formats.ts";
import { writeLongDat } from "../../engine/tracedat/long_dat_fixture.ts";

const XFTRACE = fileURLToPath(import.meta.resolve("../../scripts/xftrace.ts"));
/** Events of the shorter trace. */
const SHORT = times(2000, 1_000_000);
const LOOK_MS = 10;
/**
 * V8's room for new objects, and for old ones, MiB. The first would grow from 3
 * to 96 MiB in a process that makes many of them for long enough, whatever is
 * kept of them; of the second, V8 collects garbage the later the more it has.
 * The page needs most: 100 MiB.
 */
const ROOM = { new: 8, old: 160 };

/** Runs xftrace; returns the most memory that it had, in bytes. */
async function xftrace(...args: string[]): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--no-check",
      `--v8-flags=--max-semi-space-size=${ROOM.new},--max-old-space-size=${ROOM.old}`,
      XFTRACE,
      ...args,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let ended = false;
  const output = child.output().finally(() => ended = true);
  let peak = 0;
  while (!ended) {
    try {
      const status = Deno.readTextFileSync(`/proc/${child.pid}/status`);
      const found = /^VmHWM:\s+(\d+)/m.exec(status)?.[1];
      peak = Math.max(peak, 1024 * Number(found ?? 0));
    } catch {
      // It has just ended.
    }
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
  const { success, stderr } = await output;
  assert.ok(success, new TextDecoder().decode(stderr));
  return peak;
}

Deno.test("memory is flat: a trace of ten times as many events", async (t) => {
  const folder = await Deno.makeTempDir();
  try {
    const [short, long] = [SHORT, 10 * SHORT].map((events) => {
      const path = join(folder, `${events}.dat`);
      using file = new OutputFile(path);
      writeLongDat(events, 7, (bytes) => file.write(bytes));
      file.commit();
      return path;
    });
    const compare = async (
      commands: (file: string) => readonly string[],
    ): Promise<void> => {
      const peaks = [
        await xftrace(...commands(short)),
        await xftrace(...commands(long)),
      ];
      if (!LONG) return;
      const [less, more] = peaks;
      assert.ok(
        more <= 1.2 * less,
        `${less} bytes for ${SHORT} events, ${more} for ten times as many`,
      );
    };
    for (const { name } of FORMATS) {
      await t.step(name, async () => {
        const output = join(folder, "converted");
        await compare((file) => ["convert", file, "-o", output, "-f", name]);
        assert.ok((await Deno.stat(output)).size > 0);
        await Deno.remove(output);
      });
    }
    await t.step("sql", () =>
      compare((file) => [
        "sql",
        "-t",
        `dat:${file}`,
        "SELECT func, sum(duration) FROM calls GROUP BY 1",
      ]));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
