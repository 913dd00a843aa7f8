/**
 * How `status` and `off` communicate with a collector: one line of JSON each
 * way, over a socket that only its owner can open.
 *
 * @module
 */
import { dirname } from "node:path";
import { z } from "zod";
import {
  isMissing,
  makeOwnFolder,
  requireOwnFolder,
  XftraceError,
} from "xftrace";
import { parseReply, type Reply } from "./reply.ts";

/** The requests that a collector answers. */
export const requestSchema = z.discriminatedUnion("do", [
  z.object({ do: z.literal("status") }),
  /** Reads what is left in the guest, and nothing after that. */
  z.object({ do: z.literal("drain") }),
  z.object({
    do: z.literal("finish"),
    /** Absolute path of the text. */
    output: z.string(),
    /** funcgraph options that differ from the guest's. */
    graph: z.record(z.string(), z.boolean()),
  }),
]);

/** A request to a collector. */
export type Request = z.infer<typeof requestSchema>;

/** The most characters of a request or reply. */
const LINE_LIMIT = 2 ** 24;

async function readLine(connection: Deno.Conn): Promise<string> {
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(65536);
  let text = "";
  while (!text.includes("\n")) {
    if (text.length > LINE_LIMIT) {
      throw new XftraceError("a request or reply is too long");
    }
    const got = await connection.read(chunk);
    if (got === null) break;
    text += decoder.decode(chunk.subarray(0, got), { stream: true });
  }
  return text;
}

async function writeLine(connection: Deno.Conn, value: unknown): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify(value) + "\n");
  let at = 0;
  while (at < bytes.length) at += await connection.write(bytes.subarray(at));
}

/**
 * Sends a request to a collector and waits for the reply.
 *
 * @returns `undefined` when no collector listens there.
 * @throws {XftraceError} when it replies with an error, or ends without a
 * reply.
 */
export async function ask(
  socket: string,
  request: Request,
): Promise<Reply | undefined> {
  let connection: Deno.UnixConn;
  if (!isOwnSocket(socket)) return undefined;
  try {
    connection = await Deno.connect({ transport: "unix", path: socket });
  } catch {
    return undefined;
  }
  try {
    await writeLine(connection, request);
    const line = await readLine(connection);
    if (!line.endsWith("\n")) {
      throw new XftraceError(
        "the collector ended while it was asked; what it kept is still there: run `xftrace off` again",
      );
    }
    return parseReply(line);
  } catch (error) {
    const cut = error instanceof Deno.errors.ConnectionReset ||
      error instanceof Deno.errors.BrokenPipe;
    if (!cut) throw error;
    // It was killed meanwhile: no collector is there any more.
    return undefined;
  } finally {
    connection.close();
  }
}

/**
 * Whether there is a socket, in a folder that nobody else can change: there,
 * only this user's collector (or root's) can listen.
 *
 * @throws {XftraceError} when somebody else could.
 */
function isOwnSocket(path: string): boolean {
  try {
    requireOwnFolder(dirname(path));
    return Deno.lstatSync(path).isSocket === true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || isMissing(error)) return false;
    throw error;
  }
}

/**
 * Answers requests at a socket, one after the other, until `signal` is aborted.
 * A client that connects and sends nothing does not delay the others. The
 * folder is closed to other users, so only this user and root can connect.
 *
 * @throws {XftraceError} when somebody else could change the folder.
 */
export async function serve(
  socket: string,
  answer: (request: Request) => Promise<Reply> | Reply,
  signal: AbortSignal,
): Promise<void> {
  makeOwnFolder(dirname(socket));
  try {
    Deno.removeSync(socket);
  } catch {
    // There was none.
  }
  const listener = Deno.listen({ transport: "unix", path: socket });
  Deno.chmodSync(socket, 0o600);
  const silent = new Set<Deno.Conn>();
  const talks = new Set<Promise<void>>();
  let before: Promise<unknown> = Promise.resolve();
  const inTurn = (request: Request): Promise<Reply> => {
    const reply = before.then(() => answer(request));
    before = reply.catch(() => {});
    return reply;
  };
  const talk = async (connection: Deno.Conn) => {
    silent.add(connection);
    try {
      const line = await readLine(connection);
      silent.delete(connection);
      const request = requestSchema.parse(JSON.parse(line));
      await writeLine(connection, await inTurn(request));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      await writeLine(connection, { error: message }).catch(() => {});
    } finally {
      silent.delete(connection);
      close(connection);
    }
  };
  signal.addEventListener("abort", () => {
    listener.close();
    for (const connection of silent) close(connection);
  });
  while (!signal.aborted) {
    let connection: Deno.Conn;
    try {
      connection = await listener.accept();
    } catch {
      break;
    }
    const talking = talk(connection).finally(() => talks.delete(talking));
    talks.add(talking);
  }
  await Promise.all(talks);
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It is closed already.
  }
}
