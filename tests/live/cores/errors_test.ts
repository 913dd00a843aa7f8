/** Targets that cannot be read: each gives one clear error. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { EXIT } from "../../../engine/base/errors.ts";
import { BufferMemory } from "../../../engine/memory/buffer_memory_fixture.ts";
import { encodeSnapshot } from "../../../engine/memory/snapshot_fixture.ts";
import type { Diagnosis } from "../../../scripts/cli/commands/doctor.ts";
import type { ListedVm } from "../../../scripts/cli/commands/ps.ts";
import {
  assertOneClearError,
  ended,
  type Run,
  xftrace,
} from "../support_fixture.ts";

/** A snapshot of random bytes, in which there is no kernel. */
function snapshot(): Uint8Array<ArrayBuffer> {
  const memory = new BufferMemory(
    crypto.getRandomValues(new Uint8Array(65536)),
  );
  return encodeSnapshot({
    memory,
    ranges: memory.ranges,
    machine: 62,
    manifest: {
      format: 1,
      xftrace: "0.1.0",
      created: new Date(0).toISOString(),
      target: "qemu:web1",
      content: "full",
      ram: [[0, 65536]],
    },
    vmcoreinfo: "OSRELEASE=6.1.0-test\n",
  });
}

function altered(
  core: Uint8Array<ArrayBuffer>,
  change: (bytes: Uint8Array) => void,
): Uint8Array<ArrayBuffer> {
  const copy = core.slice();
  change(copy);
  return copy;
}

Deno.test("cores that cannot be read", async (t) => {
  const folder = await Deno.makeTempDir();
  const core = snapshot();
  const text = new TextDecoder("latin1").decode(core);
  const files: [string, Uint8Array, RegExp][] = [
    [
      "cut.core",
      core.subarray(0, core.length - 8192),
      /cut short|truncated|ends/,
    ],
    [
      "arm.core",
      // e_machine: EM_AARCH64.
      altered(core, (bytes) => bytes[18] = 183),
      /aarch64|architecture|machine/i,
    ],
    [
      "newer.core",
      altered(core, (bytes) => {
        bytes[text.indexOf('"format":1') + 9] = "7".charCodeAt(0);
      }),
      /snapshot of format 7.*use a newer xftrace/,
    ],
    ["cut.core.zst", zstdCompressSync(core).subarray(0, 40_000), /cut short/],
    ["cut.core.gz", gzipSync(core).subarray(0, 40_000), /cut short/],
    ["no_kernel.core", core, /no running Linux kernel was found/],
    [
      "kdump.core",
      new TextEncoder().encode("KDUMP   ".padEnd(8192, "\0")),
      /kdump/i,
    ],
  ];
  for (const [name, bytes, expected] of files) {
    await t.step(name, async () => {
      await Deno.writeFile(`${folder}/${name}`, bytes);
      const target = `core:${folder}/${name}`;
      assertOneClearError(await xftrace(["info", "-t", target]), expected);
    });
  }
  await t.step("a missing permission is named", async () => {
    const path = `${folder}/no_kernel.core`;
    await Deno.chmod(path, 0);
    assertOneClearError(
      await unprivileged(["info", "-t", `core:${path}`]),
      /no permission to read .*no_kernel\.core/,
    );
  });
  await Deno.remove(folder, { recursive: true });
});

/** Runs the command without root's privilege to read everything. */
async function unprivileged(args: readonly string[]): Promise<Run> {
  const script = fileURLToPath(
    import.meta.resolve("../../../scripts/xftrace.ts"),
  );
  const less = "-dac_override,-dac_read_search,-sys_ptrace";
  const started = new Deno.Command("setpriv", {
    args: [
      ...["--bounding-set", less, "--inh-caps", less],
      ...[Deno.execPath(), "run", "--quiet", "--allow-all", script, ...args],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return await ended(started);
}

Deno.test("names of VMs", async (t) => {
  // A process that looks like QEMU is enough.
  const folder = await Deno.makeTempDir();
  const program = `${folder}/qemu-system-x86_64`;
  await Deno.copyFile(await Deno.realPath("/bin/sh"), program);
  const mark = crypto.randomUUID().slice(0, 8);
  const vms = [`${mark}-web1`, `${mark}-db`].map((name) =>
    new Deno.Command(program, {
      args: ["-c", "read line", "-name", name],
      stdin: "piped",
    }).spawn()
  );
  try {
    await t.step(
      "with two VMs and no target, the error lists both",
      async () => {
        const run = await xftrace(["info"], { XFTRACE_TARGET: "" });
        assertOneClearError(
          run,
          /\d+ VMs run on this host; choose one with -t: /,
          EXIT.usage,
        );
        assert.match(run.err, new RegExp(`qemu:${mark}-web1`));
        assert.match(run.err, new RegExp(`qemu:${mark}-db`));
      },
    );
    await t.step("for a wrong name, similar ones are suggested", async () => {
      assertOneClearError(
        await xftrace(["info", "-t", `qemu:${mark}-wbe1`]),
        new RegExp(`did you mean qemu:${mark}-web1`),
      );
    });
    await t.step(
      "ps lists them, and says why they cannot be read",
      async () => {
        const { out } = await xftrace(["ps", "--json"]);
        const listed: ListedVm[] = JSON.parse(out);
        const vm = listed.find((each) => each.name === `${mark}-web1`);
        assert.equal(vm?.attachable, false);
        assert.match(vm?.whyNot ?? "", /was not found among the process's/);
      },
    );
    await t.step("doctor finds the problem, and exits with 2", async () => {
      const run = await xftrace(["doctor", `qemu:${mark}-db`, "--json"]);
      assert.equal(run.code, EXIT.findings);
      const [diagnosis]: Diagnosis[] = JSON.parse(run.out);
      assert.equal(diagnosis.ready, false);
      assert.equal(diagnosis.checks.at(-1)?.status, "problem");
    });
  } finally {
    for (const vm of vms) {
      await vm.stdin.close();
      await vm.status;
    }
    await Deno.remove(folder, { recursive: true });
  }
});
