/**
 * What a QEMU command line says about the machine and its memory. Pure.
 *
 * @module
 */

import { shownText } from "../base/shown.ts";
import { boardOf, LayoutError, layoutRam } from "./ram_layout.ts";
import type { Board, DimmPlace, RamLayout } from "./ram_layout.ts";
import {
  isOn,
  parseKeyValues,
  parseSize,
  splitOptions,
} from "./ram_layout_options.ts";

/** What QEMU assumes where its command line says nothing. */
export interface QemuDefaults {
  /** Machine type. */
  readonly machine: string;
  /** Id of the anonymous RAM that the machine creates itself. */
  readonly ramBlock: string;
}

/** A memory backend of QEMU. */
export interface QemuBackend {
  /** Object id, or {@linkcode QemuDefaults.ramBlock}. */
  readonly id: string;
  /** `file`, `memfd`, `ram`: from memory-backend-KIND. */
  readonly kind: string;
  /** Size in bytes. */
  readonly size: number;
  /** mem-path of a file backend. */
  readonly path?: string;
  /** Whether writes reach the file or memfd (share=on). */
  readonly share: boolean;
  /** Offset in the file at which the memory starts, in bytes. */
  readonly offset: number;
  /** Whether a memfd uses huge pages. */
  readonly hugetlb: boolean;
  /** Size of the huge pages in bytes, when given. */
  readonly hugePageSize?: number;
}

/** A memory device on the command line. */
export interface QemuMemoryDevice {
  /** `pc-dimm`, `nvdimm`, `virtio-mem-pci`, `virtio-pmem-pci`. */
  readonly driver: string;
  /** Index into {@linkcode QemuMachine.backends}. */
  readonly backing: number;
  /** GPA, when given. */
  readonly address?: number;
}

/** Where the host end of the guest agent's port is. */
export interface AgentPort {
  /** The character device's kind: `socket`, `pty`, `pipe`. */
  readonly kind: string;
  /** Path of its Unix socket, if it has one with a name. */
  readonly socket?: string;
}

/** Name of the port that QEMU's guest agent listens on. */
export const AGENT_PORT = "org.qemu.guest_agent.0";

/** What a command line says about its machine. */
export interface QemuMachine {
  /** -name, without `guest=`. */
  readonly name?: string;
  readonly uuid?: string;
  /** Machine type as given, or {@linkcode QemuDefaults.machine}. */
  readonly type: string;
  /** Accelerators asked for: `kvm`, `tcg`, `kvm:tcg`. */
  readonly accel: string;
  /** RAM at boot, in bytes. */
  readonly ramSize: number;
  /** maxmem, in bytes. */
  readonly maxRamSize?: number;
  /** max-ram-below-4g, in bytes. */
  readonly maxBelow4g?: number;
  /** All backends, in the order of their creation. */
  readonly backends: readonly QemuBackend[];
  /** Indexes of the backends that make up RAM at boot, in GPA order. */
  readonly ram: readonly number[];
  readonly devices: readonly QemuMemoryDevice[];
  /** Path of a QMP socket, when one is on the command line. */
  readonly qmpSocket?: string;
  /** The paths of all QMP sockets on the command line. */
  readonly monitors: readonly string[];
  /** The guest agent's port, if the machine has one. */
  readonly agent?: AgentPort;
  /** What encrypts the memory (`sev-guest`, `tdx-guest`), if anything does. */
  readonly confidential?: string;
  /** Whether libvirt started it. */
  readonly libvirt: boolean;
}

const MIB = 2 ** 20;
/** The most characters of a command line's word in a message. */
const MOST_SHOWN = 60;
/**
 * The most memory backends and devices that are understood. QEMU itself takes
 * 128 NUMA nodes (MAX_NODES) and 256 DIMM slots (ACPI_MAX_RAM_SLOTS).
 */
const MOST_BACKENDS = 512;
const CONFIDENTIAL = /^(sev|sev-snp|tdx|s390-pv|igvm-cfg)-guest$/;
const MEMORY_DEVICE = /^(pc-dimm|nvdimm|virtio-(mem|pmem)(-pci)?)$/;

/**
 * Reads QEMU's arguments (without the binary's own name).
 *
 * @throws {LayoutError} when the description of RAM is not understood.
 */
export function parseQemuMachine(
  args: readonly string[],
  defaults: QemuDefaults,
): QemuMachine {
  const machine = new Map<string, string>();
  const memory = new Map<string, string>();
  const chardevs = new Map<string, AgentPort>();
  const nodes = new Map<number, string>();
  const backends: QemuBackend[] = [];
  const deviceOptions: Map<string, string>[] = [];
  let accel: string | undefined;
  let name: string | undefined;
  let uuid: string | undefined;
  const monitors: string[] = [];
  const monitorChardevs: string[] = [];
  let agentChardev: string | undefined;
  let confidential: string | undefined;
  let memPath: string | undefined;
  let libvirt = false;

  for (const option of splitOptions(args)) {
    const { value } = option;
    switch (option.name) {
      case "M":
      case "machine":
        merge(machine, parseKeyValues(value, "type"));
        break;
      case "m":
      case "memory":
        merge(memory, parseKeyValues(value, "size"));
        break;
      case "accel": {
        const kind = parseKeyValues(value, "accel").get("accel");
        accel = accel === undefined ? kind : `${accel}:${kind}`;
        break;
      }
      case "enable-kvm":
        accel = "kvm";
        break;
      case "name":
        name = parseKeyValues(value, "guest").get("guest") ?? name;
        break;
      case "uuid":
        uuid = value;
        break;
      case "mem-path":
        memPath = value;
        break;
      case "object": {
        const pairs = parseKeyValues(value, "qom-type");
        const type = pairs.get("qom-type") ?? "";
        if (CONFIDENTIAL.test(type)) confidential = type;
        libvirt ||= type === "secret" && pairs.get("id") === "masterKey0";
        const backend = backendOf(type, pairs);
        if (backend !== undefined) backends.push(backend);
        break;
      }
      case "numa": {
        const pairs = parseKeyValues(value, "type");
        if (pairs.get("type") !== "node") break;
        const node = Number(pairs.get("nodeid") ?? nodes.size);
        nodes.set(node, pairs.get("memdev") ?? "");
        break;
      }
      case "device": {
        const pairs = parseKeyValues(value, "driver");
        if (MEMORY_DEVICE.test(pairs.get("driver") ?? "")) {
          deviceOptions.push(pairs);
        }
        if (pairs.get("name") === AGENT_PORT) {
          agentChardev = pairs.get("chardev");
        }
        break;
      }
      case "chardev": {
        const pairs = parseKeyValues(value, "backend");
        const kind = pairs.get("backend") ?? "";
        const named = kind === "socket" && !isOn(pairs.get("abstract"));
        const socket = named ? pairs.get("path") : undefined;
        chardevs.set(pairs.get("id") ?? "", { kind, socket });
        break;
      }
      case "qmp":
      case "qmp-pretty": {
        if (!value.startsWith("unix:")) break;
        const pairs = parseKeyValues(value.slice("unix:".length), "path");
        const path = isOn(pairs.get("abstract"))
          ? undefined
          : pairs.get("path");
        if (path !== undefined) monitors.push(path);
        break;
      }
      case "mon": {
        const pairs = parseKeyValues(value, "chardev");
        if (pairs.get("mode") === "control") {
          monitorChardevs.push(pairs.get("chardev") ?? "");
        }
        break;
      }
    }
  }

  if (
    Math.max(backends.length, deviceOptions.length, nodes.size) > MOST_BACKENDS
  ) {
    throw new LayoutError(
      `the RAM layout cannot be told: it has more than ${MOST_BACKENDS} memory backends`,
    );
  }
  // The option -mon may come before its -chardev.
  for (const id of monitorChardevs) {
    const socket = chardevs.get(id)?.socket;
    if (socket !== undefined) monitors.push(socket);
  }

  const indexOf = (id: string): number => {
    const index = backends.findIndex((backend) => backend.id === id);
    if (index < 0) {
      throw new LayoutError(
        `the RAM layout cannot be told: the command line names the memory ` +
          `backend ${shownText(id, MOST_SHOWN)}, but has no such object`,
      );
    }
    return index;
  };
  const single = machine.get("memory-backend");
  const stated = parseSize(memory.get("size"), MIB);
  if (memory.has("size") && stated === undefined) {
    throw new LayoutError(
      `the RAM size cannot be told from "-m ${
        shownText(memory.get("size") ?? "", MOST_SHOWN)
      }"`,
    );
  }
  const ramSize = alignUp(
    stated ??
      (single === undefined ? 128 * MIB : backends[indexOf(single)].size),
    8192,
  );
  const memdevs = [...nodes].sort(([a], [b]) => a - b)
    .map(([, memdev]) => memdev).filter((memdev) => memdev !== "");
  let ram: number[];
  if (single !== undefined) ram = [indexOf(single)];
  else if (memdevs.length > 0) ram = memdevs.map(indexOf);
  else {
    backends.push({
      id: defaults.ramBlock,
      kind: memPath === undefined ? "ram" : "file",
      path: memPath,
      size: ramSize,
      share: false,
      offset: 0,
      hugetlb: false,
    });
    ram = [backends.length - 1];
  }
  confidential ??= machine.get("confidential-guest-support") ??
    machine.get("memory-encryption");
  return {
    name,
    uuid,
    type: machine.get("type") ?? defaults.machine,
    accel: accel ?? machine.get("accel") ?? "tcg",
    ramSize,
    maxRamSize: parseSize(memory.get("maxmem"), 1),
    maxBelow4g: parseSize(machine.get("max-ram-below-4g"), 1),
    backends,
    ram,
    devices: deviceOptions.map((pairs) => ({
      driver: pairs.get("driver") ?? "",
      backing: indexOf(pairs.get("memdev") ?? ""),
      address: parseSize(pairs.get("addr") ?? pairs.get("memaddr"), 1),
    })).map((device) => ({
      ...device,
      // The property's default 0 means that QEMU chooses.
      address: device.address === 0 ? undefined : device.address,
    })),
    qmpSocket: monitors[0],
    monitors,
    agent: agentChardev === undefined
      ? undefined
      : chardevs.get(agentChardev) ?? { kind: "unknown" },
    confidential,
    libvirt,
  };
}

/**
 * The layout of a machine's RAM, including DIMMs. Memory devices that are not
 * plain RAM (nvdimm, virtio-pmem) hold no kernel data and are left out.
 *
 * @throws {LayoutError} when the machine type is unknown or the place of the
 * RAM is not certain.
 */
export function qemuLayout(
  machine: QemuMachine,
  boards: readonly Board[],
): RamLayout {
  const board = boardOf(machine.type, boards);
  if (board === undefined) {
    throw new LayoutError(
      `the RAM layout of the machine type ${
        shownText(machine.type, MOST_SHOWN)
      } is not known; ` +
        `${boards.flatMap(({ label }) => label ?? []).join(", ")} are`,
    );
  }
  const dimms: DimmPlace[] = [];
  const unplaced = unplacedBackings(machine);
  for (const device of machine.devices) {
    if (unplaced.includes(device.backing)) continue;
    const backend = machine.backends[device.backing];
    dimms.push({
      backing: device.backing,
      size: backend.size,
      offset: backend.offset,
      address: device.address,
      alignment: backend.hugePageSize,
    });
  }
  const layout = layoutRam({
    board,
    size: machine.ramSize,
    maxBelow4g: machine.maxBelow4g,
    maxSize: machine.maxRamSize,
    backings: machine.ram.map((backing) => ({
      backing,
      size: machine.backends[backing].size,
      offset: machine.backends[backing].offset,
    })),
    dimms,
  });
  const storage = new Set(
    machine.devices.filter(({ driver }) => /nvdimm|pmem/.test(driver))
      .map(({ backing }) => backing),
  );
  return {
    source: layout.source,
    regions: layout.regions.filter(({ backing }) => !storage.has(backing)),
  };
}

/**
 * Backings, as indexes, whose place the command line does not give: those of
 * virtio-mem devices without memaddr. The guest's resource tree has them.
 */
export function unplacedBackings({ devices }: QemuMachine): number[] {
  return devices.filter(({ driver, address }) =>
    driver.startsWith("virtio-mem") && address === undefined
  ).map(({ backing }) => backing);
}

function backendOf(
  type: string,
  pairs: Map<string, string>,
): QemuBackend | undefined {
  const kind = /^memory-backend-(\w+)$/.exec(type)?.[1];
  if (kind === undefined || kind === "epc") return undefined;
  const size = parseSize(pairs.get("size"), 1);
  const id = pairs.get("id");
  if (size === undefined || id === undefined) return undefined;
  return {
    id,
    kind,
    size,
    path: pairs.get("mem-path"),
    // backends/hostmem-memfd.c: memfd and shm backends share by default.
    share: pairs.has("share")
      ? isOn(pairs.get("share"))
      : kind === "memfd" || kind === "shm",
    offset: parseSize(pairs.get("offset"), 1) ?? 0,
    hugetlb: isOn(pairs.get("hugetlb")),
    hugePageSize: parseSize(pairs.get("hugetlbsize"), 1),
  };
}

function merge(into: Map<string, string>, from: Map<string, string>): void {
  for (const [key, value] of from) into.set(key, value);
}

function alignUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
