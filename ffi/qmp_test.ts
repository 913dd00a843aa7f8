import assert from "node:assert/strict";
import { XftraceError } from "../engine/base/errors.ts";
import { QmpClient } from "./qmp.ts";

const LIMITS = { greeting: 200, answer: 200 };

/** A monitor in a worker, as the client blocks its own thread. */
async function monitor(greeting: string): Promise<{
  path: string;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/qmp.sock`;
  const code = `
    const listener = Deno.listen({ transport: "unix", path: ${
    JSON.stringify(path)
  } });
    self.postMessage("up");
    const decoder = new TextDecoder(), encoder = new TextEncoder();
    for await (const client of listener) {
      const say = (text) => client.write(encoder.encode(text));
      await say(${JSON.stringify(greeting)});
      for await (const bytes of client.readable) {
        const { execute } = JSON.parse(decoder.decode(bytes));
        if (execute === "silence") continue;
        if (execute === "wrong") {
          await say('{"error": {"class": "GenericError", "desc": "no such thing"}}\\r\\n');
          continue;
        }
        await say('{"event": "STOP", "data": {}}\\r\\n{"return": ');
        await say(JSON.stringify("é".repeat(100000)) + '}\\r\\n');
      }
    }`;
  const url = URL.createObjectURL(
    new Blob([code], { type: "text/javascript" }),
  );
  const worker = new Worker(url, { type: "module" });
  await new Promise((resolve) => worker.onmessage = resolve);
  return {
    path,
    async [Symbol.asyncDispose]() {
      worker.terminate();
      URL.revokeObjectURL(url);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

Deno.test("QMP: answers, however they are cut, and errors", async () => {
  await using server = await monitor('{"QMP": {"version": {}}}\r\n');
  using client = new QmpClient(server.path);
  assert.equal(client.ask("anything"), "é".repeat(100000));
  assert.throws(
    () => client.ask("wrong"),
    /cannot be asked: wrong: no such thing/,
  );
});

Deno.test("QMP: silence ends in time, with what it means", async () => {
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

Deno.test("QMP: a socket that is not there", () => {
  assert.throws(
    () => new QmpClient("/nowhere/qmp.sock"),
    (error) =>
      error instanceof XftraceError && /no such file/.test(error.message),
  );
  assert.throws(() => new QmpClient("/x".repeat(60)), /path is too long/);
});
