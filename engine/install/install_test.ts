import assert from "node:assert/strict";
import { GuestAgent } from "../agent/agent.ts";
import {
  type AgentArguments,
  type AgentLink,
  AgentRefusal,
} from "../agent/link.ts";
import { XftraceError } from "../base/errors.ts";
import { CONTROL } from "../seal/page/abi.ts";
import { ModuleGuest } from "../seal/page/module_fixture.ts";
import {
  carryOutInstall,
  type InstallPlan,
  planInstall,
  requireAbsent,
} from "./install.ts";
import type { ModuleFile } from "./module_file.ts";

const FILE: ModuleFile = {
  source: "xftrace.ko",
  bytes: new Uint8Array([1, 2, 3]),
  sha256: "f".repeat(64),
  name: "xftrace",
  version: "1.0",
  release: "6.1.0-fixture",
  signed: false,
  object: {
    source: "xftrace.ko",
    sections: [],
    symbols: [],
    relocations: new Map(),
  },
};

/** An agent that writes down what it is told. */
class FakeLink implements AgentLink {
  readonly where = "fake";
  readonly done: string[] = [];
  /** Programs that fail, with what they print. */
  readonly fails = new Map<string, string>();
  /** Called when a program runs. */
  onRun: (program: string) => void = () => {};
  refusesFiles = false;
  #said = "";

  async ask(command: string, args: AgentArguments = {}): Promise<unknown> {
    await Promise.resolve();
    switch (command) {
      case "guest-file-open":
        if (this.refusesFiles) {
          throw new AgentRefusal("it", command, "GenericError", "Disk full");
        }
        this.done.push(`write ${args.path}`);
        return 1;
      case "guest-file-write":
        return { count: atob(String(args["buf-b64"])).length };
      case "guest-file-close":
        return {};
      case "guest-exec": {
        const program = String(args.path);
        this.done.push(`${program} ${[args.arg].flat().join(" ")}`);
        this.onRun(program);
        this.#said = this.fails.get(program) ?? "";
        return { pid: 1 };
      }
      case "guest-exec-status":
        return {
          exited: true,
          exitcode: this.#said === "" ? 0 : 1,
          "err-data": btoa(this.#said),
        };
    }
    throw new Error(command);
  }
  [Symbol.dispose](): void {}
}

/** A guest without the module, into which it is to be installed. */
function setting(parameters: readonly string[] = []) {
  const guest = new ModuleGuest({ live: false });
  const loaded = guest.modules.splice(0);
  const plan = planInstall(guest.kernel, "qemu:web1", FILE, parameters);
  const link = new FakeLink();
  const agent = new GuestAgent(link, "qemu:web1");
  return {
    guest,
    link,
    plan,
    /** Loads the module, as insmod does. */
    load: () => guest.modules.push(...loaded),
    run: (onStep?: (step: InstallPlan["last"]) => void) =>
      carryOutInstall(guest.kernel, agent, plan, onStep),
  };
}

/** The programs of a list of steps, without what they are given. */
function programs(done: readonly string[]): string[] {
  return done.map((line) => line.split(" ")[0]);
}

Deno.test("the plan loads from a folder that nobody else may enter, and removes it", () => {
  const { plan } = setting(["ring_kib=4096"]);
  const [make, write, load] = plan.steps;
  assert.ok(make.do === "run" && write.do === "write" && load.do === "run");
  const folder = make.args.at(-1) ?? "";
  assert.match(folder, /^\/run\/xftrace-[0-9a-f]{16}$/);
  assert.deepEqual([make.program, ...make.args], [
    "mkdir",
    "-m",
    "700",
    folder,
  ]);
  assert.equal(write.path, `${folder}/xftrace.ko`);
  assert.deepEqual(load.args, [write.path, "ring_kib=4096"]);
  assert.deepEqual(plan.last, {
    do: "run",
    program: "rm",
    args: ["-r", folder],
  });
  // Nobody can prepare the folder of the next installation.
  const [again] = setting().plan.steps;
  assert.ok(again.do === "run");
  assert.notEqual(again.args.at(-1), folder);
});

Deno.test("a file for another kernel, or of another module, is refused", () => {
  const guest = new ModuleGuest();
  guest.modules.splice(0);
  const plan = (file: Partial<ModuleFile>) =>
    planInstall(guest.kernel, "qemu:web1", { ...FILE, ...file });
  assert.throws(
    () => plan({ release: "6.1.0" }),
    /is for the kernel 6\.1\.0, and qemu:web1 runs 6\.1\.0-fixture; build it/,
  );
  assert.throws(
    () => plan({ name: "loop" }),
    /is the module loop, not xftrace; give what xftrace guest build has made/,
  );
});

Deno.test("a guest that has the module already is told what to do about it", () => {
  const guest = new ModuleGuest();
  const absent = () => requireAbsent(guest.kernel, "qemu:web1");
  assert.throws(absent, /has the module xftrace already; there is nothing/);
  assert.throws(
    () => planInstall(guest.kernel, "qemu:web1", FILE),
    /rmmod xftrace$/,
  );
  guest.set32(CONTROL.abi_version, 2);
  assert.throws(
    absent,
    /a module xftrace already, of another version \(.*speaks version 2/,
  );
  guest.modules.splice(0);
  absent();
});

Deno.test("the kernel's own reason is reported, with what stands in the way", async () => {
  const { link, plan, run } = setting();
  link.fails.set("insmod", "insmod: Key was rejected by service\n\x1b[2J");
  await assert.rejects(run(), (error) => {
    assert.ok(error instanceof XftraceError);
    assert.equal(
      error.message,
      "the kernel of qemu:web1 refuses the module: insmod: Key was rejected by service \\x1b[2J",
    );
    return true;
  });
  assert.deepEqual(programs(link.done), ["mkdir", "write", "insmod", "rm"]);
  const agent = new GuestAgent(link, "qemu:web1");
  await assert.rejects(
    carryOutInstall(new ModuleGuest().kernel, agent, {
      ...plan,
      obstacles: ["its kernel is strict"],
    }),
    /by service .*; its kernel is strict$/,
  );
});

Deno.test("what was begun is removed, wherever it stops", async () => {
  const full = setting();
  full.link.refusesFiles = true;
  await assert.rejects(full.run(), /refuses guest-file-open: Disk full/);
  assert.deepEqual(programs(full.link.done), ["mkdir", "rm"]);

  const silent = setting();
  silent.link.fails.set("mkdir", " ");
  await assert.rejects(
    silent.run(),
    /"mkdir -m 700 \S+" failed in qemu:web1: it ended with status 1 and said nothing/,
  );
  assert.deepEqual(programs(silent.link.done), ["mkdir", "rm"]);

  const stopped = setting();
  await assert.rejects(
    stopped.run((step) => {
      if (step.do === "run" && step.program === "insmod") {
        throw new XftraceError("interrupted");
      }
    }),
    /^XftraceError: interrupted$/,
  );
  assert.deepEqual(programs(stopped.link.done), ["mkdir", "write", "rm"]);
});

Deno.test("the failure to report is the first one", async () => {
  const { link, run } = setting();
  link.fails.set("insmod", "Invalid module format");
  link.fails.set("rm", "Read-only file system");
  await assert.rejects(run(), /Invalid module format/);
});

Deno.test("a module that could not be compared with its file is not said to be the file's", async () => {
  // This guest's memory does not show how modules are laid out.
  const { guest, link, load, plan, run } = setting();
  link.onRun = (program) => {
    if (program === "insmod") load();
  };
  link.fails.set("rm", "Read-only file system");
  const { kept, text, unjudged, left } = await run();
  assert.equal(unjudged.length, 1, unjudged.join("\n"));
  assert.match(unjudged[0], /struct module/);
  assert.match(left ?? "", /"rm -r \S+" failed .*: Read-only file system/);
  assert.deepEqual(text, { start: guest.text, bytes: 4096 });
  assert.equal(kept.file, plan.file.sha256);
});

Deno.test("an agent that says that it loaded what is not there is not believed", async () => {
  const { run } = setting();
  const { now } = performance;
  // Each look at the clock takes ten seconds, so that the wait is soon over.
  let looks = 0;
  performance.now = () => looks++ * 10_000;
  try {
    await assert.rejects(run(), /it is not in the guest's memory.*trusted$/);
  } finally {
    performance.now = now;
  }
});
