/**
 * Finds the kernel headers for building a guest's module on this machine, and
 * names the package that contains them.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { XftraceError } from "../base/errors.ts";

/** The kernel whose headers are wanted. */
export interface KernelName {
  /** As printed by `uname -r`. */
  readonly release: string;
  /** The guest's `linux_banner`, if the guest can be read. */
  readonly banner?: string;
}

/** Folders on this machine in which the headers of a release may be. */
export function headerFolders(
  release: string,
  environment: (name: string) => string | undefined = (name) =>
    Deno.env.get(name),
): string[] {
  const home = environment("HOME");
  const cache = environment("XDG_CACHE_HOME") ||
    (home === undefined ? undefined : join(home, ".cache"));
  return [
    `/lib/modules/${release}/build`,
    `/usr/src/linux-headers-${release}`,
    // Fedora and Red Hat.
    `/usr/src/kernels/${release}`,
    // Headers fetched by the lab.
    ...(cache === undefined ? [] : [
      `${cache}/xftrace/lab/headers/${release}/usr/src/linux-headers-${release}`,
    ]),
  ];
}

/**
 * Finds the folder with a release's headers.
 *
 * @throws {XftraceError} when there is none; the message names the package that
 * has them.
 *
 * @example
 * ```ts ignore
 * import { findHeaders } from "xftrace/install";
 *
 * console.log(findHeaders({ release: "6.1.0-56-amd64" }));
 * ```
 */
export function findHeaders(
  kernel: KernelName,
  folders: readonly string[] = headerFolders(kernel.release),
): string {
  const found = folders.find((folder) => existsSync(join(folder, "Makefile")));
  if (found !== undefined) return found;
  throw new XftraceError(
    `there are no headers of the kernel ${kernel.release} here (looked at ${
      folders.join(", ")
    }); ${headersAdvice(kernel)}, or name their folder with --headers DIR`,
  );
}

/**
 * The release of the kernel to which headers belong, which is also written into
 * modules built against them; undefined when the headers do not state it.
 * (Debian's include/config/kernel.release contains the upstream version
 * instead.)
 */
export function releaseOfHeaders(folder: string): string | undefined {
  try {
    const text = readFileSync(
      join(folder, "include/generated/utsrelease.h"),
      "utf8",
    );
    return /UTS_RELEASE "([^"]+)"/.exec(text)?.[1];
  } catch {
    return undefined;
  }
}

/**
 * Fails when the headers do not belong to the guest's kernel.
 *
 * @throws {XftraceError}
 *
 * @example
 * ```ts ignore
 * import { findHeaders, requireHeadersOf } from "xftrace/install";
 *
 * const kernel = { release: "6.1.0-56-amd64" };
 * requireHeadersOf(findHeaders(kernel), kernel);
 * ```
 */
export function requireHeadersOf(folder: string, kernel: KernelName): void {
  const release = releaseOfHeaders(folder);
  if (release === undefined || release === kernel.release) return;
  throw new XftraceError(
    `${folder} contains the headers of the kernel ${release}, not those of ${kernel.release}; ${
      headersAdvice(kernel)
    }`,
  );
}

/**
 * A kind of distribution: how to recognize its kernels, and which package has
 * their headers.
 */
interface Distribution {
  readonly release: RegExp;
  /** Pattern that the banner must match, if given. */
  readonly banner?: RegExp;
  /** Name of the package, from the match of the release. */
  readonly headers: (match: RegExpExecArray) => string;
  readonly install: string;
}

const APT = "sudo apt-get install";
const DNF = "sudo dnf install";

/** The first match is used. */
const DISTRIBUTIONS: readonly Distribution[] = [
  {
    // Proxmox: 6.8.12-4-pve.
    release: /^\d\S*-pve$/,
    headers: ([release]) => `proxmox-headers-${release}`,
    install: APT,
  },
  {
    // Debian: 6.1.0-57-amd64, 6.12.95+deb12-cloud-amd64.
    release: /^\d\S*-(?:amd64|arm64|686(?:-pae)?)$/,
    headers: ([release]) => `linux-headers-${release}`,
    install: APT,
  },
  {
    // Oracle: 5.15.0-200.131.27.el9uek.x86_64.
    release: /^\d\S*\.el\duek\.\w+$/,
    headers: ([release]) => `kernel-uek-devel-${release}`,
    install: DNF,
  },
  {
    // Fedora: 6.11.4-301.fc41.x86_64; Red Hat: 5.14.0-427.13.1.el9_4.x86_64;
    // Amazon: 6.1.112-124.190.amzn2023.x86_64.
    release: /^\d\S*\.(?:fc\d+|el\d\w*|amzn\d+)\.\w+$/,
    headers: ([release]) => `kernel-devel-${release}`,
    install: DNF,
  },
  {
    // Red Hat: 5.14.0-427.el9.x86_64+rt.
    release: /^(\d\S*\.(?:fc\d+|el\d\w*)\.\w+)\+(\w+)$/,
    headers: ([, release, kind]) => `kernel-${kind}-devel-${release}`,
    install: DNF,
  },
  {
    // openSUSE: 6.4.0-150600.23.25-default.
    release: /^\d\S*-[\d.]+-(default|azure|preempt)$/,
    headers: ([, kind]) => `kernel-${kind}-devel`,
    install: "sudo zypper install",
  },
  {
    // Alpine: 6.6.58-0-lts, 6.6.58-0-virt.
    release: /^\d\S*-\d+-(lts|virt)$/,
    banner: /Alpine/,
    headers: ([, kind]) => `linux-${kind}-dev`,
    install: "sudo apk add",
  },
  {
    // Arch: 6.11.5-arch1-1.
    release: /^\d\S*-arch\d+-\d+$/,
    headers: () => "linux-headers",
    install: "sudo pacman -S",
  },
  {
    // Arch: 6.6.58-1-lts, 6.11.5-zen1-1-zen, 6.10.14-hardened1-1-hardened.
    release: /^\d\S*-\d+-(lts|zen|hardened)$/,
    headers: ([, kind]) => `linux-${kind}-headers`,
    install: "sudo pacman -S",
  },
  {
    // Ubuntu: 6.8.0-45-generic, 6.8.0-1015-aws.
    release: /^\d+\.\d+\.0-\d+-[a-z][\w-]*$/,
    headers: ([release]) => `linux-headers-${release}`,
    install: APT,
  },
];

/** Says which package has a kernel's headers, and how to install it. */
export function headersAdvice({ release, banner }: KernelName): string {
  for (const each of DISTRIBUTIONS) {
    const match = each.release.exec(release);
    if (match === null) continue;
    if (each.banner !== undefined && !each.banner.test(banner ?? "")) continue;
    const name = each.headers(match);
    return `the package ${name} has them (${each.install} ${name})`;
  }
  return `${release} is not the kernel of a known distribution: its headers are in the folder in which it was built, after make modules_prepare`;
}
