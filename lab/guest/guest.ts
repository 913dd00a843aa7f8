/**
 * A guest from its boot to its end: QEMU runs with the guest's memory in a
 * file, and ends with the guest, with its owner, or after an hour.
 *
 * @module
 */

import { Channel, type ExecOptions, type ExecResult } from "./channel.ts";
import { LabError, messageOf } from "../host/errors.ts";
import { markReady, startGuest } from "./guest_boot.ts";
import {
  type GuestOptions,
  type GuestSettings,
  settle,
  uniqueName,
} from "../host/options.ts";
import { guestDirectory } from "../host/paths.ts";
import { livePid } from "../host/processes.ts";
import { sleep } from "../host/lock.ts";
import type { OnProgress } from "../host/progress.ts";
import { type Json, qmp } from "./qmp.ts";
import {
  end,
  type GuestRecord,
  type RunningGuest,
  runningGuest,
} from "./registry.ts";

/** A running guest of the lab. */
export class Guest implements AsyncDisposable {
  private readonly channel: Channel;
  private readonly directory: string;
  private readonly log: Deno.FsFile;
  private readonly words: Deno.FsFile;
  private isDown = false;

  private constructor(
    private readonly record: RunningGuest,
    private readonly owned: boolean,
    private readonly settings?: GuestSettings,
  ) {
    this.directory = guestDirectory(record.name);
    // Open, so that they can be read after the guest and its folder are gone.
    this.log = Deno.openSync(`${this.directory}/serial.log`);
    this.words = Deno.openSync(`${this.directory}/qemu.log`);
    this.channel = new Channel(
      this.directory,
      () => this.running,
      record.serialOnly,
      () => this.lastWords(),
    );
  }

  /**
   * Boots a guest and waits until it takes commands. Fetches the kernel and
   * QEMU first if they are missing. Disposing the result ends the guest. Throws
   * {@link LabError}, with the guest's last messages if it did not come up.
   */
  static async boot(
    options: GuestOptions & { readonly onProgress?: OnProgress } = {},
  ): Promise<Guest> {
    const settings = settle(options);
    const record = await startGuest(settings, options.onProgress ?? (() => {}));
    return new Guest(record, true, settings);
  }

  /** Connects to a running guest. Disposing the result leaves it running. */
  static attach(name: string): Guest {
    return new Guest(runningGuest(name), false);
  }

  /** The guest's name. */
  get name(): string {
    return this.record.name;
  }

  /** The target for `xftrace -t`: "qemu:NAME". */
  get target(): string {
    return this.record.target;
  }

  /** The file that is the guest's memory; none when booted without `share`. */
  get memoryFile(): string | undefined {
    return this.record.memoryFile;
  }

  /** QEMU's process number on the host. */
  get pid(): number {
    return this.record.pid;
  }

  /** The guest's kernel, machine, processors and so on. */
  get info(): GuestRecord {
    return this.record;
  }

  /** Whether the guest still runs. */
  get running(): boolean {
    return !this.isDown &&
      livePid(this.directory, "qemu.pid") === this.record.pid;
  }

  /**
   * Runs a shell command in the guest and waits for the shell to end; jobs that
   * it leaves in the background run on, their output is dropped. Up to six
   * commands run at a time, more wait. Throws {@link LabTimeout} after
   * `timeoutMs`, having killed the command, and {@link LabError} when the guest
   * ends meanwhile.
   */
  async exec(
    command: string,
    options: ExecOptions = {},
  ): Promise<ExecResult> {
    if (this.record.kernel === "none") {
      throw new LabError(
        `guest "${this.name}" has no kernel to run a command; boot one with ` +
          "--kernel 6.1",
      );
    }
    return await this.channel.exec(command, options);
  }

  /**
   * Like {@link exec}, but returns the text, and throws if the command fails.
   */
  async sh(command: string, options: ExecOptions = {}): Promise<string> {
    const { status, text } = await this.exec(command, options);
    if (status === 0) return text;
    throw new LabError(
      `a command in guest "${this.name}" ended with status ${status}: ` +
        `${command}\n${text}`.trimEnd(),
    );
  }

  /**
   * Copies a host file (given by its path) or bytes to a path in the guest,
   * whose folder is made if necessary. `mode` holds the permissions; default:
   * the file's own, or 0o644 for bytes.
   */
  async put(
    source: string | Uint8Array,
    destination: string,
    mode?: number,
  ): Promise<void> {
    const { bytes: input, mode: own } = typeof source === "string"
      ? hostFile(source)
      : { bytes: source, mode: 0o644 };
    const octal = ((mode ?? own) & 0o7777).toString(8);
    const to = quote(destination);
    await this.sh(
      `mkdir -p "$(dirname ${to})" && mv "$LAB_INPUT" ${to} && ` +
        `chmod ${octal} ${to}`,
      { input },
    );
  }

  /** Reads a file in the guest, also one of tracefs or /proc. */
  async get(path: string): Promise<Uint8Array> {
    const { status, output, text } = await this.exec(`cat ${quote(path)}`);
    if (status === 0) return output;
    throw new LabError(
      `guest "${this.name}" gave no ${path}: ${text.trim()}`,
    );
  }

  /**
   * Everything that the guest has printed on its console, even after its end.
   */
  serialLog(): string {
    return wholeText(this.log);
  }

  /**
   * What QEMU itself has said, even after its end: why it ended, if it was not
   * the guest that ended.
   */
  lastWords(): string {
    return this.isDown ? "" : wholeText(this.words).trim();
  }

  /** The socket of QEMU's monitor, which serves one client at a time. */
  get monitorSocket(): string {
    return `${this.directory}/qmp.sock`;
  }

  /** Sends a command to QEMU's machine protocol, such as "stop". */
  qmp(
    command: string,
    args: { readonly [key: string]: Json } = {},
  ): Promise<Json> {
    return qmp(this.monitorSocket, command, args);
  }

  /**
   * Plugs a memory module in: its memory lies in a file of its own. The guest
   * takes it into use when its blocks are set online. Needs `maxMem`.
   *
   * @param id QEMU's names are this, for the device, and `mem-` and this
   * @param mib a multiple of 128
   * @returns the path of the file
   */
  async plugMemory(id: string, mib: number): Promise<string> {
    const { memoryFile } = this.record;
    if (memoryFile === undefined) {
      throw new LabError(`guest "${this.name}" shares no memory`);
    }
    const path = `${memoryFile}.${id}`;
    await this.qmp("object-add", {
      "qom-type": "memory-backend-file",
      id: `mem-${id}`,
      size: mib * 2 ** 20,
      "mem-path": path,
      share: true,
    });
    await this.qmp("device_add", {
      driver: "pc-dimm",
      id,
      memdev: `mem-${id}`,
    });
    return path;
  }

  /**
   * Asks the guest to give a memory module back, and removes its file once it
   * has. Its blocks must be offline, or such that they can be.
   */
  async unplugMemory(id: string): Promise<void> {
    await this.qmp("device_del", { id });
    await this.until(`it gives the memory ${id} back`, async () => {
      try {
        await this.qmp("object-del", { id: `mem-${id}` });
        return true;
      } catch (error) {
        // It is still used by the device.
        if (!(error instanceof LabError)) throw error;
        return false;
      }
    });
    Deno.removeSync(`${this.record.memoryFile}.${id}`);
  }

  /**
   * Plugs a processor in, which the guest then sets online. Needs `maxCpus`.
   */
  async plugCpu(id: string): Promise<void> {
    const slots = await this.qmp("query-hotpluggable-cpus") as readonly {
      readonly type: string;
      readonly props: { readonly [key: string]: Json };
      readonly "qom-path"?: string;
    }[];
    // The first processor is the last of the list.
    const free = slots.findLast((slot) => slot["qom-path"] === undefined);
    if (free === undefined) {
      throw new LabError(`guest "${this.name}" has all its processors`);
    }
    await this.qmp("device_add", { driver: free.type, id, ...free.props });
  }

  /**
   * Moves the guest to another QEMU on this host, with its own memory file. This
   * one stays, with the guest's memory as it was, and runs it no more.
   *
   * @returns the guest in the other QEMU; disposing it ends that one
   */
  async migrate(options: { readonly name?: string } = {}): Promise<Guest> {
    if (this.settings === undefined) {
      throw new LabError(
        `guest "${this.name}" can be moved by the process that booted it alone`,
      );
    }
    const name = options.name ?? uniqueName();
    const record = await startGuest({
      ...this.settings,
      name,
      incoming: `${guestDirectory(name)}/incoming.sock`,
    }, () => {});
    const moved = new Guest(record, true, this.settings);
    try {
      const uri = `unix:${guestDirectory(name)}/incoming.sock`;
      await this.qmp("migrate", { uri });
      await this.until("it is moved", async () => {
        const { status, "error-desc": why } = await this.qmp(
          "query-migrate",
        ) as { readonly [key: string]: string };
        if (status === "failed") {
          throw new LabError(`guest "${this.name}" cannot be moved: ${why}`);
        }
        return status === "completed";
      });
      await moved.until("it runs", async () => {
        const { running } = await moved.qmp("query-status") as {
          readonly [key: string]: Json;
        };
        return running === true;
      });
      markReady(moved.directory);
      return moved;
    } catch (error) {
      await moved.down();
      throw error;
    }
  }

  /** Waits until something has happened, for two minutes at most. */
  private async until(
    what: string,
    done: () => Promise<boolean>,
  ): Promise<void> {
    const end = performance.now() + 120_000;
    while (!await done()) {
      if (!this.running) throw new LabError(`guest "${this.name}" has ended`);
      if (performance.now() > end) {
        throw new LabError(
          `guest "${this.name}": in vain waited until ${what}`,
        );
      }
      await sleep(50);
    }
  }

  /** Ends the guest at once and removes its files. Idempotent. */
  async down(): Promise<void> {
    if (this.isDown) return;
    this.isDown = true;
    this.log.close();
    this.words.close();
    await end(this.name);
  }

  /** Disconnects from an attached guest; ends one that was booted here. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.owned) return await this.down();
    if (this.isDown) return;
    this.isDown = true;
    this.log.close();
    this.words.close();
  }
}

/** All of an open file, which may grow. */
function wholeText(file: Deno.FsFile): string {
  file.seekSync(0, Deno.SeekMode.Start);
  const bytes = new Uint8Array(file.statSync().size);
  let at = 0;
  while (at < bytes.length) {
    const count = file.readSync(bytes.subarray(at));
    if (count === null) break;
    at += count;
  }
  return new TextDecoder().decode(bytes.subarray(0, at));
}

/** A file to copy into a guest. */
function hostFile(path: string): { bytes: Uint8Array; mode: number } {
  try {
    const mode = Deno.statSync(path).mode ?? 0o644;
    return { bytes: Deno.readFileSync(path), mode };
  } catch (error) {
    throw new LabError(
      `${path} cannot be read (${messageOf(error)}); give a plain file`,
    );
  }
}

/** Quotes a text for the shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
