/**
 * A recorded guest and its trace.dat: queries and formats give the same of both.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const XFTRACE = fileURLToPath(import.meta.resolve("../../scripts/xftrace.ts"));

async function xftrace(
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", XFTRACE, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

const QUERIES = [
  "trace(sys_openat).count(comm)",
  'trace("vfs_*").count(func)',
  "trace(sys_openat).hist(duration)",
  'event("sched:sched_switch").count(field("next_comm"))',
  'event("irq:*").count(field("vec"))',
  "trace(sys_openat).folded()",
];

for (const kernel of ["6.1", "6.12"]) {
  Deno.test(`the recorded ${kernel} guest and its trace.dat agree`, async (t) => {
    const folder = await Deno.makeTempDir();
    const path = fileURLToPath(
      import.meta.resolve(`../../testdata/guest-${kernel}.core.zst`),
    );
    const core = `core:${path}`;
    const dat = `dat:${join(folder, "trace.dat")}`;
    try {
      const converted = await xftrace("convert", path, "-o", dat.slice(4));
      assert.equal(converted.code, 0, converted.err);
      await t.step("queries", async () => {
        const queries = QUERIES.join(",\n");
        const [one, other] = await Promise.all(
          [core, dat].map((target) =>
            xftrace("eval", "--json", queries, "-t", target)
          ),
        );
        assert.equal(one.code, 0, one.err);
        assert.equal(other.code, 0, other.err);
        const shown = JSON.parse(one.out);
        assert.equal(shown.results.length, QUERIES.length);
        assert.equal(shown.events.length, QUERIES.length);
        assert.equal(shown.lost, 0);
        // A file has only the entries that were in the buffers.
        const file = JSON.parse(other.out);
        assert.deepEqual(file.results, shown.results);
        assert.deepEqual(file.events, shown.events);
        assert.equal(file.lost, 0);
      });
      for (const format of ["jsonl", "folded"]) {
        await t.step(format, async () => {
          const [one, other] = await Promise.all(
            [core, dat].map((target) =>
              xftrace("report", "--format", format, "-t", target)
            ),
          );
          assert.equal(other.code, 0, other.err);
          assert.equal(other.out, one.out);
        });
      }
      await t.step("what needs memory is refused by one sentence", async () => {
        for (
          const command of ["info", "check", "show"]
        ) {
          const { code, out, err } = await xftrace(command, "-t", dat);
          assert.equal(code, 64, command);
          assert.equal(out, "");
          assert.match(err, /^xftrace: dat:.* without the guest's memory.*\n$/);
        }
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
