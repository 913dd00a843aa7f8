/** Verdicts whose reader has gone: `xftrace verify FILE | grep -q ...`. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { SEAL } from "../../engine/seal/page/abi.ts";
import {
  FakeCpu,
  recordTrace,
  withFolder,
} from "../../engine/seal/recording/recording_fixture.ts";

const SCRIPT = new URL("../../scripts/xftrace.ts", import.meta.url).pathname;

/** The exit code of a command whose output nobody reads. */
function unreadStatus(args: readonly string[]): string {
  const { stdout, stderr } = spawnSync("bash", [
    "-c",
    '"$@" | true; echo "${PIPESTATUS[0]}" >&2',
    "bash",
    Deno.execPath(),
    "run",
    "--allow-all",
    "--no-check",
    SCRIPT,
    ...args,
  ], { encoding: "utf8" });
  assert.equal(stdout, "");
  return stderr.trim();
}

Deno.test("a verdict does not become better when its reader has gone", () =>
  withFolder((folder) => {
    const cpu = new FakeCpu(SEAL.ratchet);
    const { path } = recordTrace(folder, { cpu });
    assert.equal(unreadStatus(["verify", path]), "0");
    const bytes = Deno.readFileSync(path);
    bytes[bytes.length - 100] ^= 1;
    Deno.writeFileSync(path, bytes);
    assert.equal(unreadStatus(["verify", path]), "2");
    assert.equal(unreadStatus(["verify", "--json", path]), "2");
  }));
