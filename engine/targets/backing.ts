/**
 * Finds a VM's memory backends among its process's mappings and open files.
 *
 * @module
 */

import { XftraceError } from "../base/errors.ts";
import { hex } from "../base/hex.ts";
import { shownText } from "../base/shown.ts";
import type { QemuBackend } from "../memory/ram_layout_qemu.ts";
import { fileFacts } from "./proc.ts";
import type { ProcFd, Vma } from "./proc.ts";
import type { BackingMapping, VmBacking } from "./vm.ts";

/** The memory mappings and open files of a process. */
export interface ProcessMemory {
  readonly vmas: readonly Vma[];
  readonly fds: readonly ProcFd[];
  /** Its working directory, for relative paths. */
  readonly cwd?: string;
  /** Path of /proc/PID/map_files, which has an entry for each mapped file. */
  readonly mapFiles?: string;
}

/** The most characters of a backend's id in a message. */
const MOST_SHOWN = 60;

/** A backend that matches no mapping of the process. */
export class NotMappedError extends XftraceError {
  constructor(message: string) {
    super(message);
    this.name = "NotMappedError";
  }
}

/** Mapped memory that may belong to a backend. */
interface Candidate {
  /** Identifies the bytes: equal for candidates that are the same memory. */
  readonly key: string;
  /** Path as in the maps file; empty when anonymous. */
  readonly path: string;
  /**
   * The mappings, which cover the backend's bytes exactly, ascending by offset.
   */
  readonly vmas: readonly Vma[];
}

/**
 * Maximum number of choices that are made on the way to assignments: a process
 * may have any number of mappings and options that nearly fit.
 */
const MOST_STEPS = 10_000;
/** Maximum number of runs of adjacent mappings that may be one backend. */
const MOST_RUNS = 64;
/** Maximum number of assignments of backends to mappings that are tried. */
const MOST_PLANS = 24;

/**
 * Every way to match the backends with the process's mappings; there is only
 * one unless several backends look alike. Each way lists one backing for each
 * backend.
 *
 * @throws {NotMappedError} when a backend matches nothing.
 */
export function matchBackings(
  backends: readonly QemuBackend[],
  memory: ProcessMemory,
): VmBacking[][] {
  const files = mappedFiles(memory.vmas);
  const choices = backends.map((backend) => {
    const fit = files.filter((vmas) => mayBe(backend, vmas[0], memory.cwd));
    // Nothing is where a backend of no size is, and everywhere.
    const exact = !(backend.size > 0)
      ? []
      : backend.kind === "ram" && !backend.share &&
          backend.path === undefined
      ? anonymousRuns(memory.vmas, backend.size)
      : fit.flatMap((vmas) => covering(vmas, backend.offset, backend.size));
    if (exact.length === 0) throw notMapped(backend, fit.length);
    return narrowed(backend, exact);
  });
  const ways: VmBacking[][] = [];
  const taken = new Set<string>();
  const chosen: VmBacking[] = [];
  let steps = 0;
  const choose = (index: number) => {
    if (ways.length >= MOST_PLANS || ++steps > MOST_STEPS) return;
    if (index === backends.length) {
      ways.push([...chosen]);
      return;
    }
    for (const candidate of choices[index]) {
      if (taken.has(candidate.key)) continue;
      taken.add(candidate.key);
      chosen.push(backingOf(backends[index], candidate, memory));
      choose(index + 1);
      chosen.pop();
      taken.delete(candidate.key);
    }
  };
  choose(0);
  if (ways.length === 0) throw notMapped(backends[0], 0);
  return ways;
}

/**
 * Files mapped by the process that look like RAM and belong to none of `used`:
 * memory plugged in after the start.
 */
export function pluggedBackings(
  memory: ProcessMemory,
  used: readonly VmBacking[],
): VmBacking[] {
  return otherFiles(
    memory,
    used,
    ({ path }) => isQemuMemory(path),
  );
}

/** Mapped files that belong to none of `used`, by what is said of them. */
function otherFiles(
  memory: ProcessMemory,
  used: readonly VmBacking[],
  isWanted: (first: Vma) => boolean,
): VmBacking[] {
  const taken = startsOf(used);
  return mappedFiles(memory.vmas).filter((vmas) =>
    isWanted(vmas[0]) && !vmas.some(({ start }) => taken.has(start))
  ).flatMap((vmas) => {
    const { path, offset } = vmas[0];
    const last = vmas[vmas.length - 1];
    const size = last.offset + last.end - last.start - offset;
    const backend = {
      ...unnamed(path.slice(path.lastIndexOf("/") + 1), size),
      kind: isMemfd(path) ? "memfd" : "file",
      offset,
    };
    return covering(vmas, offset, size)
      .map((candidate) => backingOf(backend, candidate, memory));
  });
}

/** QEMU maps RAM at multiples of this (QEMU_VMALLOC_ALIGN). */
const RAM_ALIGNMENT = 2 ** 21;

/**
 * Memory whose name does not say that it is RAM, but that may be a DIMM plugged
 * in later: anonymous memory, or a shared file of any name. Each is a separate
 * mapping that belongs to none of `used`, aligned as QEMU aligns RAM.
 */
export function spareBackings(
  memory: ProcessMemory,
  used: readonly VmBacking[],
): VmBacking[] {
  const taken = startsOf(used);
  const isAligned = ({ start, end }: Vma) =>
    start % RAM_ALIGNMENT === 0 && (end - start) % RAM_ALIGNMENT === 0;
  const anonymous = memory.vmas.filter((vma) =>
    isAnonymous(vma) && !taken.has(vma.start) && isAligned(vma)
  ).map((vma) => {
    const size = vma.end - vma.start;
    return backingOf(
      unnamed(`at ${hex(vma.start)}`, size),
      { key: `@${vma.start}`, path: "", vmas: [{ ...vma, offset: 0 }] },
      memory,
    );
  });
  const files = otherFiles(
    memory,
    used,
    (first) => isShared(first) && !isQemuMemory(first.path) && isAligned(first),
  );
  return [...anonymous, ...files];
}

/**
 * The backing whose first byte the process has at `hva`.
 *
 * @throws {NotMappedError} when no single mapping holds `size` bytes there.
 */
export function backingAt(
  memory: ProcessMemory,
  id: string,
  hva: number,
  size: number,
): VmBacking {
  const vmas: Vma[] = [];
  let at = hva;
  for (const vma of memory.vmas) {
    if (at >= hva + size || vma.start > at || vma.end <= at) continue;
    const from = at - vma.start;
    const [first] = vmas;
    const offset = vma.inode === 0 ? at - hva : vma.offset + from;
    if (
      first !== undefined &&
      (vma.identity !== first.identity ||
        offset - first.offset !== at - hva)
    ) break;
    vmas.push({ ...vma, start: at, offset });
    at = vma.end;
  }
  // Sums of numbers above 2^53 may be right without a single mapping.
  if (vmas.length === 0 || at < hva + size) {
    throw notMapped(unnamed(id, size), vmas.length);
  }
  const [{ path, inode }] = vmas;
  return backingOf(
    unnamed(id, size),
    { key: `@${hva}`, path: inode === 0 ? "" : path, vmas },
    memory,
  );
}

function startsOf(backings: readonly VmBacking[]): Set<number> {
  return new Set(
    backings.flatMap((backing) => backing.mappings.map(({ start }) => start)),
  );
}

/** A backend that is not on any command line. */
function unnamed(id: string, size: number): QemuBackend {
  return { id, kind: "ram", size, share: true, offset: 0, hugetlb: false };
}

/** Writable mappings by file, each group ascending by offset. */
function mappedFiles(vmas: readonly Vma[]): Vma[][] {
  const groups = new Map<string, Vma[]>();
  for (const vma of vmas) {
    if (vma.inode === 0 || !vma.permissions.startsWith("rw")) continue;
    const group = groups.get(vma.identity);
    if (group === undefined) groups.set(vma.identity, [vma]);
    else group.push(vma);
  }
  for (const group of groups.values()) {
    group.sort((a, b) => a.offset - b.offset);
  }
  return [...groups.values()];
}

/** The mappings of one file that cover exactly `size` bytes at `offset`. */
function covering(
  vmas: readonly Vma[],
  offset: number,
  size: number,
): Candidate[] {
  const chosen: Vma[] = [];
  let at = offset;
  for (const vma of vmas) {
    if (vma.offset !== at || at === offset + size) continue;
    chosen.push(vma);
    at += vma.end - vma.start;
  }
  if (chosen.length === 0 || at !== offset + size) return [];
  const { identity, path } = chosen[0];
  return [{ key: `${identity} ${offset}`, path, vmas: chosen }];
}

/**
 * Anonymous, private, writable memory of exactly `size` bytes: single mappings,
 * or else adjacent ones that add up to it (madvise on a part of RAM splits its
 * mapping). QEMU leaves a guard page after RAM, so other memory is never
 * adjacent to it.
 */
function anonymousRuns(vmas: readonly Vma[], size: number): Candidate[] {
  const plain = vmas.filter(isAnonymous);
  const single = plain.filter(({ start, end }) => end - start === size);
  if (single.length > 0) return single.map((vma) => runOf([vma]));
  const runs: Candidate[] = [];
  // A window over adjacent mappings: each of them enters and leaves it once.
  let first = 0;
  let total = 0;
  for (let i = 0; i < plain.length && runs.length < MOST_RUNS; i++) {
    const { start, end } = plain[i];
    if (i > 0 && start !== plain[i - 1].end) [first, total] = [i, 0];
    total += end - start;
    while (total > size) {
      total -= plain[first].end - plain[first].start;
      first++;
    }
    if (total === size) runs.push(runOf(plain.slice(first, i + 1)));
  }
  return runs;
}

function runOf(vmas: readonly Vma[]): Candidate {
  const [{ start }] = vmas;
  return {
    key: `@${start}`,
    path: "",
    vmas: vmas.map((vma) => ({ ...vma, offset: vma.start - start })),
  };
}

/** Whether a mapped file may belong to the backend, by its name. */
function mayBe(
  backend: QemuBackend,
  { path }: Vma,
  cwd: string | undefined,
): boolean {
  if (backend.path === undefined) {
    // memory-backend-ram,share=on is a memfd or unnamed shared memory.
    return isMemfd(path) || (backend.kind === "ram" && path === "/dev/zero");
  }
  const given = backend.path;
  const wanted = normal(
    given.startsWith("/") || cwd === undefined ? given : `${cwd}/${given}`,
  );
  // mem-path may be a folder: QEMU creates qemu_back_mem.NAME.XXXXXX in it
  // (system/physmem.c, file_ram_open).
  return path === wanted || path.startsWith(`${wanted}/qemu_back_mem.`) ||
    (!wanted.startsWith("/") && path.endsWith(`/${wanted}`));
}

/** Removes `.`, `..` and doubled slashes. */
function normal(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return (path.startsWith("/") ? "/" : "") + parts.join("/");
}

function isMemfd(path: string): boolean {
  return path.startsWith("/memfd:");
}

/** Whether a file's name shows that QEMU created it for RAM. */
function isQemuMemory(path: string): boolean {
  return path.startsWith("/memfd:memory-backend-") ||
    /\/qemu_back_mem\.[^/]*$/.test(path);
}

function isAnonymous(vma: Vma): boolean {
  return vma.inode === 0 && vma.permissions === "rw-p" &&
    (vma.path === "" || vma.path.startsWith("[anon:"));
}

function isShared(vma: Vma): boolean {
  return vma.permissions[3] === "s";
}

/**
 * The candidates that carry the backend's own name, if any do, with the highest
 * address first: mmap allocates downwards, so that is the order in which they
 * were created.
 */
function narrowed(
  backend: QemuBackend,
  candidates: readonly Candidate[],
): readonly Candidate[] {
  if (candidates.length === 1) return candidates;
  const name = backend.id.replaceAll("/", "_");
  const own = candidates.filter(({ path }) =>
    path.includes(`qemu_back_mem._objects_${name}.`) ||
    path.includes(`qemu_back_mem.${name}.`)
  );
  return (own.length > 0 ? own : candidates)
    .toSorted((a, b) => b.vmas[0].start - a.vmas[0].start);
}

function backingOf(
  backend: QemuBackend,
  candidate: Candidate,
  memory: ProcessMemory,
): VmBacking {
  const first = candidate.vmas[0];
  const anonymous = candidate.path === "" || candidate.path === "/dev/zero";
  const shared = isShared(first);
  // Names say nothing: several files may have the same (memfds), and a name may
  // lead to another file by now. Whatever is opened is compared once more.
  const named = memory.fds.filter(({ path }) => path === candidate.path);
  const fd = named.find(({ open }) => isFileOf(open, first) === true) ??
    (named.length === 1 && isFileOf(named[0].open, first) === undefined
      ? named[0]
      : undefined);
  const mappings: BackingMapping[] = candidate.vmas.map((vma) => ({
    start: vma.start,
    end: vma.end,
    offset: vma.offset,
  }));
  return {
    id: backend.id,
    size: backend.size,
    path: anonymous ? undefined : candidate.path,
    deleted: first.deleted && !anonymous && !isMemfd(candidate.path),
    memfd: isMemfd(candidate.path),
    hugetlb: backend.hugetlb || /\/hugepages|hugetlb/.test(candidate.path),
    shared,
    open: shared ? fd?.open ?? openable(candidate, memory.mapFiles) : undefined,
    ...(first.inode === 0 ? {} : { identity: first.identity }),
    mappings,
  };
}

/**
 * Whether a path leads to the file of a mapping, as far as `stat` tells: some
 * file systems (btrfs, overlayfs) give another device there than in maps.
 * Undefined when it does not tell.
 */
function isFileOf(path: string, vma: Vma): boolean | undefined {
  const inode = fileFacts(path)?.inode;
  return inode === undefined
    ? undefined
    : inode === vma.identity.slice(vma.identity.indexOf(" ") + 1);
}

/**
 * A path that opens the file of a shared mapping for which the process has no
 * descriptor: the mapping's entry in map_files, which needs CAP_SYS_ADMIN, or
 * the file's name.
 */
function openable(
  { path, vmas }: Candidate,
  mapFiles: string | undefined,
): string | undefined {
  const [first] = vmas;
  const hex = (hva: number) => hva.toString(16);
  const entry = `${mapFiles}/${hex(first.start)}-${hex(first.end)}`;
  if (isFileOf(entry, first) === true) return entry;
  return first.deleted || path === "/dev/zero" ||
      isFileOf(path, first) === false
    ? undefined
    : path;
}

function notMapped(backend: QemuBackend, near: number): NotMappedError {
  const id = shownText(backend.id, MOST_SHOWN);
  const what = shownText(backend.path ?? `${backend.kind} memory`);
  return new NotMappedError(
    near > 0
      ? `its memory backend ${id} (${what}) is not mapped with the ` +
        `${backend.size} bytes that the command line gives`
      : `its memory backend ${id} (${what}, ${backend.size} bytes) ` +
        `was not found among the process's mappings`,
  );
}
