/**
 * A guest whose memory changes while it is followed and checked: a memory module
 * is plugged in and unplugged, a virtio-mem device gives it more, and a balloon
 * takes some away.
 */
import assert from "node:assert/strict";
import { GuestGoneError } from "../../../engine/base/errors.ts";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { runChecks } from "../../../engine/detect/core/runner.ts";
import { selectChecks } from "../../../engine/detect/checks.ts";
import { Guest } from "../../../lab/mod.ts";
import {
  assertNoOops,
  assertOneClearError,
  attachTo,
  ended,
  KERNELS,
  SLOW,
  TRACEFS,
} from "../support_fixture.ts";
import { FaultUser, load, prepare, unload, until } from "./guest_fixture.ts";
import { addMemory, BLOCK_MIB } from "./machine_fixture.ts";

const MIB = 2 ** 20;

/** Bytes of a file that hold something. */
function used(path: string): number {
  return (Deno.statSync(path).blocks ?? 0) * 512;
}

for (const kernel of KERNELS) {
  // One of them suffices in each run.
  if (kernel === "6.1" && !LONG) continue;
  Deno.test(`a guest whose memory grows and shrinks, ${kernel}`, async (t) => {
    const device = Deno.makeTempFileSync({ dir: "/dev/shm" });
    await using guest = await Guest.boot({
      kernel,
      maxMem: "1536M",
      modules: ["virtio_balloon", "virtio_mem"],
      qemuArgs: [
        ...["-device", "virtio-balloon-pci"],
        "-object",
        `memory-backend-file,id=more,size=512M,mem-path=${device},share=on`,
        "-device",
        "virtio-mem-pci,id=virtiomem,memdev=more,requested-size=0",
      ],
    });
    await until("QEMU has opened it", () => used(device) >= 0);
    Deno.removeSync(device);
    using user = new FaultUser(guest);
    let module = "";
    await guest.sh("modprobe virtio_balloon; modprobe virtio_mem", SLOW);

    await t.step(
      "what lies in memory that is plugged in is followed",
      async () => {
        await prepare(guest);
        await guest.sh(`echo 64 > ${TRACEFS}/buffer_size_kb`, SLOW);
        await load(guest);
        using session = attachTo(guest);
        const { show, query } = await user.begin();
        module = await addMemory(guest, "d0");
        const before = used(module);
        await guest.sh(`echo 4096 > ${TRACEFS}/buffer_size_kb`, SLOW);
        assert.ok(used(module) - before > 4 * MIB, "the buffers lie elsewhere");
        await user.collects(200);
        const { code, err } = await user.run("check", "--only", "XF002,XF017");
        assert.equal(code, 0, err);
        for (const child of [show, query]) {
          child.kill("SIGINT");
          const run = await ended(child);
          assert.equal(run.code, 0, run.err);
          assert.match(run.err, / 0 lost/);
        }
        assert.match(
          await user.ok("off"),
          /lost: 0 \(counts equal the guest's own\)/,
        );
        assert.equal(session.unreadRam?.(), undefined);
        assert.equal(session.ramBytes, (512 + 512 + BLOCK_MIB) * MIB);
      },
    );

    await t.step(
      "memory that is plugged in during a check is unjudged",
      async () => {
        using session = attachTo(guest);
        let looks = 0;
        const { outcomes } = await runChecks(
          session.kernel,
          selectChecks(["XF026"]),
          {
            registers: async () => {
              if (++looks === 2) await addMemory(guest, "d1", "online_movable");
              return session.registers();
            },
            unreadRam: () => session.unreadRam?.(),
          },
        );
        const [{ unjudged, findings }] = outcomes;
        assert.deepEqual(findings, []);
        assert.match(JSON.stringify(unjudged), /plugged in or unplugged while/);
      },
    );

    await t.step("memory that is unplugged is missed by nobody", async () => {
      using session = attachTo(guest);
      const all = session.ramBytes;
      await guest.unplugMemory("d1");
      assert.equal(session.unreadRam?.(), undefined);
      assert.equal(session.alive(), true);
      const { outcomes: [{ unjudged, findings }] } = await runChecks(
        session.kernel,
        selectChecks(["XF017"]),
      );
      assert.deepEqual([...findings, ...unjudged], []);
      using again = attachTo(guest);
      assert.equal(again.ramBytes, all - BLOCK_MIB * MIB);
    });

    await t.step(
      "memory that a device gives and a balloon takes is no finding",
      async () => {
        // Processes that live for milliseconds would make it slow.
        await unload(guest);
        await guest.qmp("qom-set", {
          path: "/machine/peripheral/virtiomem",
          property: "requested-size",
          value: 256 * MIB,
        });
        await until("the guest has taken it", async () => {
          const iomem = await guest.sh("cat /proc/iomem");
          return /System RAM \(virtio_mem\)/.test(iomem);
        });
        const size = 400 * MIB;
        await guest.qmp("balloon", { value: size });
        await until("the balloon is filled", async () => {
          const { actual } = await guest.qmp("query-balloon") as {
            readonly actual: number;
          };
          return actual === size;
        });
        const { code, out, err } = await user.run("check");
        assert.equal(code, 0, out + err);
      },
    );

    assertNoOops(guest);

    await t.step("a module whose file is cut short is named", async () => {
      using session = attachTo(guest);
      const { start } = session.memory.ranges.at(-1) ?? { start: 0 };
      const word = new Uint8Array(8);
      session.memory.read(start, word);
      // It would end with its memory.
      await guest.qmp("stop");
      Deno.truncateSync(module, 0);
      assert.throws(
        () => session.memory.read(start, word),
        (error) =>
          error instanceof GuestGoneError && /its memory is gone: .* was cut/
            .test(error.message),
      );
      assert.equal(session.end(), "cut short");
      assertOneClearError(
        await user.run("info"),
        /is empty: it is not the memory/,
      );
    });
  });
}
