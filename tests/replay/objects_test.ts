/** Objects of the recorded guests, by name. */
import assert from "node:assert/strict";
import { nameFiles } from "../../dsl/names/generate.ts";
import { fileURLToPath } from "node:url";
import { structsText } from "../../engine/kernel/view/generate.ts";
import { GuestKernel } from "../../engine/kernel/view/guest_kernel.ts";
import { VARIABLES } from "../../engine/kernel/view/variables.ts";
import { openCoreSession, type Session } from "../../engine/session.ts";

const KERNELS = ["6.1", "6.12"] as const;

function pathOf(path: string): string {
  return fileURLToPath(import.meta.resolve(`../../${path}`));
}

function open(kernel: string): Session {
  const path = pathOf(`testdata/guest-${kernel}.core.zst`);
  return openCoreSession(`core:${path}`, path);
}

for (const name of KERNELS) {
  Deno.test(`the recorded ${name} guest: variables and their members`, () => {
    using session = open(name);
    const kernel = new GuestKernel(session.kernel);
    const init = kernel.object("init_task");
    assert.equal(init.comm, "swapper/0");
    assert.equal(init.pid, 0);
    assert.equal(init.mm, null);
    assert.equal(init.$member("nsproxy.uts_ns.name.sysname"), "Linux");
    assert.equal(
      kernel.object("init_uts_ns").name.release,
      session.kernel.facts.release,
    );
    assert.ok(kernel.object("linux_banner").startsWith("Linux version 6."));
    assert.equal(kernel.object("nr_cpu_ids"), 2);
    assert.deepEqual(kernel.cpus, [0, 1]);
    assert.ok(kernel.object("jiffies_64") > 4_294_000_000n);
    // Most of their pages are not in the recording, but their addresses are.
    const [first, second] = [0, 1].map((cpu) =>
      kernel.perCpu("runqueues", cpu).$address
    );
    const { perCpuOffsets } = session.kernel;
    assert.equal(second - first, perCpuOffsets[1] - perCpuOffsets[0]);
  });

  Deno.test(`the recorded ${name} guest: tasks and modules`, () => {
    using session = open(name);
    const kernel = new GuestKernel(session.kernel);
    const tasks = kernel.tasks().map(({ pid, comm }) => `${pid} ${comm}`)
      .toArray();
    assert.ok(tasks.includes("1 busybox") || tasks.includes("1 init"));
    assert.ok(tasks.includes("2 kthreadd"));
    const task = kernel.task(2);
    assert.equal(task?.real_parent?.pid, 0);
    assert.ok(
      task?.children.$list("task_struct", "sibling").some(({ comm }) =>
        comm.startsWith("kworker")
      ),
    );
    assert.equal(kernel.task(-5), undefined);
    const modules = kernel.modules().map((one) => [one.name, one.state]);
    assert.deepEqual(
      modules.toArray(),
      session.kernel.live.modules.map((one) => [
        one.name,
        "MODULE_STATE_LIVE",
      ]),
    );
  });

  Deno.test(`the recorded ${name} guest: well-known variables have their types`, () => {
    using session = open(name);
    const { symbols, types } = session.kernel;
    let known = 0;
    for (const [variable, text] of Object.entries(VARIABLES)) {
      const all = symbols.addresses(variable);
      if (all.length === 0) continue;
      assert.equal(all.length, 1, `${variable} is not the name of one symbol`);
      const type = types.tryType(text);
      assert.ok(type !== undefined, `${variable}: there is no type ${text}`);
      const room = symbols.lookup(all[0])?.size ?? 0;
      assert.ok(
        type.size <= room,
        `${variable}: ${text} has ${type.size} bytes, its symbol ${room}`,
      );
      known++;
    }
    console.log(
      `  ${known} of ${Object.keys(VARIABLES).length} are in ${name}`,
    );
    assert.ok(known > 120);
  });
}

Deno.test("the declared structs are those of the recorded guests", () => {
  const sessions = KERNELS.map(open);
  try {
    const text = structsText(sessions.map(({ kernel }) => ({
      release: kernel.facts.release,
      types: kernel.types,
    })));
    const written = Deno.readTextFileSync(
      pathOf("engine/kernel/view/structs.ts"),
    );
    assert.equal(
      unformatted(written),
      unformatted(text),
      "structs.ts is stale: run `deno task names`",
    );
  } finally {
    for (const session of sessions) session[Symbol.dispose]();
  }
});

Deno.test("the names of system calls and events are those of the recorded guests", () => {
  const sessions = KERNELS.map(open);
  try {
    const files = nameFiles(sessions.map(({ kernel }) => kernel));
    for (const [name, text] of Object.entries(files)) {
      assert.equal(
        unformatted(Deno.readTextFileSync(pathOf(`dsl/names/${name}`))),
        unformatted(text),
        `${name} is stale: run \`deno task names\``,
      );
    }
  } finally {
    for (const session of sessions) session[Symbol.dispose]();
  }
});

/** A text without differences of formatting. */
function unformatted(text: string): string {
  return text.replace(/\s+/g, "").replace(/:\|/g, ":").replace(/;\}/g, "}")
    .replace(/,(?=[>)])/g, "");
}
