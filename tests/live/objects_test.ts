/** Objects of running guests, compared with the guests' own /proc. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { GuestKernel } from "../../engine/kernel/view/guest_kernel.ts";
import { attachTo, bootGuest, type Guest, KERNELS } from "./support_fixture.ts";

/** A process with so many memory areas that their tree has several levels. */
const AREAS = 400;
const MAPPER = `
#include <sys/mman.h>
#include <unistd.h>
int main(void) {
  for (long i = 0; i < ${AREAS}; i++)
    mmap((void *)(0x100000000 + i * 8192), 4096, PROT_READ,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  for (;;) pause();
}`;

/** Compiles the program; returns its path. */
function mapper(): Uint8Array {
  const folder = Deno.makeTempDirSync({ prefix: "xftrace-objects-" });
  try {
    const path = `${folder}/mapper`;
    const { status, stderr } = spawnSync(
      "gcc",
      ["-static", "-O1", "-x", "c", "-", "-o", path],
      { input: MAPPER, encoding: "utf8" },
    );
    assert.equal(status, 0, stderr);
    return Deno.readFileSync(path);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function lines(guest: Guest, command: string): Promise<string[]> {
  const text = await guest.sh(command);
  return text.split("\n").filter((line) => line !== "");
}

/** Threads and their commands, as the guest lists them. */
const THREADS =
  'for t in /proc/[0-9]*/task/[0-9]*; do c=$(cat $t/comm 2>/dev/null) && echo "${t##*/} $c"; done; true';

for (const name of KERNELS) {
  Deno.test(`objects of a ${name} guest equal its own /proc`, async (t) => {
    await using guest = await bootGuest(name);
    await guest.put(mapper(), "/tmp/mapper", 0o755);
    const pid = Number(
      await guest.sh("/tmp/mapper one 'two words' >/dev/null 2>&1 & echo $!"),
    );
    using session = attachTo(guest);
    const kernel = new GuestKernel(session.kernel);

    await t.step("tasks", async () => {
      const before = await lines(guest, THREADS);
      const ours = new Map(
        kernel.tasks().map((task) => [task.pid, task]),
      );
      const after = new Set(await lines(guest, THREADS));
      const stayed = before.filter((line) => after.has(line));
      assert.ok(stayed.length > 30);
      for (const line of stayed) {
        const [id, comm] = line.split(/ (.*)/);
        const task = ours.get(Number(id));
        assert.ok(task !== undefined, line);
        // For kernel threads, /proc shows longer names, with their work.
        assert.ok(
          comm === task.comm ||
            (task.mm === null && comm.startsWith(task.comm)),
          `${line}: ${task.comm}`,
        );
      }
      console.log(`  ${name}: ${stayed.length} tasks equal`);
    });

    await t.step("modules", async () => {
      assert.deepEqual(
        kernel.modules().map((one) => one.name).toArray(),
        await lines(guest, "cut -d' ' -f1 /proc/modules"),
      );
    });

    await t.step("mounts", async () => {
      assert.deepEqual(
        kernel.mounts().map(({ device, path, type }) =>
          `${device} ${path} ${type}`
        ).toArray(),
        await lines(guest, "cut -d' ' -f1-3 /proc/mounts"),
      );
    });

    await t.step("a process: command line, program, files", async () => {
      const task = kernel.task(pid);
      assert.ok(task !== undefined);
      assert.equal(task.comm, "mapper");
      assert.deepEqual(
        kernel.commandLine(task),
        ["/tmp/mapper", "one", "two words"],
      );
      const program = task.mm?.exe_file;
      assert.ok(program !== null && program !== undefined);
      assert.equal(kernel.path(program), "/tmp/mapper");
      assert.deepEqual(
        kernel.files(task).map(({ fd, path }) => `${fd} ${path}`).toArray(),
        await lines(
          guest,
          `cd /proc/${pid}/fd; for f in *; do echo "$f $(readlink $f)"; done`,
        ),
      );
      assert.equal(kernel.threads(task).toArray().length, 1);
    });

    await t.step("a maple tree: the areas of a process's memory", async () => {
      const task = kernel.task(pid);
      assert.ok(task !== undefined);
      const hex = (n: bigint) => n.toString(16).padStart(8, "0");
      const ours = kernel.memoryAreas(task).map((area) =>
        `${hex(area.vm_start)}-${hex(area.vm_end)}`
      ).toArray();
      const theirs = (await lines(
        guest,
        `grep -v vsyscall /proc/${pid}/maps | cut -d' ' -f1`,
      )).map((line) =>
        line.split("-").map((at) => hex(BigInt(`0x${at}`))).join("-")
      );
      assert.deepEqual(ours, theirs);
      assert.ok(ours.length > AREAS);
      console.log(`  ${name}: ${ours.length} areas equal`);
    });

    await t.step("an XArray: the pages of a file", () => {
      const program = kernel.task(pid)?.mm?.exe_file;
      const mapping = program?.f_mapping;
      assert.ok(mapping !== null && mapping !== undefined);
      const pages = mapping.i_pages.$xarray("page").toArray();
      assert.equal(BigInt(pages.length), mapping.nrpages);
      assert.ok(pages.length > 100);
      assert.deepEqual(
        pages.map(({ object }) => object.index),
        pages.map(({ index }) => BigInt(index)),
      );
      console.log(`  ${name}: ${pages.length} pages in their places`);
    });

    await t.step("an IDR: pids", async () => {
      const ids = kernel.object("init_pid_ns").idr.$xarray("pid")
        .map(({ index, object }) => [index, object.numbers.$element(0).nr])
        .toArray();
      assert.ok(ids.every(([index, nr]) => index === nr));
      const known = new Set(ids.map(([index]) => index));
      for (const line of await lines(guest, "ls -d /proc/[0-9]*/task/1")) {
        assert.ok(known.has(Number(line.split("/")[2])));
      }
    });

    await t.step("per-CPU variables and network devices", async () => {
      assert.deepEqual(
        kernel.cpus.map((cpu) => kernel.perCpu("runqueues", cpu).cpu),
        [0, 1],
      );
      assert.deepEqual(
        kernel.netDevices().map((device) => device.name).toArray(),
        await lines(guest, "ls /sys/class/net"),
      );
      assert.equal(kernel.object("system_state"), "SYSTEM_RUNNING");
    });
  });
}
