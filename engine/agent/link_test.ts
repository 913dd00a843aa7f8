import assert from "node:assert/strict";
import { XftraceError } from "../base/errors.ts";
import { AgentRefusal, returned } from "./link.ts";

const answer = (value: unknown) =>
  returned("qemu:web1", "guest-info", JSON.stringify(value));

Deno.test("an answer's value is handed on as it is", () => {
  assert.deepEqual(answer({ return: { a: [1] } }), { a: [1] });
  assert.equal(answer({ return: 0 }), 0);
  assert.equal(answer({ return: null }), null);
});

Deno.test("a refusal tells forbidden commands from failed ones", () => {
  const refusal = (kind: string, desc: string) => {
    try {
      answer({ error: { class: kind, desc } });
    } catch (error) {
      assert.ok(error instanceof AgentRefusal);
      return error;
    }
    assert.fail("no refusal");
  };
  assert.equal(refusal("CommandNotFound", "nothing").forbidden, true);
  const disabled = refusal(
    "GenericError",
    "Command guest-info has been disabled",
  );
  assert.equal(disabled.forbidden, true);
  assert.match(disabled.message, /does not allow guest-info .*qemu-ga\.conf/);
  const failed = refusal("GenericError", "disk full\x1b[31m");
  assert.equal(failed.forbidden, false);
  assert.equal(
    failed.message,
    "the guest agent of qemu:web1 refuses guest-info: disk full\\x1b[31m",
  );
});

Deno.test("what is no answer is shown, cut and made safe", () => {
  for (
    const text of ["", "{", "[]", "5", '{"error":{}}', "\x1b".repeat(1000)]
  ) {
    assert.throws(() => returned("qemu:web1", "guest-info", text), (error) => {
      assert.ok(error instanceof XftraceError);
      assert.match(error.message, /answers guest-info out of form: /);
      assert.ok(error.message.length < 400 && !error.message.includes("\x1b"));
      return true;
    });
  }
});
