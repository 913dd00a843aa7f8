import assert from "node:assert/strict";
import { join } from "node:path";
import { XftraceError } from "../../engine/base/errors.ts";
import { ask, type Request, serve } from "./protocol.ts";
import type { Reply } from "./reply.ts";

const STATUS = { events: 3, lost: 0, dropped: 0, bytes: 10, exact: true };

/** A socket at which `answer` serves; closed and removed afterwards. */
function answering(
  answer: (request: Request) => Reply | Promise<Reply>,
): { socket: string } & AsyncDisposable {
  const folder = Deno.makeTempDirSync({ prefix: "xftrace-socket-" });
  const socket = join(folder, "control");
  const abort = new AbortController();
  const served = serve(socket, answer, abort.signal);
  return {
    socket,
    [Symbol.asyncDispose]: async () => {
      abort.abort();
      await served;
      Deno.removeSync(folder, { recursive: true });
    },
  };
}

Deno.test("a request and its reply", async () => {
  const asked: Request[] = [];
  await using at = answering((request) => {
    asked.push(request);
    return { status: STATUS };
  });
  const finish: Request = {
    do: "finish",
    output: "/tmp/trace ü.txt",
    graph: { duration: true, proc: false },
  };
  assert.deepEqual(await ask(at.socket, { do: "status" }), { status: STATUS });
  assert.deepEqual(await ask(at.socket, { do: "drain" }), { status: STATUS });
  assert.deepEqual(await ask(at.socket, finish), { status: STATUS });
  assert.deepEqual(asked, [{ do: "status" }, { do: "drain" }, finish]);
  assert.equal((Deno.statSync(at.socket).mode ?? 0) & 0o777, 0o600);
});

Deno.test("concurrent requests, and replies too long for one read", async () => {
  await using at = answering(async () => {
    await Promise.resolve();
    return {
      result: {
        reason: "ü".repeat(300_000),
        events: 1,
        kept: 1,
        lines: 1,
        lost: 0,
        dropped: 0,
        truncated: false,
        exact: true,
        resets: 0,
      },
    };
  });
  const replies = await Promise.all(
    Array.from({ length: 5 }, () => ask(at.socket, { do: "status" })),
  );
  for (const reply of replies) {
    assert.ok(reply !== undefined && "result" in reply);
    assert.equal(reply.result.reason.length, 300_000);
  }
});

Deno.test("an error reply is thrown, and the next request is served", async () => {
  let calls = 0;
  await using at = answering(() => {
    if (++calls === 1) throw new XftraceError("no room on the disk");
    return { status: STATUS };
  });
  await assert.rejects(ask(at.socket, { do: "status" }), (error) => {
    assert.ok(error instanceof XftraceError);
    assert.equal(error.message, "no room on the disk");
    return true;
  });
  assert.ok(await ask(at.socket, { do: "status" }));
});

Deno.test("a client that sends nothing does not delay others", async () => {
  await using at = answering(() => ({ status: STATUS }));
  using _silent = await Deno.connect({ transport: "unix", path: at.socket });
  assert.ok(await ask(at.socket, { do: "status" }));
});

/** Sends raw text; returns what comes back. */
async function send(socket: string, text: string): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path: socket });
  await connection.write(new TextEncoder().encode(text));
  await connection.closeWrite();
  return await new Response(connection.readable).text().catch(() => "");
}

Deno.test("an invalid request gets an error reply", async () => {
  await using at = answering(() => ({ status: STATUS }));
  for (const text of ["{}\n", "nonsense\n", '{"do":"explode"}\n', "\n"]) {
    const reply = JSON.parse(await send(at.socket, text));
    assert.equal(typeof reply.error, "string", text);
  }
  assert.ok(await ask(at.socket, { do: "status" }));
});

Deno.test("without a listener there is no reply", async () => {
  assert.equal(await ask("/no/such/socket", { do: "status" }), undefined);
  const folder = Deno.makeTempDirSync();
  const socket = join(folder, "control");
  try {
    // Left by a collector that was killed.
    Deno.listen({ transport: "unix", path: socket }).close();
    if (!exists(socket)) Deno.writeTextFileSync(socket, "");
    assert.equal(await ask(socket, { do: "status" }), undefined);
    // A new collector replaces the socket.
    const abort = new AbortController();
    const served = serve(socket, () => ({ status: STATUS }), abort.signal);
    assert.ok(await ask(socket, { do: "status" }));
    abort.abort();
    await served;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a collector that is killed before it reads the request counts as gone", async () => {
  const folder = Deno.makeTempDirSync();
  const socket = join(folder, "control");
  const listener = Deno.listen({ transport: "unix", path: socket });
  try {
    const asked = ask(socket, { do: "status" });
    // By then the request is sent, and not accepted.
    await new Promise((resolve) => setTimeout(resolve, 100));
    listener.close();
    assert.equal(await asked, undefined);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a collector that ends before it has replied", async () => {
  for (const half of ["", '{"status":{"eve']) {
    const folder = Deno.makeTempDirSync();
    const socket = join(folder, "control");
    const listener = Deno.listen({ transport: "unix", path: socket });
    try {
      const asked = ask(socket, { do: "status" });
      const connection = await listener.accept();
      await connection.read(new Uint8Array(1000));
      await connection.write(new TextEncoder().encode(half));
      connection.close();
      await assert.rejects(asked, (error) => {
        assert.ok(error instanceof XftraceError);
        assert.match(error.message, /the collector ended while it was asked/);
        return true;
      });
    } finally {
      listener.close();
      Deno.removeSync(folder, { recursive: true });
    }
  }
});

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
