import assert from "node:assert/strict";
import fc from "fast-check";
import { TextBuffer } from "./bytes/text_buffer.ts";
import {
  ClockText,
  graphDuration,
  overheadMark,
  writeGraphDuration,
} from "./duration.ts";

Deno.test("durations fill the column as in the kernel", () => {
  assert.equal(graphDuration(0), "0.000 us    ");
  assert.equal(graphDuration(832), "0.832 us    ");
  assert.equal(graphDuration(10_343), "10.343 us   ");
  assert.equal(graphDuration(123_456_789), "123456.7 us ");
  assert.equal(graphDuration(12_345_678), "12345.67 us ");
  assert.equal(graphDuration(1_234_567), "1234.567 us ");
  assert.equal(graphDuration(1_234_567_890), "1234567 us  ");
  assert.equal(graphDuration(12_345_678_901), "12345678 us ");
  assert.equal(graphDuration(123_456_789_012), "123456789 us ");
});

Deno.test("a negative duration is shown as the kernel's unsigned one", () => {
  assert.equal(graphDuration(-1000), "18446744073709550 us ");
  assert.equal(overheadMark(-1), "$");
});

Deno.test("marks change at powers of ten, each above its bound", () => {
  const marks = [10_000, 10_001, 100_001, 1_000_001, 10_000_001, 100_000_001]
    .map(overheadMark).join("");
  assert.equal(marks, " +!#*@");
  assert.equal(overheadMark(1_000_000_001), "$");
});

Deno.test("times are exact for any uptime", () => {
  const inRange = fc.bigInt({ min: 0n, max: (1n << 63n) - 1n });
  fc.assert(fc.property(inRange, fc.nat(2 ** 31), (epoch, later) => {
    const clock = new ClockText(epoch);
    const ns = epoch + BigInt(later);
    const rounded = (ns + 500n) / 1000n;
    const text = (us: bigint) =>
      (us / 1000000n).toString().padStart(5) + "." +
      (us % 1000000n).toString().padStart(6, "0");
    assert.equal(clock.context(later), " " + text(rounded));
    assert.equal(clock.graph(later), text(ns / 1000n) + " |  ");
    assert.equal(clock.counter(later), " " + ns.toString().padStart(12));
  }));
});

/** Also what only damaged events have: beyond what a number of ns holds. */
const anyNs = fc.oneof(
  fc.nat(),
  fc.maxSafeInteger(),
  fc.nat(70).map((bits) => 2 ** bits),
  fc.nat(70).map((bits) => -(2 ** bits)),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e19, max: 1e19 })
    .map(Math.trunc),
);

Deno.test("as bytes, times and durations are the same, also damaged ones", () => {
  const epochs = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
  const text = (write: (out: TextBuffer) => void) => {
    const out = new TextBuffer();
    write(out);
    return new TextDecoder().decode(out.written);
  };
  fc.assert(
    fc.property(epochs, anyNs, (epoch, ns) => {
      const clock = new ClockText(epoch);
      assert.equal(
        text((out) => clock.writeContext(out, ns)),
        clock.context(ns),
      );
      assert.equal(text((out) => clock.writeGraph(out, ns)), clock.graph(ns));
      assert.equal(
        text((out) => writeGraphDuration(out, ns)),
        graphDuration(ns),
      );
    }),
    { numRuns: 5000, seed: 1 },
  );
});
