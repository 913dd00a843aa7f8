/**
 * Live file system objects (super blocks, inodes, the proc tree), and the
 * operation tables that they use.
 *
 * Sources: include/linux/fs.h, fs/proc/internal.h.
 *
 * @module
 */
import { allocateBytes } from "../../base/allocate.ts";
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import type { KernelObject } from "../core/object.ts";
import { hlistNodes, listNodes, rbNodes, steady } from "../core/lists.ts";
import { variable } from "../symbols/required.ts";

/** An object's use of an operation table. */
export interface TableUse {
  /** Description of the object for messages: `inode 1 of proc`. */
  readonly object: string;
  /** The member that points to the table: `i_fop`. */
  readonly member: string;
  /** GVA of that member. */
  readonly address: bigint;
  /** GVA of the table. */
  readonly table: bigint;
  /** The table's struct: `file_operations`. */
  readonly struct: string;
}

/** More types of file systems than any kernel has. */
const MOST_TYPES = 1024;
/** More bytes than a `struct inode` has. */
const MOST_INODE = 1 << 14;

/** A mounted file system. */
export interface SuperBlock {
  readonly gva: bigint;
  /** Name of its type: `proc`. */
  readonly type: string;
  /** GVA of the `struct file_system_type`. */
  readonly typeGva: bigint;
  /**
   * GVA of the `struct module` that the type names as its own; 0n when it is
   * built in.
   */
  readonly owner: bigint;
  /**
   * The types on whose lists of super blocks it is, when its own is not among
   * them.
   */
  readonly listedBy: readonly string[];
}

/**
 * All super blocks: those on the list of all, and those that a type of file
 * systems lists as its own.
 */
export function superBlocks(kernel: Kernel): SuperBlock[] {
  const head = kernel.symbols.address("super_blocks");
  const link = BigInt(kernel.types.offset("super_block", "s_list"));
  return steady(() => {
    const types = new Map<bigint, bigint[]>();
    for (const node of listNodes(kernel, head)) types.set(node - link, []);
    for (const [type, blocks] of typeBlocks(kernel)) {
      for (const gva of blocks) {
        types.set(gva, [...types.get(gva) ?? [], type]);
      }
    }
    return [...types].map(([gva, listed]) => {
      const at = kernel.object("super_block", gva);
      const type = at.follow("s_type", "file_system_type");
      if (type === undefined) {
        throw new KernelError("a super block has no type");
      }
      const others = listed.includes(type.gva) ? [] : listed;
      return {
        gva,
        type: type.stringAt("name") ?? "?",
        typeGva: type.gva,
        owner: type.u64("owner"),
        listedBy: others.map((one) =>
          kernel.object("file_system_type", one).stringAt("name") ?? "?"
        ),
      };
    });
  });
}

/** The super blocks of each registered type, by the GVA of the type. */
function typeBlocks(kernel: Kernel): Map<bigint, bigint[]> {
  const found = new Map<bigint, bigint[]>();
  const head = variable(kernel.symbols, "file_systems", [
    "register_filesystem",
    "unregister_filesystem",
  ]);
  const supers = kernel.types.tryOffset("file_system_type", "fs_supers");
  const link = kernel.types.tryOffset("super_block", "s_instances");
  if (head === undefined || supers === undefined || link === undefined) {
    return found;
  }
  for (const type of fileSystemTypes(kernel, head)) {
    found.set(
      type,
      hlistNodes(kernel, type + BigInt(supers))
        .map((node) => node - BigInt(link)),
    );
  }
  return found;
}

/**
 * GVAs of the registered types: a list of their own, and an hlist since Linux
 * 7.1 (fs/filesystems.c).
 */
function fileSystemTypes(kernel: Kernel, head: bigint): Iterable<bigint> {
  const list = kernel.types.tryOffset("file_system_type", "list");
  if (list !== undefined) {
    return hlistNodes(kernel, head).map((node) => node - BigInt(list));
  }
  const found = new Set<bigint>();
  let type = kernel.space.u64(head);
  while (type !== 0n) {
    if (found.has(type) || found.size >= MOST_TYPES) {
      throw new KernelError("the list of file systems does not end");
    }
    found.add(type);
    type = kernel.object("file_system_type", type).u64("next");
  }
  return found;
}

/** The operation tables of a super block itself. */
export function superTables(kernel: Kernel, sb: SuperBlock): TableUse[] {
  const at = kernel.object("super_block", sb.gva);
  const found: TableUse[] = [];
  for (
    const [member, struct] of [
      ["s_op", "super_operations"],
      ["s_d_op", "dentry_operations"],
    ]
  ) {
    if (!at.has(member)) continue;
    const table = at.u64(member);
    if (table === 0n) continue;
    const object = `the super block of ${sb.type}`;
    found.push({ object, member, address: at.at(member), table, struct });
  }
  return found;
}

/** The operation tables of a super block's inodes in memory. */
export interface InodeTables {
  readonly uses: readonly TableUse[];
  /** How many inodes were read. */
  readonly inodes: number;
  /** Whether all inodes were read. */
  readonly complete: boolean;
}

/**
 * The operation tables of a super block's inodes, at most `limit` inodes; one
 * use for each inode and table. Each inode is read once, as a whole.
 *
 * @throws {KernelError} when the list of inodes keeps changing.
 */
export function inodeTables(
  kernel: Kernel,
  sb: SuperBlock,
  limit: number,
): InodeTables {
  const { types, space } = kernel;
  const link = types.offset("inode", "i_sb_list");
  const iOp = types.offset("inode", "i_op");
  const iFop = types.offset("inode", "i_fop");
  const iNo = types.offset("inode", "i_ino");
  const head = sb.gva + BigInt(types.offset("super_block", "s_inodes"));
  const size = Math.max(link + 8, iOp, iFop, iNo) + 8;
  return steady(() => {
    const uses: TableUse[] = [];
    const bytes = allocateBytes(size, MOST_INODE, "struct inode");
    const view = new DataView(bytes.buffer);
    let inodes = 0;
    const add = (gva: bigint) => {
      space.read(gva, bytes);
      inodes++;
      for (
        const [member, at, struct] of [
          ["i_op", iOp, "inode_operations"],
          ["i_fop", iFop, "file_operations"],
        ] as const
      ) {
        const table = view.getBigUint64(at, true);
        if (table === 0n) continue;
        uses.push({
          object: `inode ${view.getBigUint64(iNo, true)} of ${sb.type}`,
          member,
          address: gva + BigInt(at),
          table,
          struct,
        });
      }
    };
    const root = rootInode(kernel, sb);
    let rooted = root === undefined;
    let node = space.u64(head);
    let before = head;
    while (node !== head && inodes < limit) {
      const gva = node - BigInt(link);
      add(gva);
      // Both pointers of the list: one alone may have been led past some.
      if (view.getBigUint64(link + 8, true) !== before) {
        throw new KernelError("the list of inodes leads past some of them");
      }
      before = node;
      if (gva === root) rooted = true;
      node = view.getBigUint64(link, true);
      if (node === gva + BigInt(link)) {
        throw new KernelError("an inode left the list while it was read");
      }
    }
    const complete = node === head;
    if (complete && space.u64(head + 8n) !== before) {
      throw new KernelError("the list of inodes ends before its last one");
    }
    // The first that an intruder would change, whatever list it has left.
    if (!rooted && root !== undefined) add(root);
    return { uses, inodes, complete };
  });
}

/** GVA of the inode of a super block's root; `undefined` without one. */
function rootInode(kernel: Kernel, sb: SuperBlock): bigint | undefined {
  const at = kernel.object("super_block", sb.gva);
  if (!at.has("s_root")) return undefined;
  const inode = at.follow("s_root", "dentry")?.u64("d_inode") ?? 0n;
  return inode === 0n ? undefined : inode;
}

/** An entry of the proc tree. */
export interface ProcEntry {
  /** Path below /proc: `net/tcp`. */
  readonly path: string;
  readonly gva: bigint;
  readonly tables: readonly TableUse[];
  /** Function pointers in the entry itself. */
  readonly functions: readonly {
    readonly member: string;
    readonly address: bigint;
    readonly target: bigint;
  }[];
}

const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;

/** More entries, and more folders inside one another, than a proc tree has. */
const MOST_ENTRIES = 1 << 18;
const MOST_FOLDERS = 64;

/**
 * All entries of the proc tree below a `struct proc_dir_entry`.
 *
 * @param path path of that entry below /proc
 * @throws {KernelError} when an entry appears twice, or there are more than any
 * tree has.
 */
export function procEntries(
  kernel: Kernel,
  root: bigint,
  path = "",
): ProcEntry[] {
  const { types } = kernel;
  const node = BigInt(types.offset("proc_dir_entry", "subdir_node"));
  const subdir = BigInt(types.offset("proc_dir_entry", "subdir"));
  const found: ProcEntry[] = [];
  const seen = new Set([root]);
  const visit = (folder: bigint, path: string, depth: number): void => {
    for (const rb of steady(() => rbNodes(kernel, folder + subdir))) {
      const gva = rb - node;
      // A folder that leads back to one above it would never end.
      if (
        seen.has(gva) || seen.size > MOST_ENTRIES || depth > MOST_FOLDERS
      ) {
        throw new KernelError(
          `the proc tree at 0x${
            root.toString(16)
          } runs in circles: damaged or in flux`,
        );
      }
      seen.add(gva);
      const entry = readEntry(kernel, gva, path);
      found.push(entry);
      // Whatever its mode says: what is no folder has no entries.
      visit(gva, entry.path, depth + 1);
    }
  };
  visit(root, path, 1);
  return found;
}

function readEntry(kernel: Kernel, gva: bigint, parent: string): ProcEntry {
  const at = kernel.object("proc_dir_entry", gva);
  const name = entryName(kernel, at);
  const path = parent === "" ? name : `${parent}/${name}`;
  const format = at.number("mode") & S_IFMT;
  const tables: TableUse[] = [];
  const table = (member: string, struct: string) => {
    if (!at.has(member)) return;
    const gva = at.u64(member);
    if (gva === 0n) return;
    const object = `/proc/${path}`;
    tables.push({ object, member, address: at.at(member), table: gva, struct });
  };
  table("proc_iops", "inode_operations");
  table("proc_dops", "dentry_operations");
  if (format === S_IFDIR) table("proc_dir_ops", "file_operations");
  else table("proc_ops", "proc_ops");
  const functions: { member: string; address: bigint; target: bigint }[] = [];
  // A union; the operations tell which member is valid (proc_create_seq,
  // _single), and not the mode.
  const own = at.u64("proc_ops");
  const is = (symbol: string) => kernel.symbols.addresses(symbol).includes(own);
  if (is("proc_seq_ops") || is("proc_net_seq_ops")) {
    table("seq_ops", "seq_operations");
  }
  const single = is("proc_single_ops") || is("proc_net_single_ops");
  for (const member of single ? ["single_show", "write"] : ["write"]) {
    const target = at.u64(member);
    if (target === 0n) continue;
    functions.push({ member, address: at.at(member), target });
  }
  return { path, gva, tables, functions };
}

/** The name by which the kernel finds an entry: `namelen` bytes of it. */
function entryName(kernel: Kernel, at: KernelObject): string {
  const length = at.has("namelen") ? at.number("namelen") : 0;
  const name = at.u64("name");
  if (length === 0 || name === 0n) return at.stringAt("name") ?? "?";
  return kernel.space.string(name, Math.min(length, 255));
}

/** The function pointers in an operation table. */
export function tableFunctions(
  kernel: Kernel,
  struct: string,
  table: bigint,
): { member: string; address: bigint; target: bigint }[] {
  const layout = kernel.types.struct(struct);
  const bytes = kernel.space.bytes(table, layout.size);
  const view = new DataView(bytes.buffer);
  const found: { member: string; address: bigint; target: bigint }[] = [];
  for (const { name, offset, size, typeName } of layout.members.values()) {
    if (size !== 8 || !typeName.includes("(*)")) continue;
    const target = view.getBigUint64(offset, true);
    if (target === 0n) continue;
    found.push({ member: name, address: table + BigInt(offset), target });
  }
  return found;
}
