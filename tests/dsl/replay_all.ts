/**
 * Runs every script and every lesson on a recording, as a user would. A test
 * starts this program with `--allow-read` alone.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { EXIT } from "../../mod.ts";
import { execute } from "../../scripts/cli/execute.ts";
import { oneLiner } from "xftrace";
import { LESSONS } from "./one_liners_fixture.ts";
import { SCRIPTS } from "./scripts_fixture.ts";

const file = fileURLToPath(
  import.meta.resolve("../../testdata/guest-6.12.core.zst"),
);
const target = `core:${file}`;

for (const [script, ...args] of SCRIPTS) {
  console.log(`== ${script.name}`);
  const code = await script.main([...args, "-t", target]);
  if (code !== EXIT.ok) Deno.exit(code);
}
for (const { title, code } of LESSONS) {
  console.log(`== ${title}`);
  await execute(oneLiner(code), { target, cache: false });
}
