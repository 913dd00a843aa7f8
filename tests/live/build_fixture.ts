/**
 * Builds the kernel modules that tests load into guests.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { lock } from "../../lab/host/lock.ts";
import { cacheDirectory, exists } from "../../lab/host/paths.ts";
import { kernelHeaders } from "../../lab/packages/headers.ts";

/**
 * Builds the modules of a folder of guest/fixtures, unless they have been built
 * from the same sources before.
 *
 * @param programs C files of the folder that are programs for the guest
 * @returns the folder that holds the results
 */
export async function buildModules(
  name: string,
  series: string,
  programs: readonly string[] = [],
): Promise<string> {
  const source = fileURLToPath(
    import.meta.resolve(`../../guest/fixtures/${name}`),
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
  Deno.mkdirSync(parent, { recursive: true });
  // Another test file may be building the same.
  using _held = await lock(`${folder}.lock`);
  if (exists(folder)) return folder;
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
  // These run in the guest's user space, which has no libraries.
  for (const name of programs) {
    const program = await new Deno.Command("gcc-12", {
      args: ["-static", "-O2", "-o", `${work}/${name}`, `${work}/${name}.c`],
      stdin: "null",
    }).output();
    assert.ok(program.success, new TextDecoder().decode(program.stderr));
  }
  Deno.renameSync(work, folder);
  return folder;
}
