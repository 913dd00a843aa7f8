/** A Perfetto trace decoded by protoc, with the part of the schema that it uses. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Whether it can be decoded: CI has it. */
const INSTALLED = spawnSync("protoc", ["--version"]).error === undefined;
if (!INSTALLED && Deno.env.has("CI")) {
  throw new Error("protoc is not installed: apt-get install protobuf-compiler");
}

const path = (name: string) =>
  fileURLToPath(import.meta.resolve(`../../${name}`));

for (const kernel of ["6.1", "6.12"]) {
  Deno.test({
    name: `the recorded ${kernel} guest for Perfetto: protoc knows every field`,
    ignore: !INSTALLED,
    async fn() {
      const folder = await Deno.makeTempDir();
      const xftrace = async (...args: string[]): Promise<string> => {
        const { success, stdout, stderr } = await new Deno.Command(
          Deno.execPath(),
          { args: ["run", "--allow-all", path("scripts/xftrace.ts"), ...args] },
        ).output();
        assert.ok(success, new TextDecoder().decode(stderr));
        return new TextDecoder().decode(stdout);
      };
      try {
        const core = path(`testdata/guest-${kernel}.core.zst`);
        const file = join(folder, "trace.pftrace");
        await xftrace("convert", core, "-o", file);
        const decoded = spawnSync("protoc", [
          "--decode=perfetto.protos.Trace",
          `--proto_path=${path("testdata")}`,
          "perfetto.proto",
        ], {
          input: Deno.readFileSync(file),
          encoding: "utf8",
          maxBuffer: 1 << 28,
        });
        assert.equal(decoded.status, 0, decoded.stderr);
        const text = decoded.stdout;
        // What the schema does not know is shown by its number.
        assert.deepEqual(text.match(/^\s*\d+[:{ ].*$/gm), null);
        const count = (what: string) => text.split(what).length - 1;
        const lines = (await xftrace(
          "report",
          "--format",
          "jsonl",
          "-t",
          `core:${core}`,
        )).trimEnd().split("\n");
        const named = (name: string) =>
          lines.filter((line) => line.includes(`"name":"${name}"`)).length;
        assert.equal(count("type: TYPE_SLICE_BEGIN"), named("funcgraph_entry"));
        assert.equal(count("type: TYPE_SLICE_END"), named("funcgraph_entry"));
        assert.equal(count("sched_switch {"), named("sched_switch"));
        assert.ok(named("funcgraph_entry") > 1000);
        assert.ok(named("sched_switch") > 20);
        console.log(
          `  ${kernel}: ${count("packet {")} packets, ${lines.length} events`,
        );
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
