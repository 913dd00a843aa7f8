import assert from "node:assert/strict";
import { GuestAgent } from "../agent/agent.ts";
import {
  type AgentArguments,
  type AgentLink,
  AgentRefusal,
} from "../agent/link.ts";
import { RefusedError } from "../seal/page/mailbox.ts";
import { AgentTracefs } from "./agent_tracefs.ts";

/** An agent whose files are in a map. */
class FakeLink implements AgentLink {
  readonly where = "fake";
  readonly files: Map<string, string>;
  readonly ran: string[] = [];
  forbids = "";
  /** The error text of programs, which then fail; empty: they succeed. */
  fails = "";
  readonly #handles: string[] = [];

  constructor(files: Record<string, string>) {
    this.files = new Map(Object.entries(files));
  }

  async ask(command: string, args: AgentArguments = {}): Promise<unknown> {
    await Promise.resolve();
    if (command === this.forbids) {
      throw new AgentRefusal("it", command, "CommandNotFound", "disabled");
    }
    const { path, mode, handle } = args;
    const file = this.#handles[Number(handle)];
    switch (command) {
      case "guest-info":
        return {
          version: "1",
          supported_commands: ["open", "read", "write", "close"].map((
            name,
          ) => ({
            name: `guest-file-${name}`,
            enabled: `guest-file-${name}` !== this.forbids,
          })),
        };
      case "guest-file-open":
        if (!this.files.has(String(path))) {
          throw new AgentRefusal("it", command, "GenericError", "No such file");
        }
        if (mode === "w") this.files.set(String(path), "");
        return this.#handles.push(String(path)) - 1;
      case "guest-file-read":
        return { "buf-b64": btoa(this.files.get(file) ?? ""), eof: true };
      case "guest-file-write": {
        const text = atob(String(args["buf-b64"]));
        if (text.includes("bad")) {
          throw new AgentRefusal(
            "it",
            command,
            "GenericError",
            "Invalid argument",
          );
        }
        this.files.set(file, (this.files.get(file) ?? "") + text);
        return { count: text.length };
      }
      case "guest-file-close":
        return {};
      case "guest-exec":
        this.ran.push(JSON.stringify([path, args.arg]));
        return { pid: 1 };
      case "guest-exec-status":
        return this.fails === ""
          ? { exited: true, exitcode: 0 }
          : { exited: true, exitcode: 1, "err-data": btoa(this.fails) };
    }
    throw new Error(command);
  }
  [Symbol.dispose](): void {}
}

function guest(files: Record<string, string>) {
  const link = new FakeLink(files);
  let opened = 0;
  const tracefs = new AgentTracefs(() => {
    opened++;
    return new GuestAgent(link, "qemu:web1");
  });
  return { link, tracefs, opened: () => opened };
}

const TOP = "/sys/kernel/tracing/current_tracer";

Deno.test("files are read and written where tracefs is mounted", async () => {
  const { link, tracefs, opened } = guest({
    [TOP]: "nop\n",
    "/sys/kernel/tracing/set_ftrace_filter": "vfs_open\n",
  });
  assert.equal(opened(), 0, "it is reached when it is needed");
  assert.equal(await tracefs.readTracefs("current_tracer"), "nop\n");
  await tracefs.writeTracefs("current_tracer", "function\n");
  await tracefs.writeTracefs("set_ftrace_filter", "vfs_read\n", {
    append: true,
  });
  assert.equal(link.files.get(TOP), "function\n");
  assert.equal(
    link.files.get("/sys/kernel/tracing/set_ftrace_filter"),
    "vfs_open\nvfs_read\n",
  );
  assert.equal(opened(), 1);
  const old = guest({ "/sys/kernel/debug/tracing/current_tracer": "nop\n" });
  assert.equal(await old.tracefs.readTracefs("current_tracer"), "nop\n");
  await assert.rejects(
    guest({}).tracefs.readTracefs("current_tracer"),
    /tracefs is not mounted in qemu:web1; mount it there: mount -t tracefs/,
  );
});

Deno.test("a refusal by the guest is reported as one by the module", async () => {
  const { link, tracefs } = guest({ [TOP]: "nop\n" });
  const refused = (pattern: RegExp) => (error: unknown) =>
    error instanceof RefusedError && pattern.test(error.message);
  await assert.rejects(
    tracefs.readTracefs("no_such"),
    refused(/^the guest refused to read tracefs' no_such: No such file$/),
  );
  await assert.rejects(
    tracefs.writeTracefs("current_tracer", "bad\n"),
    refused(
      /refused to write "bad" to tracefs' current_tracer: Invalid argument/,
    ),
  );
  link.fails = "mkdir: can't create directory: File exists\n";
  await assert.rejects(
    tracefs.makeInstance("mine"),
    refused(/refused to make the instance mine: mkdir: .*File exists/),
  );
  link.forbids = "guest-file-open";
  await assert.rejects(
    tracefs.readTracefs("current_tracer"),
    /does not allow guest-file-open/,
  );
});

Deno.test("names from guest memory cannot lead outside tracefs", async () => {
  const { link, tracefs } = guest({ [TOP]: "nop\n", "/etc/shadow": "x" });
  for (
    const path of ["../../../etc/shadow", "events/../x", "/etc/shadow", "a//b"]
  ) {
    await assert.rejects(tracefs.writeTracefs(path, "1"), RefusedError);
  }
  await assert.rejects(tracefs.removeInstance("../.."), RefusedError);
  assert.equal(link.files.get("/etc/shadow"), "x");
  assert.deepEqual(link.ran, []);
});

Deno.test("the commands that a plan needs are checked in advance", async () => {
  const { link, tracefs } = guest({ [TOP]: "nop\n" });
  await tracefs.require({ steps: [] });
  await assert.rejects(
    tracefs.require({
      steps: [{ step: { control: "instance", name: "mine" } }],
    }),
    /does not allow guest-exec, guest-exec-status/,
  );
  link.forbids = "guest-file-write";
  await assert.rejects(
    tracefs.require({ steps: [] }),
    /does not allow guest-file-write; to allow it/,
  );
  await tracefs.makeInstance("mine");
  await tracefs.removeInstance("mine");
  assert.deepEqual(link.ran, [
    '["mkdir",["/sys/kernel/tracing/instances/mine"]]',
    '["rmdir",["/sys/kernel/tracing/instances/mine"]]',
  ]);
});
