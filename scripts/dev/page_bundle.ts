/**
 * Makes the script and the style sheet of pages (engine/output/page/bundle.ts)
 * from their sources in page/: `deno task page`.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { CHECKOUT, readText } from "./files.ts";

/** The file that is made. */
export const BUNDLE = "engine/output/page/bundle.ts";

const LICENCE = `The script contains preact (c) 2015-present Jason Miller, and
uPlot (c) 2025 Leon Sorokin, both under the MIT License: Permission is hereby
granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without
restriction, including without limitation the rights to use, copy, modify, merge,
publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following
conditions: The above copyright notice and this permission notice shall be
included in all copies or substantial portions of the Software. THE SOFTWARE IS
PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE
AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE
FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT
OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE
OR OTHER DEALINGS IN THE SOFTWARE.`;

/**
 * Bundles the page.
 *
 * @returns what {@linkcode BUNDLE} should contain.
 * @throws {Error} when the sources cannot be bundled.
 */
export async function bundledPage(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "xftrace-page-" });
  try {
    const path = `${folder}/page.js`;
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "bundle",
        "--quiet",
        "--platform=browser",
        "--minify",
        `--output=${path}`,
        "page/main.tsx",
      ],
      cwd: CHECKOUT,
      env: { NO_COLOR: "1" },
    }).output();
    if (!success) {
      throw new Error(`deno bundle: ${new TextDecoder().decode(stderr)}`);
    }
    const code = (await Deno.readTextFile(path)).trim();
    return await formatted(source(
      `/* ${LICENCE} */\n(async()=>{${code}})();`,
      readText("page/style.css").replace(/\/\*[^]*?\*\//g, "")
        .replace(/\s*([{}:;,])\s*/g, "$1").replace(/\s+/g, " ").trim(),
    ));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function source(script: string, style: string): string {
  if (/<\/?script|<!--/i.test(script) || /<\//.test(style)) {
    throw new Error("the bundle would end the element that it is in");
  }
  return `/**
 * The script and the style sheet of pages. Written by generate.ts of
 * page/, which is scripts/dev/page_bundle.ts, with Deno ${Deno.version.deno}:
 * \`deno task page\`.
 *
 * @module
 */

/** The version of Deno that bundled them. */
export const BUNDLED_BY = ${JSON.stringify(Deno.version.deno)};

/** The hash of {@linkcode SCRIPT}, by which a page lets it run. */
export const SCRIPT_HASH =
  ${JSON.stringify(hash(script))};

/** The hash of {@linkcode STYLE}. */
export const STYLE_HASH =
  ${JSON.stringify(hash(style))};

/** The style sheet. */
export const STYLE =
  ${JSON.stringify(style)};

/** The program in a page. */
export const SCRIPT =
  ${JSON.stringify(script)};
`;
}

/** As `deno fmt` wants it. */
async function formatted(text: string): Promise<string> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { stdout } = await process.output();
  return new TextDecoder().decode(stdout);
}

/** A hash as a Content-Security-Policy has it. */
function hash(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

if (import.meta.main) {
  Deno.writeTextFileSync(`${CHECKOUT}/${BUNDLE}`, await bundledPage());
}
