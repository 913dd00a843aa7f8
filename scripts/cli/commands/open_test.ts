import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { TemporaryFolder } from "../../../engine/base/temporary_folder_fixture.ts";

const path = (name: string) =>
  fileURLToPath(import.meta.resolve(`../../../${name}`));

/** Starts `xftrace open`; returns it with what it prints first. */
async function opened(...args: string[]) {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--no-check",
      path("scripts/xftrace.ts"),
      "open",
      ...args,
    ],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.endsWith("\n")) {
    const { done, value } = await reader.read();
    if (done) break;
    text += value;
  }
  return {
    text,
    async end(): Promise<{ code: number; err: string }> {
      try {
        child.kill("SIGINT");
      } catch {
        // It has ended by itself.
      }
      const err = await new Response(child.stderr).text();
      await reader.cancel();
      return { code: (await child.status).code, err };
    },
  };
}

Deno.test("a recording is served as a page and for Perfetto until Ctrl-C", async () => {
  const run = await opened(
    path("testdata/guest-6.1.core.zst"),
    "--port",
    "0",
  );
  const [, page] = /^page +(http:\/\/127\.0\.0\.1:\d+\/\w{32}\/)\n$/.exec(
    run.text,
  ) ?? [];
  assert.ok(page !== undefined, run.text);
  const html = await (await fetch(page)).text();
  assert.match(html, /^<!doctype html>/i);
  assert.match(html, /Trace of core:/);
  const trace = await fetch(`${page}trace.pftrace`, {
    headers: { origin: "https://ui.perfetto.dev" },
  });
  assert.equal(trace.status, 200);
  assert.ok((await trace.bytes()).length > 10_000);
  const elsewhere = await fetch(page.replace(/\w{32}/, "0".repeat(32)));
  assert.equal(elsewhere.status, 404);
  await elsewhere.body?.cancel();
  const { code, err } = await run.end();
  assert.equal(code, 0, err);
});

Deno.test("a file that is served as it is; one that cannot be read; a port in use", async () => {
  using folder = new TemporaryFolder();
  const file = `${folder.path}/all.html`;
  Deno.writeTextFileSync(file, "<!doctype html><p>own");
  const run = await opened(file, "--port", "0");
  const page = run.text.trim().split(/ +/)[1];
  assert.match(await (await fetch(page)).text(), /own/);
  const { port } = new URL(page);
  const second = await opened(file, "--port", port);
  const refused = await second.end();
  assert.equal(refused.code, 1);
  assert.match(refused.err, /the port \d+ is in use/);
  await run.end();
  const missing = await opened(`${folder.path}/none.pftrace`, "--port", "0");
  const { code, err } = await missing.end();
  assert.equal(code, 1);
  assert.match(err, /none\.pftrace cannot be read/);
});
