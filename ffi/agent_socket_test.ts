import assert from "node:assert/strict";
import { GuestAgent } from "../engine/agent/agent.ts";
import { AgentRefusal } from "../engine/agent/link.ts";
import { XftraceError } from "../engine/base/errors.ts";
import { AgentSocket, SilentAgent } from "./agent_socket.ts";
import { type SocketServer, socketServer } from "./socket_server_fixture.ts";

const LIMITS = { sync: 300, answer: 300 };

/**
 * An agent that answers guest-sync-delimited; `answer` is code that handles the
 * other commands.
 */
function agent(answer: string): Promise<SocketServer> {
  return socketServer(`
    for await (const line of lines()) {
      const { execute, arguments: args } = JSON.parse(line.replace(/^[^{]*/, ""));
      if (execute === "guest-sync-delimited") {
        await say('{"error": {"class": "GenericError", "desc": "JSON parse error"}}\\n');
        await say(new Uint8Array([0xff]));
        await say('{"return": 7}\\n');
        await say(new Uint8Array([0xff]));
        await say(JSON.stringify({ return: args.id }) + "\\n");
        continue;
      }
      ${answer}
    }`);
}

const opened = (path: string) =>
  new GuestAgent(new AgentSocket(path, "qemu:web1", LIMITS), "qemu:web1");

Deno.test("agent: answers to other clients are dropped, the client's own are matched", async () => {
  await using server = await agent(`
    if (execute === "guest-info") await say(JSON.stringify({ return: {
      version: "7.2.\\x1b[2J22", supported_commands: [
        { name: "guest-exec", enabled: false, "success-response": true },
        { name: "guest-file-open", enabled: true, "success-response": true },
      ] } }) + "\\n");`);
  using client = opened(server.path);
  const { version, allowed } = await client.info();
  assert.equal(version, "7.2.\\x1b[2J22");
  assert.deepEqual([...allowed], ["guest-file-open"]);
  await assert.rejects(
    client.require(["guest-file-open", "guest-exec", "guest-exec-status"]),
    /of qemu:web1 does not allow guest-exec, guest-exec-status; to allow it, take it out of block-rpcs .*sysconfig\/qemu-ga.*restart/,
  );
});

Deno.test("agent: commands are tried even where guest-info is forbidden", async () => {
  await using server = await agent(`
    await say(JSON.stringify({ error: { class: "CommandNotFound", desc: "Command guest-info has been disabled" } }) + "\\n");`);
  using client = opened(server.path);
  const info = await client.require(["guest-exec"]);
  assert.equal(info.version, "(not told)");
  await assert.rejects(client.info(), /does not allow guest-info/);
});

Deno.test("agent: errors name the command, and control characters are escaped", async () => {
  await using server = await agent(`
    await say(JSON.stringify({ error: execute === "guest-exec"
      ? { class: "CommandNotFound", desc: "Command guest-exec has been disabled" }
      : { class: "GenericError", desc: "no \\x1b]0;title\\x07 such\\nfile" } }) + "\\n");`);
  using client = opened(server.path);
  await assert.rejects(
    client.run("true", []),
    (error) =>
      error instanceof AgentRefusal && error.forbidden &&
      /does not allow guest-exec \(Command guest-exec has been disabled\); to allow/
        .test(error.message),
  );
  await assert.rejects(
    client.writeFile("/x", new Uint8Array()),
    (error) =>
      error instanceof AgentRefusal && !error.forbidden &&
      error.message ===
        "the guest agent of qemu:web1 refuses guest-file-open: no \\x1b]0;title\\x07 such file",
  );
});

Deno.test("agent: files are written in chunks, and programs are waited for", async () => {
  await using server = await agent(`
    globalThis.asked ??= [];
    asked.push(execute + " " + (args.mode ?? args["buf-b64"]?.length ?? ""));
    const status = globalThis.polled++ > 1
      ? { exited: true, exitcode: 3, "out-data": btoa("out"), "err-data": btoa(asked.join("; ")) }
      : { exited: false };
    globalThis.polled ||= 1;
    await say(JSON.stringify({ return: {
      "guest-file-open": 1000,
      "guest-file-write": { count: Math.floor((args["buf-b64"]?.length ?? 0) / 4) * 3 - (args["buf-b64"]?.match(/=/g)?.length ?? 0), eof: false },
      "guest-file-close": {},
      "guest-exec": { pid: 12 },
      "guest-exec-status": status,
    }[execute] }) + "\\n");`);
  using client = opened(server.path);
  await client.writeFile("/run/x", new Uint8Array(65536 + 5));
  const ran = await client.run("insmod", ["/run/x"]);
  assert.deepEqual([ran.status, ran.out], [3, "out"]);
  assert.match(
    ran.err,
    /^guest-file-open w; guest-file-write 87384; guest-file-write 8; guest-file-close ; guest-exec ; guest-exec-status/,
  );
});

Deno.test("agent: silence, floods and garbage end in an error within the time limit", async () => {
  await using dumb = await socketServer("for await (const _ of lines());");
  const started = performance.now();
  assert.throws(
    () => new AgentSocket(dumb.path, "qemu:web1", LIMITS),
    (error) =>
      error instanceof SilentAgent &&
      /^no guest agent of qemu:web1 answers at .*install and start qemu-guest-agent/
        .test(error.message),
  );
  await using drip = await socketServer(`
    for (;;) { await say("{"); await new Promise((r) => setTimeout(r, 20)); }`);
  assert.throws(
    () => new AgentSocket(drip.path, "qemu:web1", LIMITS),
    SilentAgent,
  );
  assert.ok(performance.now() - started < 3000);

  await using flood = await socketServer(
    `const much = new Uint8Array(1 << 20).fill(65); for (;;) await say(much);`,
  );
  assert.throws(
    () => new AgentSocket(flood.path, "qemu:web1", { ...LIMITS, sync: 20_000 }),
    /cannot be asked: it sends more than 33554432 bytes at once/,
  );

  await using lost = await agent(`
    if (args.path === "late") continue;
    await say("hello\\x1b[1m\\n");`);
  using client = opened(lost.path);
  await assert.rejects(
    client.info(),
    /answers guest-info out of form: hello\\x1b\[1m/,
  );
  await assert.rejects(
    client.writeFile("late", new Uint8Array()),
    /no answer to guest-file-open within 0.3 s/,
  );
  // A late answer would be taken for the answer to the next command.
  await assert.rejects(client.info(), /it has not answered before/);
});

Deno.test("agent: answers of an unexpected shape are refused", async () => {
  await using server = await agent(`
    await say(JSON.stringify({ return: {
      "guest-file-open": args.path === "/bad" ? "handle" : 5,
      "guest-file-read": { "buf-b64": args.path === "/b" ? "***" : btoa("x".repeat(1000)), count: 1000, eof: false },
      "guest-file-write": { count: -1 },
      "guest-exec": { pid: {} },
      "guest-file-close": {},
      "guest-info": { version: 7 },
    }[execute] }) + "\\n");`);
  using client = opened(server.path);
  const other = /answers guest-\S+ with something else than QEMU's agent does/;
  await assert.rejects(client.writeFile("/bad", new Uint8Array(1)), other);
  await assert.rejects(client.writeFile("/good", new Uint8Array(1)), other);
  await assert.rejects(client.run("x", []), other);
  await assert.rejects(client.info(), other);
  await assert.rejects(
    client.readFile("/endless", 5000),
    /more than 5000 bytes/,
  );
});

Deno.test("agent: a socket that does not exist", () => {
  assert.throws(
    () => new AgentSocket("/nowhere/qga.sock", "qemu:web1"),
    (error) =>
      error instanceof XftraceError && /no such file/.test(error.message),
  );
});
