import assert from "node:assert/strict";
import { TemporaryFolder } from "../../base/temporary_folder_fixture.ts";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { installedBoot } from "./installed_boot.ts";

/** A guest that has been running for so many seconds. */
function guestUp(seconds: number) {
  const guest = new FixtureGuest(fixtureTypes({
    timespec64: { size: 16, members: { tv_sec: [0, "u64"] } },
    timekeeper: {
      size: 64,
      members: {
        xtime_sec: [16, "u64"],
        wall_to_monotonic: [24, "timespec64"],
        offs_boot: [40, "u64"],
      },
    },
  }));
  const core = guest.image();
  guest.symbol("tk_core", core);
  guest.setU64(core + 24n, 1_800_000_000n);
  guest.setU64(core + 32n, BigInt(seconds) - 1_800_000_000n);
  return guest.kernel;
}

Deno.test("a guest that states another BUILD-ID keeps its record, one that was restarted does not", () => {
  using temporary = new TemporaryFolder();
  const folder = temporary.path;
  const since = new Date(Date.now() - 600_000).toISOString();
  const record = JSON.stringify({ format: 1, since });
  Deno.writeTextFileSync(`${folder}/aa-vm-7-9-0.json`, record);
  Deno.writeTextFileSync(`${folder}/aa-vm-7-10-0.json`, record);
  const name = (boot: string, up: number) =>
    installedBoot(folder, "vm-7-9", boot, guestUp(up));
  assert.equal(name("aa-vm-7-9-0", 3600), "aa-vm-7-9-0");
  assert.equal(name("bb-vm-7-9-0", 3600), "aa-vm-7-9-0");
  assert.equal(name("bb-vm-7-9-1000", 3600), "aa-vm-7-9-0");
  assert.equal(name("bb-vm-7-9-0", 60), "bb-vm-7-9-0");
  // Other VMs' records, damaged ones, and no folder.
  assert.equal(
    installedBoot(folder, "vm-8-1", "aa-vm-8-1-0", guestUp(3600)),
    "aa-vm-8-1-0",
  );
  Deno.writeTextFileSync(`${folder}/aa-vm-7-9-0.json`, "{");
  assert.equal(name("bb-vm-7-9-0", 3600), "bb-vm-7-9-0");
  assert.equal(
    installedBoot(`${folder}/no`, "vm-7-9", "bb", guestUp(3600)),
    "bb",
  );
});
