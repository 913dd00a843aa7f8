/**
 * The options of a guest, with their defaults: those of `deno task lab up` and
 * of `Guest.boot`.
 *
 * @module
 */

import { LabError } from "./errors.ts";
import { type Flavour, FLAVOURS } from "../packages/kernel.ts";

/** The types of machines. */
export const MACHINES = ["q35", "pc", "microvm"] as const;

/**
 * The machine that QEMU emulates: a current PC, an older one, or a minimal one.
 */
export type Machine = typeof MACHINES[number];

/** Options of a guest; all have a default. */
export interface GuestOptions {
  /** Letters, digits, "-", "_" and "."; default: a unique name. */
  readonly name?: string;
  /**
   * A series ("6.1", "6.12"), "sid" for the newest one, the path of a vmlinuz, or "none" for a machine
   * that stays in its firmware. Default "6.1".
   */
  readonly kernel?: string;
  /** Which build of Debian's kernel. Default "amd64". */
  readonly flavour?: Flavour;
  /** Memory, such as "512M" (the default) or "4G". */
  readonly mem?: string;
  /**
   * The most memory that it may have, so that memory can be plugged in while it
   * runs ({@link Guest.plugMemory}). Default: as much as it boots with.
   */
  readonly maxMem?: string;
  /** Processors. Default 2. */
  readonly cpus?: number;
  /**
   * The most processors that it may have, so that some can be plugged in while
   * it runs ({@link Guest.plugCpu}). Default: as many as it boots with.
   */
  readonly maxCpus?: number;
  /** Additional kernel parameters. */
  readonly append?: string;
  /**
   * Whether its memory is a file that other processes can map. Default true.
   */
  readonly share?: boolean;
  /** QEMU's processor model. Default "max" less CMPXCHG16B, and "host" under KVM. */
  readonly cpu?: string;
  /** Default "q35". */
  readonly machine?: Machine;
  /**
   * Additional modules for the guest's modprobe; modules that they need are
   * added.
   */
  readonly modules?: readonly string[];
  /**
   * Whether QEMU's guest agent runs in the guest, with a port whose socket is
   * `qga.sock` in the guest's folder. Default false.
   */
  readonly agent?: boolean;
  /**
   * Whether the guest may restart within its QEMU. Default false: QEMU ends when
   * the guest reboots.
   */
  readonly reboots?: boolean;
  /** Additional arguments for QEMU. */
  readonly qemuArgs?: readonly string[];
  /** How many seconds the guest has to come up. Default 300. */
  readonly bootSeconds?: number;
  /**
   * Seconds after which the guest is ended in any case. Default 3600, maximum
   * 7200.
   */
  readonly lifeSeconds?: number;
  /**
   * Whether the guest outlives this process. Default false: it ends some
   * seconds after the process that booted it, however that ends.
   */
  readonly outlive?: boolean;
}

/** {@link GuestOptions}, checked and with defaults filled in. */
export interface GuestSettings {
  readonly name: string;
  readonly kernel: string;
  readonly flavour: Flavour;
  /** MiB. */
  readonly mem: number;
  /** MiB. */
  readonly maxMem: number;
  readonly cpus: number;
  readonly maxCpus: number;
  readonly append: string;
  readonly share: boolean;
  readonly cpu?: string;
  readonly machine: Machine;
  readonly modules: readonly string[];
  readonly agent: boolean;
  readonly reboots: boolean;
  readonly qemuArgs: readonly string[];
  readonly bootSeconds: number;
  readonly lifeSeconds: number;
  readonly outlive: boolean;
  /**
   * Where the guest comes from, instead of being booted: a socket at which its
   * QEMU waits for another one's.
   */
  readonly incoming?: string;
}

/** The least memory (MiB) with which the lab's guests boot. */
const LEAST_MEMORY = 128;
/** How long a guest lives, and how long it may be asked to, seconds. */
const USUAL_LIFE = 3600;
const LONGEST_LIFE = 7200;

/** Checks options and fills in the defaults; throws {@link LabError}. */
export function settle(options: GuestOptions): GuestSettings {
  const mem = parseMemory(options.mem ?? "512M");
  const settings = {
    name: options.name ?? uniqueName(),
    kernel: options.kernel ?? "6.1",
    flavour: options.flavour ?? "amd64",
    mem,
    maxMem: options.maxMem === undefined ? mem : parseMemory(options.maxMem),
    cpus: options.cpus ?? 2,
    maxCpus: options.maxCpus ?? options.cpus ?? 2,
    append: options.append ?? "",
    share: options.share ?? true,
    cpu: options.cpu,
    machine: options.machine ?? "q35",
    modules: options.modules ?? [],
    agent: options.agent ?? false,
    reboots: options.reboots ?? false,
    qemuArgs: options.qemuArgs ?? [],
    bootSeconds: options.bootSeconds ?? 300,
    lifeSeconds: options.lifeSeconds ?? USUAL_LIFE,
    outlive: options.outlive ?? false,
  };
  checkName(settings.name);
  const { cpus } = settings;
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > 64) {
    throw new LabError(
      "the number of processors must be from 1 to 64, as in --cpus 2",
    );
  }
  if (settings.maxCpus < cpus || settings.maxMem < mem) {
    throw new LabError(
      "a guest boots with no more processors and memory than it may have at most",
    );
  }
  oneOf("machine", settings.machine, MACHINES);
  oneOf("flavour", settings.flavour, FLAVOURS);
  if (settings.cpu !== undefined && !/^[\w.+,=-]+$/.test(settings.cpu)) {
    throw new LabError(
      `"${settings.cpu}" is no processor model; see: qemu-system-x86_64 ` +
        "-cpu help",
    );
  }
  if (settings.append.includes("\n")) {
    throw new LabError("kernel parameters must stand on one line");
  }
  const { lifeSeconds } = settings;
  if (!(lifeSeconds > 0 && lifeSeconds <= LONGEST_LIFE)) {
    throw new LabError(`a guest lives from 1 to ${LONGEST_LIFE} seconds`);
  }
  return settings;
}

/** Throws {@link LabError} unless this is a valid name of a guest. */
export function checkName(name: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$/.test(name)) return;
  throw new LabError(
    `"${name}" cannot be a guest's name; use up to 40 letters, digits, "-", ` +
      '"_" and ".", beginning with a letter or digit, such as web1',
  );
}

/** Parses "512M", "4G" or "1024" (MiB) to MiB; throws {@link LabError}. */
export function parseMemory(text: string): number {
  const match = text.match(/^(\d+)([MG]?)(i?B)?$/i);
  const mib = match
    ? Number(match[1]) * (match[2].toUpperCase() === "G" ? 1024 : 1)
    : 0;
  if (mib >= LEAST_MEMORY) return mib;
  throw new LabError(
    `"${text}" cannot be a guest's memory; give ${LEAST_MEMORY}M or more, ` +
      "such as 512M or 4G",
  );
}

function oneOf(
  what: string,
  value: string,
  allowed: readonly string[],
): void {
  if (allowed.includes(value)) return;
  throw new LabError(
    `there is no ${what} "${value}"; take one of: ${allowed.join(", ")}`,
  );
}

/** A name that no other guest has. */
export function uniqueName(): string {
  return `t${Deno.pid}-${crypto.randomUUID().slice(0, 8)}`;
}
