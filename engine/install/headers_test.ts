import assert from "node:assert/strict";
import {
  findHeaders,
  headerFolders,
  headersAdvice,
  requireHeadersOf,
} from "./headers.ts";

Deno.test("the package with the headers follows from the form of the release and the banner", () => {
  const packages = {
    "6.1.0-57-amd64": "linux-headers-6.1.0-57-amd64",
    "6.12.95+deb12-cloud-amd64": "linux-headers-6.12.95+deb12-cloud-amd64",
    "6.8.0-45-generic": "linux-headers-6.8.0-45-generic",
    "6.8.0-1015-aws": "linux-headers-6.8.0-1015-aws",
    "6.8.12-4-pve": "proxmox-headers-6.8.12-4-pve",
    "6.11.4-301.fc41.x86_64": "kernel-devel-6.11.4-301.fc41.x86_64",
    "5.14.0-427.13.1.el9_4.x86_64": "kernel-devel-5.14.0-427.13.1.el9_4.x86_64",
    "5.14.0-427.el9.x86_64+rt": "kernel-rt-devel-5.14.0-427.el9.x86_64",
    "5.15.0-200.131.27.el9uek.x86_64":
      "kernel-uek-devel-5.15.0-200.131.27.el9uek.x86_64",
    "6.1.112-124.190.amzn2023.x86_64":
      "kernel-devel-6.1.112-124.190.amzn2023.x86_64",
    "6.4.0-150600.23.25-default": "kernel-default-devel",
    "6.11.5-arch1-1": "linux-headers",
    "6.11.5-zen1-1-zen": "linux-zen-headers",
    "6.6.58-1-lts": "linux-lts-headers",
  };
  for (const [release, name] of Object.entries(packages)) {
    const advice = headersAdvice({ release });
    assert.ok(advice.startsWith(`the package ${name} has them (sudo `), advice);
    assert.ok(advice.endsWith(` ${name})`), advice);
  }
  assert.match(
    headersAdvice({
      release: "6.6.58-0-lts",
      banner:
        "Linux version 6.6.58-0-lts (buildozer@build) (gcc (Alpine 13.2.1_git20240309) 13.2.1)",
    }),
    /linux-lts-dev has them \(sudo apk add linux-lts-dev\)/,
  );
  assert.match(headersAdvice({ release: "7.2.0-rc1" }), /make modules_prepare/);
});

Deno.test("headers are found by release, and those of another release are refused", () => {
  const folder = Deno.makeTempDirSync();
  const kernel = { release: "6.1.0-57-amd64" };
  try {
    assert.throws(
      () => findHeaders(kernel, [`${folder}/none`, folder]),
      /no headers of the kernel 6\.1\.0-57-amd64 here \(looked at .*none, .*\); the package linux-headers-6\.1\.0-57-amd64 has them .*--headers DIR$/,
    );
    Deno.writeTextFileSync(`${folder}/Makefile`, "");
    assert.equal(findHeaders(kernel, [`${folder}/none`, folder]), folder);
    requireHeadersOf(folder, kernel);
    Deno.mkdirSync(`${folder}/include/generated`, { recursive: true });
    Deno.writeTextFileSync(
      `${folder}/include/generated/utsrelease.h`,
      '#define UTS_RELEASE "6.12.9-amd64"\n',
    );
    assert.throws(
      () => requireHeadersOf(folder, kernel),
      /contains the headers of the kernel 6\.12\.9-amd64, not those of 6\.1\.0-57-amd64; the package/,
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("headers are searched for where distributions and the lab put them", () => {
  const folders = headerFolders(
    "6.1",
    (name) => name === "HOME" ? "/nobody" : undefined,
  );
  assert.deepEqual(folders, [
    "/lib/modules/6.1/build",
    "/usr/src/linux-headers-6.1",
    "/usr/src/kernels/6.1",
    "/nobody/.cache/xftrace/lab/headers/6.1/usr/src/linux-headers-6.1",
  ]);
});
