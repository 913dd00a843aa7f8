/**
 * A fake /proc for tests.
 *
 * @module
 */
import assert from "node:assert/strict";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { listVms } from "./discover.ts";
import { Proc } from "./proc.ts";
import type { VmProcess } from "./vm.ts";

/** A process in a fake /proc. */
export interface FakeProcess {
  readonly args: readonly string[];
  readonly exe?: string;
  readonly maps?: string;
  /** Texts of the links in fd/, by descriptor. */
  readonly fds?: Record<number, string>;
  readonly state?: string;
  readonly start?: number;
}

/** A fake /proc in a temporary folder. */
export class FakeProc implements Disposable {
  readonly folder = Deno.makeTempDirSync();
  readonly root = `${this.folder}/proc`;
  readonly proc = new Proc(this.root);

  constructor() {
    mkdirSync(this.root);
    mkdirSync(`${this.root}/sys`);
  }

  add(pid: number, process: FakeProcess): void {
    const at = `${this.root}/${pid}`;
    mkdirSync(`${at}/fd`, { recursive: true });
    writeFileSync(
      `${at}/cmdline`,
      process.args.map((arg) => arg + "\0").join(""),
    );
    const rest = Array.from({ length: 40 }, () => "0");
    rest[18] = String(process.start ?? 1000 + pid);
    writeFileSync(
      `${at}/stat`,
      `${pid} (qemu) x)) ${process.state ?? "S"} ${rest.join(" ")}\n`,
    );
    writeFileSync(`${at}/maps`, process.maps ?? "");
    symlinkSync(process.exe ?? "/usr/bin/qemu-system-x86_64", `${at}/exe`);
    symlinkSync("/srv/vm", `${at}/cwd`);
    for (const [fd, link] of Object.entries(process.fds ?? {})) {
      symlinkSync(link, `${at}/fd/${fd}`);
    }
  }

  remove(pid: number): void {
    rmSync(`${this.root}/${pid}`, { recursive: true });
  }

  /** The only VM in it. */
  only(): VmProcess {
    const vms = listVms(this.proc);
    assert.equal(vms.length, 1);
    return vms[0];
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** Builds a line of a maps file; sizes in bytes. */
export function vma(
  start: number,
  size: number,
  permissions = "rw-p",
  file = "",
  inode = 0,
  offset = 0,
): string {
  const hex = (n: number) => n.toString(16).padStart(12, "0");
  return `${hex(start)}-${hex(start + size)} ${permissions} ` +
    `${hex(offset)} 00:1d ${inode}`.padEnd(40) + ` ${file}\n`;
}

/** Splits a QEMU command line without quotes into arguments. */
export function qemu(line: string): string[] {
  return ["qemu-system-x86_64", ...line.split(" ")];
}
