import assert from "node:assert/strict";
import { XftraceError } from "../engine/base/errors.ts";
import { QmpClient } from "./qmp.ts";
import { type SocketServer, socketServer } from "./socket_server_fixture.ts";

const LIMITS = { greeting: 200, answer: 200 };

/**
 * A monitor that answers every command but `silence` (no answer) and `wrong`
 * (an error).
 */
function monitor(greeting: string): Promise<SocketServer> {
  return socketServer(`
    await say(${JSON.stringify(greeting)});
    for await (const line of lines()) {
      const { execute } = JSON.parse(line);
      if (execute === "silence") continue;
      if (execute === "wrong") {
        await say('{"error": {"class": "GenericError", "desc": "no such thing"}}\\r\\n');
        continue;
      }
      await say('{"event": "STOP", "data": {}}\\r\\n{"return": ');
      await say(JSON.stringify("é".repeat(100000)) + '}\\r\\n');
    }`);
}

Deno.test("QMP: answers that arrive in pieces, and errors", async () => {
  await using server = await monitor('{"QMP": {"version": {}}}\r\n');
  using client = new QmpClient(server.path);
  assert.equal(client.ask("anything"), "é".repeat(100000));
  assert.throws(
    () => client.ask("wrong"),
    /cannot be asked: wrong: no such thing/,
  );
});

Deno.test("QMP: silence ends within the time limit, with its likely reason", async () => {
  await using busy = await monitor("");
  assert.throws(
    () => new QmpClient(busy.path, LIMITS),
    /it serves another client/,
  );
  await using other = await monitor("login: \n");
  assert.throws(() => new QmpClient(other.path, LIMITS), /no QMP monitor/);
  await using dumb = await monitor('{"QMP": {}}\r\n');
  using client = new QmpClient(dumb.path, LIMITS);
  assert.throws(() => client.ask("silence"), /no answer to silence/);
});

Deno.test("QMP: a socket that does not exist", () => {
  assert.throws(
    () => new QmpClient("/nowhere/qmp.sock"),
    (error) =>
      error instanceof XftraceError && /no such file/.test(error.message),
  );
  assert.throws(() => new QmpClient("/x".repeat(60)), /path is too long/);
});
