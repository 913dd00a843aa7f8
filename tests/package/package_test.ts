/**
 * The npm package on the recordings: installed in an empty folder, with only
 * Node on the path, it prints the same as the checkout.
 *
 * @module
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { CHECKOUT, filesBelow } from "../../scripts/dev/files.ts";
import { VERSION } from "../../engine/base/version.ts";
import { Installed } from "./installed_fixture.ts";

const RECORDINGS = ["6.1", "6.12"].map((kernel) =>
  `core:${join(CHECKOUT, `testdata/guest-${kernel}.core.zst`)}`
);
const ONE_LINERS = [
  "trace(sys_openat).count(comm)",
  'trace(sys_openat).filter(duration.gt("10us")).until(5).print()',
  'event("sched:sched_switch").count("prev_comm", "next_comm")',
];

/** A user's script that imports all entries of the library. */
const SCRIPT = `
import { comm, open, trace } from "xftrace";
import { planOff } from "xftrace/control";
import { selectChecks } from "xftrace/detect";
import { openInstance } from "xftrace/ftrace";
import { moduleVersion } from "xftrace/install";
import { prototypeText } from "xftrace/kernel";
import { FORMATS } from "xftrace/output";
import { VERDICTS } from "xftrace/seal";
import { sys_openat } from "xftrace/syscalls";
import { parseTarget } from "xftrace/targets";

const target: string = Deno.args[0];
await using guest = await open(target);
console.log(guest.kernel.release);
const command: string = guest.kernel.object("init_task").comm;
const { total } = await trace(sys_openat).on(guest).count(comm);
console.log(command, total > 50);
console.log(openInstance(guest.session).instance.tracer);
console.log(prototypeText(guest.session.kernel, "vfs_read"));
console.log(
  typeof planOff, selectChecks(["XF001"]).length, moduleVersion().length > 0,
  FORMATS[0].name, VERDICTS[0], parseTarget(target).kind,
);
`;

/** A program that opens a running guest; here it only has to compile. */
const LIVE = `
import { open, sys_openat, trace } from "xftrace/live";

await using guest = await open("qemu:web1");
for (const task of guest.kernel.tasks()) console.log(task.pid, task.comm);
await trace(sys_openat).until("5s").on(guest).print();
`;

/** What `xftrace types` writes is put beside a program. */
const EXTENDED = `
/// <reference path="./kernel.d.ts" />
import { kernel, open, trace } from "xftrace";

await using guest = await open("core:guest.core");
const pool = guest.kernel.object("dma_pool", 0n);
const size: number | bigint = pool.size;
console.log(size);
await trace(kernel.vfs_read).on(guest).print();
`;

/** Runs the same command from the checkout. */
async function fromCheckout(...args: string[]): Promise<string> {
  const { stdout, success, stderr } = await new Deno.Command(
    Deno.execPath(),
    {
      args: [
        "run",
        "--allow-all",
        join(CHECKOUT, "scripts/xftrace.ts"),
        ...args,
      ],
      env: { NO_COLOR: "1" },
    },
  ).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

Deno.test("the npm package prints the same as the checkout", async (t) => {
  await using installed = await Installed.fromCheckout();

  await t.step("npx runs the tarball itself", async () => {
    const tarball = `./xftrace-${VERSION}.tgz`;
    const said = await installed.ok("npx", "--yes", tarball, "--version");
    assert.equal(said.trim(), VERSION);
  });

  for (const target of RECORDINGS) {
    const about = target.replace(/^.*\//, "");
    await t.step(`report of ${about}`, async () => {
      const args = ["report", "-t", target];
      assert.equal(
        await installed.ok("npx", "xftrace", ...args),
        await fromCheckout(...args),
      );
    });
    for (const text of ONE_LINERS) {
      await t.step(`eval '${text}' of ${about}`, async () => {
        const args = ["eval", "-t", target, text];
        const said = await installed.ok("npx", "xftrace", ...args);
        assert.notEqual(said, "");
        assert.equal(said, await fromCheckout(...args));
      });
    }
    await t.step(`a script of the package runs on ${about}`, async () => {
      const script = join("node_modules", "xftrace", "scripts", "opens.js");
      assert.equal(
        await installed.ok("npx", "xftrace", "run", script, "-t", target),
        await fromCheckout(
          "run",
          join(CHECKOUT, "scripts", "opens.ts"),
          "-t",
          target,
        ),
      );
    });
    await t.step(`a TypeScript program reads ${about}`, async () => {
      await installed.write("mine.ts", SCRIPT);
      const said = await installed.ok(
        "npx",
        "deno",
        "run",
        "--check",
        "--allow-read",
        "mine.ts",
        target,
      );
      const release = /guest-([\d.]+)\.core/.exec(target)?.[1] ?? "";
      assert.ok(said.startsWith(release), said);
      assert.match(said, /\nswapper\/0 true\n\w+\nssize_t vfs_read\(/);
      assert.match(said, /\nfunction 1 true text verified core\n$/);
    });
  }

  await t.step("a program for running guests compiles", async () => {
    await installed.write("live.ts", LIVE);
    await installed.ok("npx", "deno", "check", "live.ts");
    await installed.write(
      "wrong_live.ts",
      LIVE.replace("task.comm", "task.com"),
    );
    const { code, err } = await installed.run(
      ...["npx", "deno", "check", "wrong_live.ts"] as const,
    );
    assert.notEqual(code, 0);
    assert.match(err, /'com' does not exist/);
  });

  await t.step(
    "the package has declarations: a wrong type is an error",
    async () => {
      await installed.write(
        "wrong.ts",
        'import { VERSION_THAT_IS_NONE } from "xftrace";\n' +
          'import { openCoreSession } from "xftrace";\n' +
          'const release: number = openCoreSession("a", "b").kernel.facts.release;\n' +
          "console.log(release, VERSION_THAT_IS_NONE);\n",
      );
      const { code, err } = await installed.run(
        "npx",
        "deno",
        "check",
        "wrong.ts",
      );
      assert.notEqual(code, 0);
      assert.match(err, /VERSION_THAT_IS_NONE/);
      assert.match(err, /'string' is not assignable to type 'number'/);
    },
  );

  await t.step("declarations of a guest extend the library's", async () => {
    const declared = await installed.ok(
      ...["npx", "xftrace", "types", "--struct", "dma_pool"] as const,
      ...["-t", RECORDINGS[1]] as const,
    );
    await installed.write("kernel.d.ts", declared);
    await installed.write("extended.ts", EXTENDED);
    await installed.ok("npx", "deno", "check", "extended.ts");
    await installed.write(
      "wrong_extended.ts",
      EXTENDED.replace("vfs_read", "vfs_raed"),
    );
    const { code, err } = await installed.run(
      ...["npx", "deno", "check", "wrong_extended.ts"] as const,
    );
    assert.notEqual(code, 0);
    assert.match(err, /'vfs_raed' does not exist/);
  });

  await t.step(
    "the package has no TypeScript, no tests and no deno.json",
    () => {
      const root = join(installed.folder, "node_modules", "xftrace");
      const wrong: string[] = [];
      const visit = (folder: string) => {
        for (const { name, isDirectory } of Deno.readDirSync(folder)) {
          const path = join(folder, name);
          if (isDirectory) visit(path);
          else if (/(?<!\.d)\.ts$|_test\.|_fixture\./.test(name)) {
            wrong.push(path);
          } else if (
            name.endsWith(".js") &&
            /from\s+"[^"]*deno\.json"/.test(Deno.readTextFileSync(path))
          ) wrong.push(path);
        }
      };
      visit(root);
      assert.deepEqual(wrong, []);
      // The module's source is included.
      const sources = filesBelow("guest").filter((path) =>
        /\.[ch]$/.test(path)
      );
      assert.ok(sources.length > 5);
      for (const path of sources) {
        if (path.includes("/fixtures/")) continue;
        assert.ok(Deno.statSync(join(root, path)).isFile, path);
      }
    },
  );
});
