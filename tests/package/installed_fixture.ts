/**
 * The npm package, made from this checkout and installed in an empty folder, as
 * on a machine with Node but without Deno.
 *
 * @module
 */
import assert from "node:assert/strict";
import { delimiter, join } from "node:path";
import { CHECKOUT } from "../../scripts/dev/files.ts";

/** The result of a command of the installed package. */
export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A folder in which the package is installed; removed when disposed. */
export class Installed implements AsyncDisposable {
  /** The folder, whose node_modules has the package. */
  readonly folder: string;
  /** Node's programs, and no others. */
  readonly #bin: string;
  readonly #path: string;

  private constructor(folder: string, bin: string) {
    this.folder = folder;
    this.#bin = bin;
    this.#path = [bin, "/usr/bin", "/bin"].join(delimiter);
  }

  /** Makes the package and installs it. */
  static async fromCheckout(): Promise<Installed> {
    const folder = await Deno.makeTempDir({ prefix: "xftrace-installed-" });
    const bin = await Deno.makeTempDir({ prefix: "xftrace-node-" });
    const made = await new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "package", "--out", folder],
      cwd: CHECKOUT,
    }).output();
    const said = new TextDecoder().decode(made.stdout).trim();
    assert.ok(made.success, new TextDecoder().decode(made.stderr));
    const tarball = said.split("\n").at(-1) ?? "";
    // Node's own folder may contain Deno as well.
    for (const name of ["node", "npm", "npx"]) {
      await Deno.symlink(await whereIs(name), join(bin, name));
    }
    const installed = new Installed(folder, bin);
    assert.equal(
      (await installed.run("sh", "-c", "command -v deno")).out,
      "",
      "a Deno is on the path, so that this would not show that the package brings its own",
    );
    await Deno.writeTextFile(join(folder, "package.json"), "{}\n");
    const npm = await installed.run(
      "npm",
      "install",
      "--no-audit",
      "--no-fund",
      tarball,
    );
    assert.equal(npm.code, 0, npm.err);
    return installed;
  }

  /** Runs a program in the folder, with only Node's programs on its path. */
  async run(program: string, ...args: string[]): Promise<Said> {
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args,
      cwd: this.folder,
      env: {
        PATH: this.#path,
        NO_COLOR: "1",
        npm_config_update_notifier: "false",
      },
      stdin: "null",
    }).output();
    return {
      code,
      out: new TextDecoder().decode(stdout),
      err: new TextDecoder().decode(stderr),
    };
  }

  /** Like {@linkcode run}, but returns the output; it must succeed. */
  async ok(program: string, ...args: string[]): Promise<string> {
    const { code, out, err } = await this.run(program, ...args);
    assert.equal(code, 0, `${program} ${args.join(" ")}: ${err}`);
    return out;
  }

  /** Writes a file into the folder. */
  async write(name: string, text: string): Promise<void> {
    await Deno.writeTextFile(join(this.folder, name), text);
  }

  /** Removes the folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
    await Deno.remove(this.#bin, { recursive: true });
  }
}

/** The real path of a program. */
async function whereIs(name: string): Promise<string> {
  const { success, stdout } = await new Deno.Command("sh", {
    args: ["-c", `command -v ${name}`],
  }).output();
  assert.ok(success, `${name} is not installed`);
  return await Deno.realPath(new TextDecoder().decode(stdout).trim());
}
