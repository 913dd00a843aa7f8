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

Deno.test("a file of millions of wrong parts is refused at the first of them", () => {
  const file = (flow: string) =>
    `{"format":"xftrace-baseline","version":1,"release":"6.1","buildId":null,"events":1,"flow":{${flow}}}`;
  const many = (part: string) => Array(100_000).fill(part).join(",");
  for (
    const text of [
      file(Array.from({ length: 50_000 }, (_, i) => `"f${i}":0`).join(",")),
      file(`"f":{"calls":1,"callees":{},"sizes":[${many("{}")}]}`),
      file(`"f":{"calls":1,"callees":{"g":{"total":1}},"sizes":[]}`),
      file(`"f":{"calls":-1,"callees":{},"sizes":[]}`),
      "[".repeat(1_000_000),
    ]
  ) assert.throws(() => decodeBaseline("f", text), /^XftraceError: f is no/);
});
