/**
 * Makes the npm package: JavaScript and declarations of the library and the
 * commands, for machines that have Node only (the package depends on Deno).
 *
 * `deno pack` makes such tarballs as well, but accepts scoped names only, and
 * omits the declarations of every module whose types must be inferred: 340 of
 * 380 here. So the TypeScript compiler emits both.
 *
 * @module
 */
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { VERSION } from "xftrace";
import { CHECKOUT, filesBelow, readText } from "./files.ts";
import { withoutOwnName } from "./own_name.ts";
import { isForTests } from "./rules.ts";

/** The parts of deno.json that the package needs. */
const Config = z.object({
  name: z.string(),
  license: z.string(),
  exports: z.record(z.string(), z.string()),
  imports: z.record(z.string(), z.string()),
});

/** The program that becomes the command `xftrace`. */
const BIN = "scripts/xftrace.ts";

/** Programs that are started by path: the command and its collector. */
const PROGRAMS = [BIN, "scripts/collector/main.ts"];

/** Programs that are useful in a checkout only. */
const DEVELOPERS = ["scripts/demo.ts", "scripts/lab.ts"];

/** What the package contains besides code; guest/ is the module's source. */
const TEXTS = ["README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"];
const FOLDERS = ["docs", "guest"];
const NOT_PACKED = /^guest\/fixtures\//;

/** The packages that compile it. */
const COMPILERS = { typescript: "6.0.3", "@types/node": "24.19.4" };

/** The first line of the command's file, which npm makes executable. */
const SHEBANG = "#!/usr/bin/env -S deno run --quiet --allow-all\n";

const USAGE = `usage: deno task package [--out FOLDER]

Makes NAME-VERSION.tgz in FOLDER (default: dist) and prints its path.`;

const { values } = parseArgs({
  args: Deno.args,
  options: {
    out: { type: "string", default: join(CHECKOUT, "dist") },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  Deno.exit(0);
}
console.log(await makePackage(resolve(values.out)));

/**
 * Makes the package in a folder.
 *
 * @returns the tarball's path.
 * @throws {Error} when the code does not compile, or npm fails.
 */
async function makePackage(folder: string): Promise<string> {
  const config = Config.parse(JSON.parse(readText("deno.json")));
  const stage = await Deno.makeTempDir({ prefix: "xftrace-package-" });
  try {
    const source = join(stage, "source");
    const result = join(stage, "package");
    copySources(config, source);
    await installCompilers(config, source);
    await compile(config, source, result);
    copyTexts(result);
    writeJson(join(result, "package.json"), manifest(config));
    await finishPrograms(result);
    await Deno.mkdir(folder, { recursive: true });
    await run(result, "npm", "pack", "--silent", "--pack-destination", folder);
    return join(folder, `${config.name}-${VERSION}.tgz`);
  } finally {
    await Deno.remove(stage, { recursive: true });
  }
}

type Config = z.infer<typeof Config>;

/**
 * Copies all code that may be needed; the compiler takes what is imported. The
 * library is not installed while it is compiled, so it is imported by paths.
 */
function copySources(config: Config, into: string): void {
  const folders = ["engine", "ffi", "dsl", "scripts"];
  const tops = Object.values(config.exports).map((path) =>
    path.replace(/^\.\//, "")
  );
  const paths = [...folders.flatMap((folder) => filesBelow(folder)), ...tops]
    .filter((path) => path.endsWith(".ts") && !isForTests(path));
  for (const path of new Set(paths)) {
    write(join(into, path), withoutOwnName(path, readText(path), config));
  }
}

/** Installs the packages that the code imports, and the compiler. */
async function installCompilers(config: Config, into: string): Promise<void> {
  writeJson(join(into, "package.json"), {
    type: "module",
    private: true,
    dependencies: dependencies(config),
    devDependencies: COMPILERS,
  });
  await run(into, "npm", "install", "--silent", "--no-audit", "--no-fund");
}

/** The pinned packages of the import map that the package's code imports. */
function dependencies(config: Config): Record<string, string> {
  const used = new Set(
    ["engine", "ffi", "dsl", "scripts"].flatMap((folder) => filesBelow(folder))
      .filter((path) =>
        path.endsWith(".ts") && !isForTests(path) &&
        !path.startsWith("scripts/dev/")
      )
      .flatMap((path) =>
        [...readText(path).matchAll(/\bfrom "([^".][^"]*)"/g)].map(([, name]) =>
          // The package of `@scope/name/part`.
          /^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name
        )
      ),
  );
  const found: Record<string, string> = {};
  for (const [name, to] of Object.entries(config.imports)) {
    const version = /^npm:.*@(\d[^/]*)$/.exec(to)?.[1];
    if (version !== undefined && used.has(name)) found[name] = version;
  }
  return found;
}

/** Deno's own types, without what the TypeScript compiler cannot read. */
async function denoTypes(): Promise<string> {
  const text = await output(CHECKOUT, Deno.execPath(), "types");
  // These name libraries that TypeScript itself does not have.
  return text.replaceAll(/^\/\/\/ <reference .*$/gm, "");
}

/** Compiles the library with declarations, and the programs without. */
async function compile(
  config: Config,
  source: string,
  into: string,
): Promise<void> {
  write(join(source, "deno.d.ts"), await denoTypes());
  const scripts = filesBelow("scripts").filter((path) =>
    /^scripts\/\w+\.ts$/.test(path) && !isForTests(path) &&
    !DEVELOPERS.includes(path)
  );
  const library = Object.values(config.exports);
  const parts = {
    library: { declaration: true, emitDeclarationOnly: true, files: library },
    programs: {
      declaration: false,
      emitDeclarationOnly: false,
      files: [...library, ...PROGRAMS, ...scripts],
    },
  };
  for (const [name, { files, ...emit }] of Object.entries(parts)) {
    const path = join(source, `${name}.json`);
    writeJson(path, {
      compilerOptions: {
        target: "esnext",
        module: "nodenext",
        lib: ["esnext"],
        strict: true,
        noImplicitOverride: true,
        allowImportingTsExtensions: true,
        rewriteRelativeImportExtensions: true,
        skipLibCheck: true,
        types: ["node"],
        rootDir: ".",
        outDir: into,
        ...emit,
      },
      files: ["deno.d.ts", ...files],
    });
    await run(source, join(source, "node_modules", ".bin", "tsc"), "-p", path);
  }
}

function copyTexts(into: string): void {
  const paths = [
    ...TEXTS,
    ...FOLDERS.flatMap((folder) => filesBelow(folder)),
  ].filter((path) => !NOT_PACKED.test(path));
  for (const path of paths) {
    Deno.mkdirSync(dirname(join(into, path)), { recursive: true });
    Deno.copyFileSync(join(CHECKOUT, path), join(into, path));
  }
}

/** The content of package.json. */
function manifest(config: Config): object {
  const compiled = (path: string, ending: string) =>
    `./${path.replace(/^\.\//, "").replace(/\.ts$/, ending)}`;
  const { "./": _, ...rest } = Object.fromEntries(
    Object.entries(config.exports).map(([name, path]) => [name, {
      types: compiled(path, ".d.ts"),
      default: compiled(path, ".js"),
    }]),
  );
  return {
    name: config.name,
    version: VERSION,
    description: "Traces running Linux guests from the host",
    license: config.license,
    type: "module",
    bin: { [config.name]: compiled(BIN, ".js") },
    exports: { ...rest, "./package.json": "./package.json" },
    dependencies: { deno: Deno.version.deno, ...dependencies(config) },
  };
}

/** Makes the command executable, with Deno as its interpreter. */
async function finishPrograms(folder: string): Promise<void> {
  const bin = join(folder, BIN.replace(/\.ts$/, ".js"));
  const text = (await Deno.readTextFile(bin)).replace(/^#!.*\n/, "");
  await Deno.writeTextFile(bin, SHEBANG + text);
  await Deno.chmod(bin, 0o755);
}

function write(path: string, text: string): void {
  Deno.mkdirSync(dirname(path), { recursive: true });
  Deno.writeTextFileSync(path, text);
}

function writeJson(path: string, value: object): void {
  write(path, JSON.stringify(value, null, 2) + "\n");
}

/** @throws {Error} with the program's output, when it fails. */
async function output(
  cwd: string,
  command: string,
  ...args: string[]
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args,
    cwd,
    env: { NO_COLOR: "1" },
  }).output();
  const said = new TextDecoder().decode(stdout);
  if (success) return said;
  throw new Error(
    `${command} ${args.join(" ")} failed:\n${said}${
      new TextDecoder().decode(stderr)
    }`,
  );
}

async function run(cwd: string, ...command: string[]): Promise<void> {
  const [program, ...args] = command;
  await output(cwd, program, ...args);
}
