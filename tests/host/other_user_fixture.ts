/**
 * Another user of this host: runs commands and processes as `nobody`, and owns
 * files. Needs root.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/** The user and group id of `nobody` on Debian. */
export const OTHER = 65534;

const AS_OTHER = [
  `--reuid=${OTHER}`,
  `--regid=${OTHER}`,
  "--clear-groups",
];

const ci = !["", "0", "false", undefined].includes(Deno.env.get("CI"));

/** Whether the tests can run: this is root. */
export const isRoot = Deno.uid() === 0;

if (!isRoot) {
  const banner = "!".repeat(72);
  console.error(
    `${banner}\nSKIPPED: attacks by another user of the host need root\n${banner}`,
  );
}

/** Defines a test that needs root; without it, it fails in CI, else is skipped. */
export function hostTest(name: string, test: () => void | Promise<void>): void {
  Deno.test({
    name,
    ignore: !isRoot && !ci,
    fn: () => {
      assert.ok(isRoot, "these tests need root");
      return test();
    },
  });
}

/**
 * A place for an attack: a folder of root that everybody may enter, with one
 * that belongs to the other user, and one like /tmp.
 */
export class Ground implements Disposable {
  /** Root's, mode 0755. */
  readonly path = Deno.makeTempDirSync({ prefix: "xftrace-host-" });
  /** The other user's, mode 0755. */
  readonly theirs = join(this.path, "theirs");
  /** Root's, mode 1777, like /tmp. */
  readonly shared = join(this.path, "shared");
  /** The processes that were started by {@linkcode Ground.qemu}. */
  readonly pids: number[] = [];
  readonly #program = join(this.path, "bin/qemu-system-x86_64");
  readonly #children: ChildProcess[] = [];

  constructor() {
    chmodSync(this.path, 0o755);
    mkdirSync(this.theirs);
    chownSync(this.theirs, OTHER, OTHER);
    mkdirSync(this.shared);
    chmodSync(this.shared, 0o1777);
    mkdirSync(join(this.path, "bin"));
    copyFileSync("/usr/bin/perl", this.#program);
    chmodSync(this.#program, 0o755);
  }

  /** Runs a shell command as the other user. */
  they(command: string): void {
    const { status, stderr } = spawnSync("setpriv", [
      ...AS_OTHER,
      "bash",
      "-c",
      command,
    ], { cwd: this.theirs, encoding: "utf8" });
    assert.equal(status, 0, stderr);
  }

  /**
   * Starts a process of the other user that looks like a QEMU: a copy of Perl
   * with QEMU's name and arguments.
   *
   * @param code Perl that it runs before it waits, for example to map memory
   */
  async qemu(args: readonly string[], code = ""): Promise<number> {
    const child = spawn("setpriv", [
      ...AS_OTHER,
      this.#program,
      "-e",
      `$| = 1; ${code}; print "ready\\n"; <STDIN>`,
      "--",
      ...args,
    ], { cwd: this.theirs, stdio: ["pipe", "pipe", "inherit"] });
    this.#children.push(child);
    await new Promise<void>((resolve, reject) => {
      child.stdout?.once("data", () => resolve());
      child.once("exit", () => reject(new Error("the process has ended")));
    });
    assert.ok(child.pid !== undefined);
    this.pids.push(child.pid);
    return child.pid;
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill("SIGKILL");
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Perl that maps 128 MiB of private memory, as QEMU does for `-m 128`. */
export const MAP_RAM =
  "syscall(9, 0, 134217728, 3, 0x4022, -1, 0) != -1 or die";

/** What a command of xftrace did. */
export interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/**
 * Runs a command of xftrace as root. It must end (on a busy machine, within half
 * a minute), without a stack trace, and with less than 1 GiB of memory.
 */
export function xftrace(
  args: readonly string[],
  env: Record<string, string> = {},
  cwd?: string,
): Ran {
  const script = new URL("../../scripts/xftrace.ts", import.meta.url).pathname;
  const { status, signal, stdout, stderr } = spawnSync("bash", [
    "-c",
    'ulimit -d 1048576; exec "$@"',
    "bash",
    Deno.execPath(),
    "run",
    "--allow-all",
    script,
    ...args,
  ], {
    encoding: "utf8",
    timeout: 30_000,
    killSignal: "SIGKILL",
    env: { ...Deno.env.toObject(), NO_COLOR: "1", ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  assert.equal(signal, null, `${args.join(" ")} did not end: ${stderr}`);
  assert.doesNotMatch(stderr, /^\s+at .*:\d+:\d+/m);
  return { status, out: stdout, err: stderr };
}
