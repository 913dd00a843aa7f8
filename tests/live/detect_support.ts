/**
 * What the tests of the checks share: fixtures built for a kernel, and runs
 * of checks.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { selectChecks } from "../../engine/detect/checks.ts";
import type { CheckOptions } from "../../engine/detect/context.ts";
import { type CheckRun, runChecks } from "../../engine/detect/runner.ts";
import type { Finding } from "../../engine/detect/types.ts";
import type { Kernel } from "../../engine/kernel/kernel.ts";
import { kernelHeaders } from "../../lab/headers.ts";
import { findKernel } from "../../lab/kernel.ts";
import { cacheDirectory, exists } from "../../lab/paths.ts";

/**
 * Builds the fixtures for a kernel series, once for each state of their
 * sources.
 *
 * @returns the folder that holds `det_*.ko` and `bpf_load`
 */
export async function buildFixtures(series: string): Promise<string> {
  const source = fileURLToPath(
    import.meta.resolve("../../guest/fixtures/detect"),
  );
  const headers = await kernelHeaders(series);
  const hash = createHash("sha256").update(headers);
  const files = [...Deno.readDirSync(source)].map(({ name }) => name)
    .filter((name) => /\.[ch]$|^Kbuild$|^Makefile$/.test(name)).sort();
  for (const name of files) {
    hash.update(name).update(Deno.readFileSync(`${source}/${name}`));
  }
  const parent = `${cacheDirectory()}/fixtures`;
  const folder = `${parent}/${hash.digest("hex").slice(0, 16)}`;
  if (exists(folder)) return folder;
  Deno.mkdirSync(parent, { recursive: true });
  const work = Deno.makeTempDirSync({ dir: parent });
  for (const name of files) {
    Deno.copyFileSync(`${source}/${name}`, `${work}/${name}`);
  }
  const { code, stdout, stderr } = await new Deno.Command("make", {
    args: ["-C", work, `KDIR=${headers}`, "CC=gcc-12"],
    env: { LC_ALL: "C" },
    stdin: "null",
  }).output();
  const said = new TextDecoder().decode(stderr) +
    new TextDecoder().decode(stdout);
  assert.equal(code, 0, `building the fixtures failed: ${said}`);
  // Runs in the guest's user space, which has no libraries.
  const program = await new Deno.Command("gcc-12", {
    args: ["-static", "-O2", "-o", `${work}/bpf_load`, `${work}/bpf_load.c`],
    stdin: "null",
  }).output();
  assert.ok(program.success, new TextDecoder().decode(program.stderr));
  Deno.renameSync(work, folder);
  return folder;
}

/** The vmlinuz that the lab boots for a series. */
export async function vmlinuzOf(series: string): Promise<string> {
  return (await findKernel(series, "amd64", () => {})).vmlinuz;
}

/** Runs checks by id; all of them when none are named. */
export async function check(
  kernel: Kernel,
  ids: readonly string[] = [],
  options: CheckOptions = {},
): Promise<CheckRun> {
  return await runChecks(kernel, selectChecks(ids), options);
}

/** All findings of a run. */
export function findingsOf(run: CheckRun): Finding[] {
  return run.outcomes.flatMap(({ findings }) => findings);
}

/** Asserts that there is nothing to find, and that all was judged. */
export function assertClean(run: CheckRun): void {
  assert.deepEqual(
    findingsOf(run).map(({ check, summary, found }) =>
      `${check} ${summary} (${found})`
    ),
    [],
  );
  assert.deepEqual(
    run.outcomes.flatMap(({ check, unjudged }) =>
      unjudged.map(({ what, why }) => `${check.id} ${what}: ${why}`)
    ),
    [],
  );
}
