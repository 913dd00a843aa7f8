/**
 * A `virsh` for tests.
 *
 * @module
 */

/**
 * Runs `body` with this shell script as the `virsh` on the PATH, or with none.
 */
export async function withVirsh(
  script: string | undefined,
  body: () => Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync();
  const before = Deno.env.get("PATH") ?? "";
  try {
    if (script !== undefined) {
      Deno.writeTextFileSync(`${folder}/virsh`, `#!/bin/sh\n${script}`, {
        mode: 0o755,
      });
    }
    Deno.env.set("PATH", script === undefined ? folder : `${folder}:${before}`);
    await body();
  } finally {
    Deno.env.set("PATH", before);
    Deno.removeSync(folder, { recursive: true });
  }
}
