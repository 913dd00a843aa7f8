import assert from "node:assert/strict";
import { eventJson, JSON_LINES } from "./json.ts";
import { said, working } from "./sink_fixture.ts";

Deno.test("json: its description for plans and the compiler", () => {
  assert.deepEqual(said(JSON_LINES, { kind: "json" }), ["json()", ""]);
  assert.equal(JSON_LINES.asTheyCome, true);
});

Deno.test("json: a line of JSON for each event", () => {
  const json = working(JSON_LINES, { kind: "json" });
  json.take([{ pid: 7, duration: 5 }, { pid: 2, cpu: 1 }]);
  assert.deepEqual(json.written.trim().split("\n").map((l) => JSON.parse(l)), [
    { ts: 0, cpu: 0, pid: 7, comm: "sshd", duration: 5, args: {} },
    { ts: 1, cpu: 1, pid: 2, duration: 0, args: {} },
  ]);
  assert.equal(json.sink.result(), 2);
  assert.equal(json.sink.text(), "");
});

Deno.test("json: addresses keep all their bits, and texts are escaped", () => {
  assert.equal(
    eventJson({ at: 0xffffffff81000001n, comm: 'a"\n\u001b' }),
    '{"at":"0xffffffff81000001","comm":"a\\"\\n\\u001b"}',
  );
});
