/**
 * What a collector is told and what it leaves: requests, replies, state.
 *
 * @module
 */
import type { CollectorStatus } from "../../../scripts/collector/collector.ts";
import { ask, serve } from "../../../scripts/collector/protocol.ts";
import {
  StateFolder,
  type TraceState,
} from "../../../scripts/collector/state.ts";
import { mutateJson } from "../json.ts";
import type { Target } from "../target.ts";
import { encoded } from "../texts.ts";

const STATE: TraceState = {
  format: 2,
  target: "qemu:web1",
  instance: "xftrace",
  functions: ["sys_openat"],
  roots: [0xffffffff81000040n],
  applied: [
    {
      way: "word",
      change: {
        way: "word",
        what: "recording",
        where: "tracing_on",
        gva: 0xffff888000001000n,
        width: 4,
        mask: 1n,
        before: 0n,
        after: 1n,
        guards: [{ where: "name", gva: 0xffff888000001000n, value: 1n }],
      },
      found: 0n,
    },
    {
      way: "tracefs",
      change: {
        way: "tracefs",
        path: "set_graph_function",
        text: "vfs_read\n",
        append: false,
        before: { known: true, text: "" },
      },
    },
  ],
  byFiles: true,
  wasRecording: false,
  started: "2026-01-01T00:00:00Z",
  collector: 0,
  sealed: {
    seal: "siphash+ratchet",
    rotateMs: 10,
    roots: ["sys_*"],
    filter: "all",
    depth: 0,
    interrupts: false,
    arguments: true,
    hooks: false,
    klogPath: "/tmp/k",
    recordingPath: "/tmp/r",
    resume: false,
  },
};

const RESULT = {
  reason: "off",
  events: 1,
  kept: 1,
  lines: 1,
  lost: 0,
  dropped: 0,
  truncated: false,
  exact: true,
  resets: 0,
};

const STATUS: CollectorStatus = {
  events: 1,
  lost: 0,
  dropped: 0,
  bytes: 4096,
  exact: true,
};

export const collectorState: Target = {
  name: "collector_state",
  open(folder) {
    const state = new StateFolder("vm-1-2", folder);
    state.create();
    state.write(STATE);
    const path = `${state.path}/state.json`;
    const result = `${state.path}/result.json`;
    return {
      seeds: [[Deno.readFileSync(path), encoded(JSON.stringify(RESULT))]],
      mutate(input, random) {
        const part = random.next(3) === 0 ? 1 : 0;
        input[part] = mutateJson(input[part], random);
      },
      run([text, said]) {
        Deno.writeFileSync(path, text, { mode: 0o600 });
        Deno.writeFileSync(result, said, { mode: 0o600 });
        state.readResult();
        state.guestRuns();
        state.read();
      },
    };
  },
};

export const collectorProtocol: Target = {
  name: "collector_protocol",
  open(folder) {
    const socket = `${folder}/s/control`;
    const line = (value: unknown) => encoded(JSON.stringify(value) + "\n");
    return {
      seeds: [
        [line({ do: "status" }), line({ status: STATUS })],
        [line({ do: "drain" }), line({ result: RESULT })],
      ],
      mutate(input, random) {
        const part = random.next(2);
        const json = mutateJson(input[part].slice(0, -1), random);
        const end = random.next(8) === 0 ? "" : "\n";
        input[part] = new Uint8Array([...json, ...encoded(end)]);
      },
      async run([request, reply]) {
        const stop = new AbortController();
        const serving = serve(
          socket,
          () => ({ error: "asked" }),
          stop.signal,
        );
        try {
          const connection = await Deno.connect({
            transport: "unix",
            path: socket,
          });
          await exchanged(connection, request);
        } finally {
          stop.abort();
          await serving;
        }
        using listener = Deno.listen({ transport: "unix", path: socket });
        Deno.chmodSync(socket, 0o600);
        const answering = (async () => {
          using connection = await listener.accept();
          await connection.read(new Uint8Array(4096));
          await sent(connection, reply);
        })();
        try {
          await ask(socket, { do: "status" });
        } finally {
          await answering;
        }
      },
    };
  },
};

/** Sends bytes, and reads whatever is answered. */
async function exchanged(
  connection: Deno.Conn,
  bytes: Uint8Array,
): Promise<void> {
  using conn = connection;
  await sent(conn, bytes);
  await connection.closeWrite();
  const into = new Uint8Array(4096);
  while (await conn.read(into) !== null);
}

/** Sends bytes as far as somebody reads them. */
async function sent(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  try {
    for (let at = 0; at < bytes.length;) {
      at += await conn.write(bytes.subarray(at));
    }
  } catch {
    // The other end has had enough.
  }
}
