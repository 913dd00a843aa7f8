import assert from "node:assert/strict";
import { join } from "node:path";
import { XftraceError } from "../../engine/base/errors.ts";
import { ask, type Reply, type Request, serve } from "./protocol.ts";

const STATUS = { events: 3, lost: 0, dropped: 0, bytes: 10, exact: true };

/** A socket with somebody who answers; ended and gone afterwards. */
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

Deno.test("a question and its answer", async () => {
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
  assert.deepEqual(await ask(at.socket, finish), { status: STATUS });
  assert.deepEqual(asked, [{ do: "status" }, finish]);
  assert.equal((Deno.statSync(at.socket).mode ?? 0) & 0o777, 0o600);
});

Deno.test("several ask at once; a long answer comes whole", async () => {
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

Deno.test("an answer that is an error is thrown, and the next is served", async () => {
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

Deno.test("who connects and asks nothing keeps nobody waiting", async () => {
  await using at = answering(() => ({ status: STATUS }));
  using _silent = await Deno.connect({ transport: "unix", path: at.socket });
  assert.ok(await ask(at.socket, { do: "status" }));
});

/** Sends text as it is; returns what comes back. */
async function send(socket: string, text: string): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path: socket });
  await connection.write(new TextEncoder().encode(text));
  await connection.closeWrite();
  return await new Response(connection.readable).text().catch(() => "");
}

Deno.test("what is no question is answered with an error", async () => {
  await using at = answering(() => ({ status: STATUS }));
  for (const text of ["{}\n", "nonsense\n", '{"do":"explode"}\n', "\n"]) {
    const reply = JSON.parse(await send(at.socket, text));
    assert.equal(typeof reply.error, "string", text);
  }
  assert.ok(await ask(at.socket, { do: "status" }));
});

Deno.test("nobody listens", async () => {
  assert.equal(await ask("/no/such/socket", { do: "status" }), undefined);
  const folder = Deno.makeTempDirSync();
  const socket = join(folder, "control");
  try {
    // Left by a collector that was killed.
    Deno.listen({ transport: "unix", path: socket }).close();
    if (!exists(socket)) Deno.writeTextFileSync(socket, "");
    assert.equal(await ask(socket, { do: "status" }), undefined);
    // The next one takes its place.
    const abort = new AbortController();
    const served = serve(socket, () => ({ status: STATUS }), abort.signal);
    assert.ok(await ask(socket, { do: "status" }));
    abort.abort();
    await served;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a collector that is killed before it takes the question is gone", async () => {
  const folder = Deno.makeTempDirSync();
  const socket = join(folder, "control");
  const listener = Deno.listen({ transport: "unix", path: socket });
  try {
    const asked = ask(socket, { do: "status" });
    // Connected and written by then, taken by nobody.
    await new Promise((resolve) => setTimeout(resolve, 100));
    listener.close();
    assert.equal(await asked, undefined);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a collector that ends while it is asked", async () => {
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
