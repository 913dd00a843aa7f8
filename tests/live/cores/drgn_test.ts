/** Snapshots opened with readelf and drgn. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { openCoreSession } from "../../../engine/session.ts";
import { takeSnapshot } from "../../../engine/snapshot/snapshot.ts";
import { MemoryError } from "../../../engine/base/errors.ts";
import { attachTo, bootGuest, KERNELS } from "../support_fixture.ts";

/** Debian's own Python, for which python3-drgn is installed. */
const PYTHON = "/usr/bin/python3";

const READ = `
import sys, drgn
prog = drgn.Program()
prog.set_core_dump(sys.argv[1])
assert prog.flags & drgn.ProgramFlags.IS_LINUX_KERNEL
print(prog["UTS_RELEASE"].string_().decode())
for line in sys.stdin:
    print(prog.read(int(line, 16), 16).hex())
`;

const hasDrgn = existsSync(PYTHON) &&
  spawnSync(PYTHON, ["-c", "import drgn"]).status === 0;
const WANTED = 1000;

for (const kernel of KERNELS) {
  Deno.test(`other tools open snapshots of a ${kernel} guest`, async (t) => {
    await using guest = await bootGuest(kernel);
    const folder = Deno.makeTempDirSync({ prefix: "xftrace-cores-" });
    try {
      for (const full of [false, true]) {
        const path = `${folder}/${full ? "full" : "needed"}.core`;
        using live = attachTo(guest);
        await takeSnapshot(live, path, { full });

        await t.step("readelf reports nothing", () => {
          const { stdout, stderr, status } = spawnSync(
            "readelf",
            ["-a", "-W", path],
            { encoding: "utf8", maxBuffer: 1 << 28 },
          );
          assert.equal(status, 0);
          assert.equal(stderr, "");
          assert.match(stdout, /VMCOREINFO/);
          assert.match(stdout, /XFTRACE/);
        });

        await t.step({
          name: `drgn reads ${WANTED} symbols as we do`,
          ignore: !hasDrgn,
          fn: () => {
            using core = openCoreSession(`core:${path}`, path);
            const { kernel: described } = core;
            const names = described.symbols.glob("*");
            const wanted = new Map<string, string>();
            // A stride that is coprime to the count visits all of them.
            for (let i = 0; wanted.size < WANTED && i < names.length; i++) {
              const name = names[(i * 7919) % names.length];
              const gva = described.symbols.address(name);
              try {
                const bytes = described.space.bytes(gva, 16);
                wanted.set(gva.toString(16), bytes.toHex());
              } catch (error) {
                // A per-CPU offset, or on a page that was not saved.
                if (!(error instanceof MemoryError)) throw error;
              }
            }
            assert.equal(wanted.size, WANTED);
            const { stdout, stderr } = spawnSync(PYTHON, ["-c", READ, path], {
              input: [...wanted.keys()].join("\n") + "\n",
              encoding: "utf8",
            });
            const [release, ...got] = stdout.trim().split("\n");
            assert.equal(release, described.facts.release, stderr);
            assert.deepEqual(got, [...wanted.values()]);
            console.log(
              `  ${kernel} ${full ? "full" : "needed"}: ${got.length} of ` +
                `${WANTED} symbols' bytes equal`,
            );
          },
        });
      }
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}
