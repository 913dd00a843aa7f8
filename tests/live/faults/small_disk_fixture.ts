/**
 * A small file system of its own for files of the host, to be full or
 * read-only. Needs root.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import assert from "node:assert/strict";
import { sleep } from "../../../engine/base/polling.ts";

/** How long a file may stay open that nobody uses any more, ms. */
const BUSY_MS = 60_000;

/** A mounted file system in memory. */
export class SmallDisk implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "xftrace-disk-" });

  /** @param kib its size in KiB */
  constructor(kib: number) {
    run(
      "mount",
      "-t",
      "tmpfs",
      "-o",
      `size=${kib}k`,
      "xftrace-test",
      this.path,
    );
  }

  /** Makes a folder on it. */
  folder(name: string): string {
    Deno.mkdirSync(`${this.path}/${name}`, { mode: 0o700 });
    return `${this.path}/${name}`;
  }

  /**
   * Forbids or allows to write to it. A process that was just killed may have a
   * file open for some moments more.
   */
  async remount(how: "ro" | "rw"): Promise<void> {
    for (const end = performance.now() + BUSY_MS;;) {
      try {
        run("mount", "-o", `remount,${how}`, this.path);
        return;
      } catch (error) {
        if (performance.now() > end) throw error;
        await sleep(100);
      }
    }
  }

  /** Gives it another size in KiB. */
  resize(kib: number): void {
    run("mount", "-o", `remount,size=${kib}k`, this.path);
  }

  [Symbol.dispose](): void {
    // Lazily, since a collector may have a file open for some moments.
    run("umount", "-l", this.path);
    Deno.removeSync(this.path);
  }
}

function run(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  assert.equal(status, 0, `${command} ${args.join(" ")}: ${stderr}`);
}
