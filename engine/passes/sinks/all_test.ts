import assert from "node:assert/strict";
import { sinkKind, SINKS } from "./all.ts";

Deno.test("each sink is found by its kind, and no two have the same kind", () => {
  for (const sink of SINKS) {
    assert.equal(sinkKind({ kind: sink.kind }), sink);
  }
  assert.throws(
    () => sinkKind({ kind: "prinf" }),
    /there is no sink "prinf"; there are print, json, collect, /,
  );
});

Deno.test("each kind of sink that a file here defines is in the list", async () => {
  const here = new URL(".", import.meta.url);
  const made: string[] = [];
  for await (const { name } of Deno.readDir(here)) {
    if (/_(test|fixture)\.ts$/.test(name)) continue;
    const text = await Deno.readTextFile(new URL(name, here));
    const kinds = /^export const \w+: SinkKind<[^]*?\bkind: "(\w+)",$/gm;
    for (const [, kind] of text.matchAll(kinds)) made.push(kind);
  }
  assert.deepEqual(made.sort(), SINKS.map((sink) => sink.kind).sort());
});
