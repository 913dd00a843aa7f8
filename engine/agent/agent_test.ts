import assert from "node:assert/strict";
import { XftraceError } from "../base/errors.ts";
import { GuestAgent } from "./agent.ts";
import type { AgentArguments, AgentLink } from "./link.ts";

/** An agent that gives these answers, one after another for each command. */
class Answers implements AgentLink {
  readonly where = "fake";
  readonly asked: [command: string, args: AgentArguments][] = [];
  closed = 0;
  readonly #answers: Readonly<Record<string, unknown[]>>;

  constructor(answers: Record<string, unknown[]>) {
    this.#answers = { "guest-file-open": [7], ...answers };
  }

  ask(command: string, args: AgentArguments = {}): Promise<unknown> {
    this.asked.push([command, args]);
    if (command === "guest-file-close") {
      this.closed++;
      return Promise.resolve({});
    }
    const answers = this.#answers[command];
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    return answer instanceof Error
      ? Promise.reject(answer)
      : Promise.resolve(answer);
  }
  [Symbol.dispose](): void {}
}

function agentWith(answers: Record<string, unknown[]>) {
  const link = new Answers(answers);
  return { link, agent: new GuestAgent(link, "qemu:web1") };
}

const encode = (text: string) => new TextEncoder().encode(text).toBase64();

Deno.test("an agent that wrote less goes on from there, one that claims more is refused", async () => {
  const less = agentWith({ "guest-file-write": [{ count: 1 }, { count: 2 }] });
  await less.agent.writeFile("/x", new Uint8Array([1, 2, 3]));
  assert.deepEqual(
    less.link.asked.filter(([command]) => command === "guest-file-write")
      .map(([, args]) => args["buf-b64"]),
    ["AQID", "AgM="],
  );
  for (const count of [0, 4, 65536]) {
    const { agent, link } = agentWith({ "guest-file-write": [{ count }] });
    await assert.rejects(
      agent.writeFile("/x", new Uint8Array([1, 2, 3])),
      new RegExp(`wrote ${count} bytes to /x where 3 were due`),
    );
    assert.equal(link.closed, 1);
  }
});

Deno.test("a file without content is created", async () => {
  const { agent, link } = agentWith({});
  await agent.writeFile("/x", new Uint8Array(), { append: true });
  assert.deepEqual(link.asked[0], [
    "guest-file-open",
    { path: "/x", mode: "a" },
  ]);
  assert.equal(link.closed, 1);
});

Deno.test("a file is read to its end, and no further than its limit", async () => {
  const parts = () => [
    { "buf-b64": encode("some"), eof: false },
    { "buf-b64": encode("thing"), eof: true },
  ];
  const { agent } = agentWith({ "guest-file-read": parts() });
  const bytes = await agent.readFile("/x", 9);
  assert.equal(new TextDecoder().decode(bytes), "something");
  const long = agentWith({ "guest-file-read": parts() });
  await assert.rejects(
    long.agent.readFile("/x", 8),
    /\/x in qemu:web1 has more than 8 bytes/,
  );
  assert.equal(long.link.closed, 1);
  // An agent that never comes to the end.
  const endless = agentWith({
    "guest-file-read": [{ "buf-b64": encode("x"), eof: false }],
  });
  await assert.rejects(endless.agent.readFile("/x", 100), /more than 100/);
  const silent = agentWith({
    "guest-file-read": [{ "buf-b64": "", eof: false }],
  });
  assert.equal((await silent.agent.readFile("/x", 100)).length, 0);
});

Deno.test("what is no content of a file is refused", async () => {
  for (
    const answer of [
      { "buf-b64": "*", eof: true },
      { "buf-b64": new Uint8Array(65537).toBase64(), eof: true },
      { "buf-b64": 5, eof: true },
      {},
      null,
    ]
  ) {
    const { agent, link } = agentWith({ "guest-file-read": [answer] });
    await assert.rejects(
      agent.readFile("/x", 1 << 20),
      /something else than QEMU's agent does/,
    );
    assert.equal(link.closed, 1);
  }
});

Deno.test("output that is very long is cut, not lost", async () => {
  const text = "line\n".repeat(20_000);
  const { agent } = agentWith({
    "guest-exec": [{ pid: 1 }],
    "guest-exec-status": [{
      exited: true,
      exitcode: 1,
      "out-data": encode(text),
      "err-data": "not base64",
    }],
  });
  const { status, out, err } = await agent.run("cat", ["x"]);
  assert.deepEqual([status, err], [1, ""]);
  assert.ok(text.startsWith(out));
  assert.ok(out.length > 65_000 && out.length <= 65_536, `${out.length}`);
});

Deno.test("a program that a signal ended, and one that does not end", async () => {
  const killed = agentWith({
    "guest-exec": [{ pid: 1 }],
    "guest-exec-status": [{ exited: false }, { exited: true, signal: 9 }],
  });
  assert.deepEqual(await killed.agent.run("x", []), {
    status: 137,
    out: "",
    err: "",
  });
  const endless = agentWith({
    "guest-exec": [{ pid: 77 }],
    "guest-exec-status": [{ exited: false }],
  });
  await assert.rejects(
    endless.agent.run("sleep", ["9"], { timeoutMs: 0 }),
    /"sleep 9" in qemu:web1 did not end within 0 s; it goes on there as process 77/,
  );
});

Deno.test("the first failure is the one that is told", async () => {
  const { agent, link } = agentWith({
    "guest-file-write": [new XftraceError("no answer")],
  });
  const close = link.ask.bind(link);
  link.ask = (command, args) =>
    command === "guest-file-close"
      ? Promise.reject(new XftraceError("not open"))
      : close(command, args);
  await assert.rejects(
    agent.writeFile("/x", new Uint8Array(1)),
    /^XftraceError: no answer$/,
  );
});
