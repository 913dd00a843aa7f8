/** speedscope's own page draws our profile, in Chromium. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium, type Page } from "playwright-core";
import { TemporaryFolder } from "../../engine/base/temporary_folder_fixture.ts";

/** Where Debian's package puts it. */
const CHROMIUM = "/usr/bin/chromium";
/** Pictures are kept here, to be looked at. */
const PICTURES = new URL("../../dist/readers/", import.meta.url).pathname;
const PACKAGE = { name: "speedscope", version: "1.25.0" };

const missing = !existsSync(CHROMIUM);
if (missing && Deno.env.has("CI")) {
  throw new Error(`${CHROMIUM} is missing: apt-get install chromium`);
}

const path = (name: string) =>
  fileURLToPath(import.meta.resolve(`../../${name}`));

async function deno(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** The folder with its page. */
async function pageFolder(): Promise<string> {
  const { name, version } = PACKAGE;
  await deno("cache", `npm:${name}@${version}`);
  const { npmCache } = JSON.parse(await deno("info", "--json"));
  for (const { name: registry } of Deno.readDirSync(npmCache)) {
    const folder = join(npmCache, registry, name, version, "dist", "release");
    if (existsSync(folder)) return folder;
  }
  throw new Error(`${name} ${version} is not in ${npmCache}`);
}

/** Waits until the page shows some of these names. */
async function shows(
  page: Page,
  of: readonly { readonly name: string }[],
  count: number,
): Promise<void> {
  const until = performance.now() + 120_000;
  let text = "";
  while (performance.now() < until) {
    text = await page.locator("body").innerText();
    if (of.filter(({ name }) => text.includes(name)).length >= count) return;
    await page.waitForTimeout(200);
  }
  throw new Error(`none of the names is shown: ${text.slice(0, 500)}`);
}

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html",
  js: "text/javascript",
  css: "text/css",
  json: "application/json",
};

Deno.test({
  name: "speedscope draws the recorded guest's profile",
  ignore: missing,
  async fn() {
    using temporary = new TemporaryFolder();
    const profile = join(temporary.path, "guest.speedscope.json");
    await deno(
      "run",
      "--allow-all",
      path("scripts/xftrace.ts"),
      "convert",
      path("testdata/guest-6.1.core.zst"),
      "-o",
      profile,
    );
    const { profiles, shared } = JSON.parse(Deno.readTextFileSync(profile));
    const folder = await pageFolder();
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        const { pathname } = new URL(request.url);
        const name = pathname === "/" ? "/index.html" : pathname;
        const file = name === "/guest.json" ? profile : join(folder, name);
        try {
          return new Response(await Deno.readFile(file), {
            headers: { "content-type": TYPES[name.split(".").at(-1)!] ?? "" },
          });
        } catch {
          return new Response("not found", { status: 404 });
        }
      },
    );
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ["--no-sandbox", "--enable-unsafe-swiftshader"],
    });
    try {
      const page = await browser.newPage();
      const wrong: string[] = [];
      page.on("pageerror", (error) => wrong.push(String(error)));
      const { port } = server.addr as Deno.NetAddr;
      const own = `http://127.0.0.1:${port}`;
      await page.goto(
        `${own}/#profileURL=${encodeURIComponent(`${own}/guest.json`)}`,
      );
      // The name of a thread, in the bar above the profile.
      await shows(page, profiles, 1);
      // Its table of functions, with their times.
      await page.keyboard.press("3");
      await shows(page, shared.frames, 3);
      await Deno.mkdir(PICTURES, { recursive: true });
      await page.screenshot({ path: `${PICTURES}speedscope_table.png` });
      await page.keyboard.press("1");
      await page.waitForTimeout(1000);
      await page.screenshot({ path: `${PICTURES}speedscope_time.png` });
      // Calls are drawn at the top, and nothing at the bottom.
      const [calls, empty] = await Promise.all(
        [140, 560].map((y) =>
          page.screenshot({ clip: { x: 0, y, width: 1280, height: 120 } })
        ),
      );
      assert.ok(
        calls.length > 2 * empty.length,
        `${calls.length} ${empty.length}`,
      );
      assert.deepEqual(wrong, []);
    } finally {
      await browser.close();
    }
  },
});
