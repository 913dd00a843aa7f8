import assert from "node:assert/strict";
import { buildModule, dkmsCommands, moduleVersion } from "./build.ts";

Deno.test("the error for missing headers says which folder to give", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    await assert.rejects(
      buildModule(folder, folder, "xftrace.ko"),
      /contains no kernel headers; give a folder such as/,
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("the error for a failed build quotes the compiler", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(
      `${folder}/Makefile`,
      "all:\n\t@echo error: no >&2; false\n",
    );
    await assert.rejects(
      buildModule(folder, folder, "xftrace.ko"),
      /cannot be built with .*: error: no/,
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("the install commands build with DKMS and load at boot", () => {
  const commands = dkmsCommands("1.2").join("\n");
  assert.match(commands, /dkms install xftrace\/1\.2/);
  assert.match(commands, /modules-load\.d\/xftrace\.conf/);
  assert.match(commands, /modprobe xftrace$/);
  assert.match(moduleVersion(), /^\d+\.\d+\.\d+$/);
});
