import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import { notRestarted } from "./uptime.ts";

Deno.test("a guest that was not restarted since is known by its clock", () => {
  const types = fixtureTypes({
    timespec64: { size: 16, members: { tv_sec: [0, "u64"] } },
    timekeeper: {
      size: 64,
      members: {
        xtime_sec: [16, "u64"],
        wall_to_monotonic: [24, "timespec64"],
        offs_boot: [40, "u64"],
      },
    },
  });
  const now = Date.parse("2026-05-01T12:00:00Z");
  const at = (seconds: number) => ({
    since: new Date(now - seconds * 1000).toISOString(),
  });
  const host = { wall: now, up: undefined };
  const up = (seconds: number, slept = 0) => {
    const guest = new FixtureGuest(types);
    const core = guest.image();
    guest.symbol("tk_core", core);
    const keeper = core + 8n;
    const wall = BigInt(now) / 1000n;
    guest.setU64(keeper + 16n, wall);
    guest.setU64(keeper + 24n, BigInt(seconds - slept) - wall);
    guest.setU64(keeper + 40n, BigInt(slept) * 1_000_000_000n);
    return guest.kernel;
  };
  // Checked a minute ago, restarted ten seconds ago.
  assert.equal(notRestarted(up(10), at(60), host), undefined);
  assert.equal(notRestarted(up(59), at(60), host), undefined);
  // A day, with a clock that is a little fast.
  assert.equal(notRestarted(up(86_500), at(86_400), host), undefined);
  for (const kernel of [up(3600), up(3600, 3000), up(90)]) {
    assert.match(
      notRestarted(kernel, at(60), host) ?? "",
      /^by its own clock it has been running for \d+ s, since before that check$/,
    );
  }
  // The wall clock was stepped by a day, to make it seem restarted or not: the
  // host's own uptime counts.
  for (const step of [86_400_000, -86_400_000]) {
    const stepped = { wall: now + step, up: 100_000_000 };
    const recorded = { ...at(60), hostUp: 100_000_000 - 60_000 };
    assert.equal(notRestarted(up(10), recorded, stepped), undefined);
    assert.match(
      notRestarted(up(3600), recorded, stepped) ?? "",
      /since before that check$/,
    );
  }
  // A clock that says nothing does not make it certain either.
  for (const kernel of [up(-5), new FixtureGuest(types).kernel]) {
    assert.match(notRestarted(kernel, at(60), host) ?? "", /cannot be read/);
  }
});
