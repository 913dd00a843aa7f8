import assert from "node:assert/strict";
import { XftraceError } from "../../base/errors.ts";
import { addFlow, decodeBaseline, encodeBaseline } from "./baseline.ts";
import { flow, GOOD } from "./flow_fixture.ts";

Deno.test("a baseline is read back from its file, and two can be added", () => {
  const learned = flow(100, GOOD);
  const about = { release: "6.1", buildId: "ab", events: 7 };
  const text = encodeBaseline({ ...about, flow: learned });
  assert.deepEqual(decodeBaseline("x", text), { ...about, flow: learned });
  const twice = flow(100, GOOD);
  addFlow(twice, learned);
  assert.deepEqual(twice.get("sys"), flow(200, GOOD).get("sys"));
});

Deno.test("a file that is not a baseline is refused, with the way to make one", () => {
  for (const text of ["", "{}", '{"format":"xftrace-baseline","version":2}']) {
    assert.throws(
      () => decodeBaseline("some.file", text),
      (error: unknown) =>
        error instanceof XftraceError &&
        /^some\.file is no baseline; make one with: /.test(error.message),
    );
  }
});
