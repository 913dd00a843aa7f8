/**
 * Files of trace-cmd, compared with Debian's trace-cmd: its text of ours and of
 * converted recordings equals ours, line by line.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  DAT_KINDS,
  datFile,
  kindName,
} from "../../engine/tracedat/dat_fixture.ts";
import { textBytes } from "../../engine/output/text/byte_text.ts";
import { writeTracecmdReport } from "../../engine/output/tracecmd/write_report.ts";
import { DatTrace } from "../../engine/tracedat/dat_trace.ts";

/** Whether it can be compared: CI has it. */
const INSTALLED = spawnSync("trace-cmd").error === undefined;
if (!INSTALLED && Deno.env.has("CI")) {
  throw new Error("trace-cmd is not installed: apt-get install trace-cmd");
}

function ours(path: string): Uint8Array<ArrayBuffer> {
  using trace = DatTrace.open(path);
  const parts: Uint8Array[] = [];
  writeTracecmdReport(
    trace,
    (chunk) => parts.push(typeof chunk === "string" ? textBytes(chunk) : chunk),
  );
  const bytes = new Uint8Array(
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Compares the texts; returns the number of lines. */
function compare(path: string): number {
  const run = spawnSync("trace-cmd", ["report", path], {
    maxBuffer: 1 << 28,
  });
  assert.equal(run.status, 0, String(run.stderr));
  const lines = (bytes: Uint8Array) =>
    new TextDecoder().decode(bytes).split("\n");
  const theirs = lines(run.stdout);
  assert.deepEqual(lines(ours(path)), theirs);
  return theirs.length;
}

Deno.test({
  name: "files of every kind: trace-cmd report prints the same",
  ignore: !INSTALLED,
  async fn(t) {
    const folder = await Deno.makeTempDir();
    try {
      for (const kind of DAT_KINDS) {
        await t.step(kindName(kind), () => {
          const path = join(folder, "trace.dat");
          Deno.writeFileSync(path, datFile(kind));
          assert.ok(compare(path) > 8);
        });
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

for (const kernel of ["6.1", "6.12"]) {
  Deno.test({
    name:
      `the recorded ${kernel} guest, converted: trace-cmd report prints the same`,
    ignore: !INSTALLED,
    async fn(t) {
      const folder = await Deno.makeTempDir();
      const core = import.meta.resolve(
        `../../testdata/guest-${kernel}.core.zst`,
      );
      const xftrace = fileURLToPath(
        import.meta.resolve("../../scripts/xftrace.ts"),
      );
      const convert = async (from: string, to: string, format: string) => {
        const { success, stderr } = await new Deno.Command(Deno.execPath(), {
          args: [
            "run",
            "--allow-all",
            xftrace,
            "convert",
            from,
            "-o",
            to,
            "--format",
            format,
          ],
        }).output();
        assert.ok(success, new TextDecoder().decode(stderr));
      };
      try {
        const first = join(folder, "first.dat");
        for (const format of ["dat", "dat6"]) {
          await t.step(format, async () => {
            await convert(fileURLToPath(core), first, format);
            const lines = compare(first);
            console.log(`  ${kernel} ${format}: ${lines} lines equal`);
            assert.ok(lines > 4000, `${lines}`);
          });
          await t.step(`${format}, converted again`, async () => {
            const second = join(folder, "second.dat");
            await convert(first, second, "dat6");
            assert.deepEqual(ours(second), ours(first));
            compare(second);
          });
        }
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
