import assert from "node:assert/strict";
import { TemporaryFolder } from "../../../engine/base/temporary_folder_fixture.ts";
import { servedAddresses, traceHandler } from "./trace_server.ts";

const SECRET = "0a1b2c";

function served(): {
  folder: TemporaryFolder;
  handler: ReturnType<typeof traceHandler>;
} {
  const folder = new TemporaryFolder();
  const file = (name: string, text: string, type: string) => {
    const path = `${folder.path}/${name === "" ? "page" : name}`;
    Deno.writeTextFileSync(path, text);
    return { name, path, type };
  };
  return {
    folder,
    handler: traceHandler([
      file("", "<p>", "text/html; charset=utf-8"),
      file("trace.pftrace", "bytes", "application/octet-stream"),
    ], SECRET),
  };
}

Deno.test("the page and the file are served, with their secret alone", async () => {
  const { folder, handler } = served();
  using _ = folder;
  const ask = (url: string, init: RequestInit = {}) =>
    handler(new Request(url, init));
  const page = ask(`http://127.0.0.1:9001/${SECRET}/`);
  assert.equal(page.status, 200);
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  assert.equal(await page.text(), "<p>");
  const trace = ask(`http://localhost:9001/${SECRET}/trace.pftrace`);
  assert.equal(trace.headers.get("content-length"), "5");
  assert.equal(await trace.text(), "bytes");
  const head = ask(`http://127.0.0.1/${SECRET}/`, { method: "HEAD" });
  assert.equal(await head.text(), "");
  for (
    const url of [
      "http://127.0.0.1:9001/",
      `http://127.0.0.1:9001/${SECRET}`,
      "http://127.0.0.1:9001/0a1b2d/",
      `http://127.0.0.1:9001/${SECRET}/../${SECRET}/other`,
      `http://127.0.0.1:9001/${SECRET}/page`,
      // A name elsewhere that was made to lead here.
      `http://rebound.example:9001/${SECRET}/`,
    ]
  ) {
    const refused = ask(url);
    assert.equal(refused.status, 404, url);
    await refused.body?.cancel();
  }
  const put = ask(`http://127.0.0.1/${SECRET}/`, { method: "PUT" });
  assert.equal(put.status, 405);
});

Deno.test("only Perfetto's page may read it from elsewhere", async () => {
  const { folder, handler } = served();
  using _ = folder;
  const url = `http://127.0.0.1:9001/${SECRET}/trace.pftrace`;
  for (
    const [origin, allowed] of [
      ["https://ui.perfetto.dev", "https://ui.perfetto.dev"],
      ["https://ui.perfetto.dev.example", null],
      ["null", null],
    ] as const
  ) {
    const { headers, body } = handler(
      new Request(url, { headers: { origin } }),
    );
    assert.equal(headers.get("access-control-allow-origin"), allowed);
    await body?.cancel();
  }
});

Deno.test("a browser that asks whether that page may reach here is told so", () => {
  const { folder, handler } = served();
  using _ = folder;
  const ask = (origin: string) =>
    handler(
      new Request(`http://127.0.0.1:9001/${SECRET}/trace.pftrace`, {
        method: "OPTIONS",
        headers: { origin },
      }),
    );
  const yes = ask("https://ui.perfetto.dev");
  assert.equal(yes.status, 204);
  assert.equal(
    yes.headers.get("access-control-allow-private-network"),
    "true",
  );
  assert.equal(ask("https://elsewhere.example").status, 405);
});

Deno.test("addresses", () => {
  assert.deepEqual(servedAddresses(9001, SECRET, "trace.pftrace"), {
    page: "http://127.0.0.1:9001/0a1b2c/",
    perfetto:
      "https://ui.perfetto.dev/#!/?url=http%3A%2F%2F127.0.0.1%3A9001%2F0a1b2c%2Ftrace.pftrace",
  });
});
