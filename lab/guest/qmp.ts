/**
 * Sends a command over QEMU's machine protocol (QMP).
 *
 * @module
 */

import { LabError } from "../host/errors.ts";

/** A value of QEMU's machine protocol. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/**
 * Sends one command to QEMU's QMP socket and returns its result. Throws
 * {@link LabError} with QEMU's message if it refuses.
 */
export async function qmp(
  socket: string,
  command: string,
  args: { readonly [key: string]: Json } = {},
): Promise<Json> {
  using connection = await Deno.connect({ transport: "unix", path: socket });
  const send = (message: Json) =>
    connection.write(new TextEncoder().encode(`${JSON.stringify(message)}\n`));
  const replies = lines(connection);
  const reply = async () => {
    for (;;) {
      const { value, done } = await replies.next();
      if (done) return undefined;
      const message = JSON.parse(value) as Record<string, Json>;
      // Events may come in between.
      if ("return" in message || "error" in message) return message;
    }
  };
  await send({ execute: "qmp_capabilities" });
  await reply();
  await send({ execute: command, arguments: args });
  const answer = await reply();
  if (answer && "error" in answer) {
    const error = answer.error as { readonly desc?: string };
    throw new LabError(`QEMU refused ${command}: ${error.desc ?? "no reason"}`);
  }
  return answer?.return ?? null;
}

async function* lines(connection: Deno.Conn): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(1 << 16);
  let rest = "";
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return;
    const parts = (rest + decoder.decode(buffer.subarray(0, count), {
      stream: true,
    })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}
