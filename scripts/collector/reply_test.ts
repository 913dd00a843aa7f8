/** What is not a reply is refused in one sentence. */
import assert from "node:assert/strict";
import { XftraceError } from "xftrace";
import { parseReply } from "./reply.ts";

const STATUS = { events: 3, lost: 0, dropped: 0, bytes: 10, exact: true };
const SEALED = {
  enabled: true,
  registered: true,
  seal: "siphash+ratchet",
  parked: false,
  generation: 1,
  phase: "idle",
  cpus: [{ cpu: 0, written: 5, epoch: 2 }],
  dropped: { nmi: 0, unkeyed: 0, nested: 0 },
  entries: 5,
  lost: 0,
  keySwitches: 2,
  heartbeatAgeMs: 3.5,
  recordedBytes: 100,
  findings: [{ problem: "no heartbeat", detail: "for 3 s" }],
};

Deno.test("a reply is read as it was sent", () => {
  for (const status of [STATUS, { ...STATUS, sealed: SEALED }]) {
    assert.deepEqual(parseReply(JSON.stringify({ status })), { status });
  }
  const endless = { ...STATUS, lost: Infinity };
  const read = parseReply(JSON.stringify({ status: endless }));
  assert.ok("status" in read && Number.isNaN(read.status.lost));
});

Deno.test("anything else is refused in one sentence", () => {
  for (
    const line of [
      "",
      "null",
      "3",
      "{",
      "[]",
      '{"status":null}',
      '{"status":{"events":"many"}}',
      '{"result":{}}',
      '{"error":{}}',
    ]
  ) {
    assert.throws(
      () => parseReply(line),
      (error) =>
        error instanceof XftraceError && /not understood/.test(error.message),
      line,
    );
  }
  assert.throws(
    () => parseReply(JSON.stringify({ error: "e".repeat(1 << 20) })),
    (error) => error instanceof XftraceError && error.message.length === 4096,
  );
});
