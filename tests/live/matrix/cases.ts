/**
 * The guests of the matrix. Each is booted once, and read in one or more ways.
 *
 * @module
 */
import type { GuestOptions } from "../../../lab/mod.ts";

/** A way to read a guest. */
export type View =
  /** By its name: its memory is found through the process. */
  | "name"
  /** By its process. */
  | "pid"
  /** By its memory file's path. */
  | "file"
  /** By its name, read without mapping. */
  | "safe-read"
  /** By its name, after its memory file was unlinked. */
  | "deleted"
  /** A core that QEMU dumped through QMP. */
  | "qmp-core"
  /** A snapshot with the needed pages. */
  | "snapshot"
  /** The memory file that remains after the guest has powered off. */
  | "left-over";

/** How a guest's memory is provided. */
export type Backing =
  | "file"
  | "memfd"
  | "none"
  | "numa"
  /** A shared DIMM, plugged in while the guest runs. */
  | "plugged"
  /** Private memory, and a private DIMM. */
  | "private-dimm"
  /** The same with two DIMMs of one size, which only QEMU can tell apart. */
  | "alike-dimms"
  /** A memfd with huge pages. */
  | "huge-memfd"
  /** A file with huge pages, in a hugetlbfs at /dev/hugepages. */
  | "huge-file";

/** One guest. */
export interface MatrixCase {
  readonly kernel: "5.10" | "6.1" | "6.12" | "sid";
  readonly flavour: "amd64" | "cloud-amd64" | "rt-amd64";
  readonly machine: "q35" | "pc" | "microvm";
  readonly mem: "512M" | "4G";
  readonly cpus: 1 | 2 | 4;
  readonly paging: 4 | 5;
  readonly backing: Backing;
  readonly views: readonly View[];
  /** Whether it is part of every run, and not only of the full table. */
  readonly always?: boolean;
}

/** The table's cases. */
export const CASES: readonly MatrixCase[] = [
  {
    kernel: "6.1",
    flavour: "amd64",
    machine: "q35",
    mem: "512M",
    cpus: 4,
    paging: 5,
    backing: "file",
    views: [
      "name",
      "pid",
      "file",
      "safe-read",
      "snapshot",
      "qmp-core",
      "deleted",
      "left-over",
    ],
    always: true,
  },
  {
    kernel: "6.12",
    flavour: "amd64",
    machine: "q35",
    mem: "4G",
    cpus: 1,
    paging: 4,
    backing: "memfd",
    views: ["name", "pid", "snapshot"],
    always: true,
  },
  {
    kernel: "6.1",
    flavour: "cloud-amd64",
    machine: "pc",
    mem: "4G",
    cpus: 1,
    paging: 5,
    backing: "none",
    views: ["pid"],
    always: true,
  },
  {
    kernel: "6.12",
    flavour: "cloud-amd64",
    machine: "microvm",
    mem: "512M",
    cpus: 1,
    paging: 5,
    backing: "file",
    views: ["name", "file"],
  },
  {
    kernel: "6.12",
    flavour: "amd64",
    machine: "pc",
    mem: "4G",
    cpus: 4,
    paging: 4,
    backing: "numa",
    views: ["name", "safe-read"],
    always: true,
  },
  {
    kernel: "6.1",
    flavour: "amd64",
    machine: "microvm",
    mem: "4G",
    cpus: 1,
    paging: 4,
    backing: "file",
    views: ["name", "deleted", "left-over"],
  },
  {
    kernel: "6.12",
    flavour: "cloud-amd64",
    machine: "q35",
    mem: "512M",
    cpus: 4,
    paging: 5,
    backing: "none",
    views: ["name", "qmp-core", "snapshot"],
  },
  {
    kernel: "6.1",
    flavour: "cloud-amd64",
    machine: "q35",
    mem: "4G",
    cpus: 2,
    paging: 4,
    backing: "numa",
    views: ["name"],
  },
  {
    kernel: "6.1",
    flavour: "amd64",
    machine: "q35",
    mem: "512M",
    cpus: 1,
    paging: 5,
    backing: "plugged",
    views: ["name", "pid"],
  },
  {
    kernel: "6.12",
    flavour: "amd64",
    machine: "pc",
    mem: "512M",
    cpus: 2,
    paging: 5,
    backing: "file",
    views: ["name", "qmp-core", "left-over"],
  },
  {
    kernel: "6.12",
    flavour: "amd64",
    machine: "q35",
    mem: "512M",
    cpus: 1,
    paging: 5,
    backing: "private-dimm",
    views: ["name", "qmp-core"],
  },
  {
    kernel: "6.1",
    flavour: "amd64",
    machine: "pc",
    mem: "512M",
    cpus: 1,
    paging: 5,
    backing: "alike-dimms",
    views: ["name", "pid", "snapshot"],
  },
  {
    kernel: "6.12",
    flavour: "amd64",
    machine: "pc",
    mem: "512M",
    cpus: 1,
    paging: 4,
    backing: "alike-dimms",
    views: ["name"],
  },
  {
    kernel: "6.1",
    flavour: "amd64",
    machine: "q35",
    mem: "512M",
    cpus: 1,
    paging: 5,
    backing: "huge-memfd",
    views: ["name", "safe-read"],
  },
  {
    kernel: "6.12",
    flavour: "amd64",
    machine: "q35",
    mem: "512M",
    cpus: 1,
    paging: 5,
    backing: "huge-file",
    views: ["name", "safe-read"],
  },
  {
    kernel: "sid",
    flavour: "amd64",
    machine: "q35",
    mem: "512M",
    cpus: 2,
    paging: 5,
    backing: "file",
    views: ["name"],
    always: true,
  },
  {
    kernel: "sid",
    flavour: "amd64",
    machine: "q35",
    mem: "4G",
    cpus: 4,
    paging: 4,
    backing: "memfd",
    views: ["name", "pid", "safe-read", "snapshot", "qmp-core"],
  },
  {
    kernel: "sid",
    flavour: "cloud-amd64",
    machine: "pc",
    mem: "512M",
    cpus: 1,
    paging: 5,
    backing: "file",
    views: ["name", "file", "deleted", "left-over"],
  },
  {
    kernel: "5.10",
    flavour: "amd64",
    machine: "q35",
    mem: "512M",
    cpus: 2,
    paging: 4,
    backing: "file",
    views: ["name", "pid", "safe-read", "snapshot", "qmp-core", "left-over"],
  },
  {
    kernel: "5.10",
    flavour: "cloud-amd64",
    machine: "pc",
    mem: "4G",
    cpus: 4,
    paging: 5,
    backing: "memfd",
    views: ["name", "pid"],
  },
  {
    kernel: "6.1",
    flavour: "rt-amd64",
    machine: "q35",
    mem: "512M",
    cpus: 2,
    paging: 5,
    backing: "file",
    views: ["name", "snapshot", "qmp-core"],
  },
  {
    kernel: "6.12",
    flavour: "rt-amd64",
    machine: "pc",
    mem: "4G",
    cpus: 2,
    paging: 4,
    backing: "memfd",
    views: ["name", "snapshot"],
  },
  {
    kernel: "sid",
    flavour: "rt-amd64",
    machine: "q35",
    mem: "512M",
    cpus: 4,
    paging: 5,
    backing: "file",
    views: ["name", "snapshot"],
  },
];

/** The DIMMs to plug into a case's guest. */
export function dimmsOf(
  one: MatrixCase,
): { readonly type: string; readonly share: boolean; readonly mib: number }[] {
  switch (one.backing) {
    case "plugged":
      return [{ type: "memory-backend-memfd", share: true, mib: 256 }];
    case "private-dimm":
      return [{ type: "memory-backend-ram", share: false, mib: 256 }];
    case "alike-dimms":
      return Array.from({ length: 2 }, () => ({
        type: "memory-backend-ram",
        share: false,
        mib: 256,
      }));
    default:
      return [];
  }
}

/** The lab's options for a case. */
export function guestOptions(one: MatrixCase): GuestOptions {
  const qemuArgs: string[] = [];
  const mib = one.mem === "4G" ? 4096 : 512;
  if (one.backing === "memfd") {
    qemuArgs.push(
      ...["-object", `memory-backend-memfd,id=mem,size=${mib}M,share=on`],
      ...["-machine", "memory-backend=mem"],
    );
  }
  if (one.backing === "numa") {
    // Unequal halves, so that the second one is on both sides of the gap.
    const first = mib / 4;
    const last = one.cpus - 1;
    qemuArgs.push(
      ...["-object", `memory-backend-memfd,id=m0,size=${first}M,share=on`],
      ...[
        "-object",
        `memory-backend-memfd,id=m1,size=${mib - first}M,share=on`,
      ],
      ...["-numa", "node,nodeid=0,memdev=m0,cpus=0"],
      ...["-numa", `node,nodeid=1,memdev=m1,cpus=1-${last}`],
    );
  }
  if (one.backing === "plugged") {
    qemuArgs.push(
      ...["-object", `memory-backend-memfd,id=mem,size=${mib}M,share=on`],
      ...["-machine", "memory-backend=mem"],
    );
  }
  if (dimmsOf(one).length > 0) {
    qemuArgs.push("-m", `${mib}M,slots=2,maxmem=2G`);
  }
  if (one.backing === "huge-memfd" || one.backing === "huge-file") {
    const kind = one.backing === "huge-file"
      ? "file,mem-path=/dev/hugepages"
      : "memfd,hugetlb=on";
    qemuArgs.push(
      ...["-object", `memory-backend-${kind},id=mem,size=${mib}M,share=on`],
      ...["-machine", "memory-backend=mem"],
    );
  }
  return {
    kernel: one.kernel,
    flavour: one.flavour,
    machine: one.machine,
    mem: one.mem,
    cpus: one.cpus,
    share: one.backing === "file",
    // Without CMPXCHG16B, for the reason given in the lab's source.
    cpu: `max,cx16=off${one.paging === 4 ? ",la57=off" : ""}`,
    qemuArgs,
  };
}
