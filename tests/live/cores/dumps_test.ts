/**
 * Dumps of a guest in all formats: QEMU's, makedumpfile's, LiME, raw memory with
 * a layout. Each gives the guest's own trace, line by line; of full dumps, the
 * findings are those of the ELF core.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { LONG, times } from "../../../engine/base/long_fixture.ts";
import { openCore } from "../../../engine/memory/dump/open_core.ts";
import { limeHeader } from "../../../engine/memory/dump/lime_fixture.ts";
import {
  assertOneClearError,
  assertSameLines,
  Guest,
  SLOW,
  TRACEFS,
  xftrace,
  xftraceOk,
} from "../support_fixture.ts";
import {
  makedumpfile,
  makedumpfileCore,
  writeAll,
} from "./makedumpfile_fixture.ts";

/** Whether dumps can be converted. */
const CONVERTS = spawnSync("makedumpfile", ["-v"]).error === undefined;

if (!CONVERTS && LONG && Deno.env.has("CI")) {
  throw new Error("makedumpfile is needed: apt-get install makedumpfile");
}

/** The kinds of dumps that makedumpfile makes. */
const CONVERSIONS = ["-c -d 0", "-c -d 1", "-l -d 1", "-d 0", "-E -F -d 1"];
/**
 * Those that leave out pages that are not in use. Of newer kernels, version 1.7.2
 * (Debian 12) leaves out some that are: it does not know their page types.
 */
const CONVERSIONS_6_1 = ["-c -d 31", "-l -d 31", "-d 31", "-c -F -d 31"];

/** Where a PC's memory has its first hole. */
const LOW = 0x9fc00;

/** Records some calls and events, and stops. */
async function traced(guest: Guest): Promise<string> {
  await guest.sh(
    `cd ${TRACEFS}; echo 0 > tracing_on
     echo 'vfs_*' > set_ftrace_filter; echo function_graph > current_tracer
     echo 1 > events/sched/sched_switch/enable
     echo 1 > events/syscalls/sys_enter_openat/enable
     echo 1 > tracing_on
     for i in $(seq ${
      times(1, 3)
    }); do ls -lR /proc/sys /etc >/dev/null 2>&1; done
     echo 0 > tracing_on; cp trace /tmp/trace`,
    SLOW,
  );
  return new TextDecoder().decode(await guest.get("/tmp/trace"));
}

/** What `check` says, without what differs from run to run. */
async function checked(path: string): Promise<unknown> {
  const run = await xftrace(["check", "--json", "-t", `core:${path}`]);
  return JSON.parse(
    run.out,
    (key, value) => key === "ms" || key === "target" ? undefined : value,
  );
}

/** The kinds of dumps that QEMU can write. */
async function formatsOf(guest: Guest): Promise<readonly string[]> {
  const { formats } = await guest.qmp("query-dump-guest-memory-capability") as {
    readonly formats: readonly string[];
  };
  return formats;
}

for (const kernel of LONG ? ["6.1", "6.12", "sid"] : ["6.1"]) {
  Deno.test(`dumps of a ${kernel} guest in all formats`, async (t) => {
    // With this device, the guest gives QEMU its vmcoreinfo for the dumps.
    await using guest = await Guest.boot({
      kernel,
      cpus: 2,
      modules: ["qemu_fw_cfg"],
      qemuArgs: ["-device", "vmcoreinfo"],
      onProgress: (step) => console.log(`  guest ${kernel}: ${step}`),
    });
    await guest.sh("modprobe qemu_fw_cfg");
    const want = await traced(guest);
    assert.ok(want.split("\n").length > 1000);
    const folder = await Deno.makeTempDir();
    const reported = (path: string) =>
      xftraceOk(["report", "--no-cache", "-t", `core:${path}`]);
    const same = async (name: string) => {
      const lines = assertSameLines(await reported(`${folder}/${name}`), want);
      console.log(`  ${kernel} ${name}: ${lines} lines equal`);
    };
    try {
      const formats = await formatsOf(guest);
      assert.ok(formats.includes("kdump-zlib"));
      await guest.qmp("stop");
      const dump = (name: string, args: { readonly [name: string]: string }) =>
        guest.qmp("dump-guest-memory", {
          paging: name === "paging",
          protocol: `file:${folder}/${name}`,
          ...args,
        });
      const kinds = formats.filter((format) => format.startsWith("kdump-"));
      for (const format of kinds) {
        await dump(format, { format });
        await t.step(format, async () => {
          await same(format);
          using memory = openCore(`${folder}/${format}`);
          assert.match(memory.vmcoreinfo ?? "", /^OSRELEASE=.*\n/);
          assert.equal(memory.cpuNotes, 2);
        });
      }
      await t.step("raw memory with a layout", async () => {
        assert.ok(guest.memoryFile !== undefined);
        await Deno.symlink(guest.memoryFile, `${folder}/raw`);
        const size = (await Deno.stat(guest.memoryFile)).size;
        await Deno.writeTextFile(
          `${folder}/raw.layout.json`,
          `{"ranges": [{"start": 0, "end": "0x${size.toString(16)}"}]}`,
        );
        await same("raw");
      });
      if (!LONG) return;
      const memory = await Deno.readFile(`${folder}/raw`);
      await dump("elf", {});
      await dump("paging", {});
      for (const name of ["elf", "paging"]) {
        await t.step(name, () => same(name));
      }
      await t.step("LiME", async () => {
        await writeLime(memory, `${folder}/lime`);
        await same("lime");
      });
      await t.step("check finds the same as in the ELF core", async () => {
        const elf = await checked(`${folder}/elf`);
        for (const name of kinds) {
          assert.deepEqual(await checked(`${folder}/${name}`), elf, name);
        }
      });
      await t.step({
        name: "makedumpfile's kdumps",
        ignore: !CONVERTS,
        fn: async () => {
          await makedumpfileCore(memory, `${folder}/elf`, `${folder}/core`);
          const all = kernel === "6.1"
            ? [...CONVERSIONS, ...CONVERSIONS_6_1]
            : CONVERSIONS;
          for (const options of all) {
            const name = `makedumpfile ${options}`;
            makedumpfile(options, `${folder}/core`, `${folder}/${name}`);
            await same(name);
          }
        },
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

/** The guest's memory as LiME would dump it. */
async function writeLime(memory: Uint8Array, path: string): Promise<void> {
  using out = await Deno.open(path, { write: true, createNew: true });
  for (const [start, end] of [[0x1000, LOW], [0x100000, memory.length]]) {
    await writeAll(out, limeHeader(start, end - start));
    await writeAll(out, memory.subarray(start, end));
  }
}

Deno.test("dumps that cannot be read are refused by name", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const text = (value: string) =>
      new TextEncoder().encode(value.padEnd(8192, "\0"));
    const files: [string, Uint8Array, RegExp][] = [
      ["cut.kdump", text("KDUMP   ").subarray(0, 300), /is cut short/],
      ["cut.flat", text("makedumpfile").subarray(0, 300), /is cut short/],
      ["a.diskdump", text("DISKDUMP"), /is a diskdump/],
      ["a.dmp", text("PAGEDU64"), /Windows crash dump/],
      ["a.avml", text("AVML"), /AVML dump.*avml-convert/],
      ["a.lime", text("EMiL"), /LiME dump of version 0/],
    ];
    for (const [name, bytes, expected] of files) {
      await Deno.writeFile(`${folder}/${name}`, bytes);
      assertOneClearError(
        await xftrace(["info", "-t", `core:${folder}/${name}`]),
        expected,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
