/**
 * KernelShark opens our trace.dat, under a virtual screen. The picture is kept, to
 * be looked at; the test sees that the file is loaded, and that much is drawn.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { TemporaryFolder } from "../../engine/base/temporary_folder_fixture.ts";

const NEEDED = ["kernelshark", "Xvfb", "import", "setpriv"];
const PICTURES = new URL("../../dist/readers/", import.meta.url).pathname;
const NOBODY = 65534;
/** A screen on which nothing is drawn takes less than 2000 bytes. */
const DRAWN = 20_000;

const missing = NEEDED.filter((name) =>
  spawnSync("which", [name]).status !== 0
);
if (missing.length > 0 && Deno.env.has("CI")) {
  throw new Error(
    `${missing} is missing: apt-get install kernelshark xvfb imagemagick`,
  );
}

const path = (name: string) =>
  fileURLToPath(import.meta.resolve(`../../${name}`));

for (const [format, kernel] of [["dat", "6.1"], ["dat6", "6.12"]]) {
  Deno.test({
    name: `KernelShark opens our ${format} of the recorded ${kernel} guest`,
    ignore: missing.length > 0,
    async fn() {
      using folder = new TemporaryFolder();
      const file = `${folder.path}/guest.dat`;
      const converted = await new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "--allow-all", path("scripts/xftrace.ts"), "convert"],
          path(`testdata/guest-${kernel}.core.zst`),
          ...["-o", file, "--format", format],
        ],
      }).output();
      assert.ok(converted.success);
      // As root, it asks first whether that is wanted.
      const root = Deno.uid() === 0;
      Deno.chmodSync(file, 0o644);
      Deno.chmodSync(folder.path, 0o755);
      const home = `${folder.path}/home`;
      Deno.mkdirSync(home);
      if (root) Deno.chownSync(home, NOBODY, NOBODY);
      const display = `:${70 + Deno.pid % 900}`;
      using screen = started("Xvfb", [
        display,
        ...["-screen", "0", "1400x900x24"],
      ]);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const drop = root
        ? [
          "setpriv",
          ...[`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"],
        ]
        : [];
      const [program, ...args] = [...drop, "kernelshark", file];
      using shark = started(program, args, {
        DISPLAY: display,
        HOME: home,
        QT_QPA_PLATFORM: "xcb",
      });
      let picture = new Uint8Array();
      const until = performance.now() + 120_000;
      while (picture.length < DRAWN && performance.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 1000));
        picture = new Uint8Array(
          (await new Deno.Command("import", {
            args: ["-window", "root", "png:-"],
            env: { DISPLAY: display },
            stderr: "null",
          }).output()).stdout,
        );
      }
      Deno.mkdirSync(PICTURES, { recursive: true });
      Deno.writeFileSync(`${PICTURES}kernelshark_${format}.png`, picture);
      assert.ok(picture.length >= DRAWN, `${picture.length} bytes`);
      const said = await shark.end();
      await screen.end();
      assert.match(said, /Loading +".*guest\.dat"/);
      assert.doesNotMatch(said, /[Ff]ailed to (?:open|load)|[Ii]nvalid/);
    },
  });
}

/** Starts a program, which is ended at the latest when this is disposed of. */
function started(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Disposable & { end(): Promise<string> } {
  const child = new Deno.Command(program, {
    args: [...args],
    env,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = Promise.all(
    [child.stdout, child.stderr].map((stream) => new Response(stream).text()),
  );
  const kill = () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended.
    }
  };
  return {
    async end() {
      kill();
      await child.status;
      return (await output).join("");
    },
    [Symbol.dispose]: kill,
  };
}
