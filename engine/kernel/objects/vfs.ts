/**
 * Live file system objects (super blocks, inodes, the proc tree), and the
 * operation tables that they use.
 *
 * Sources: include/linux/fs.h, fs/proc/internal.h.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { listNodes, rbNodes, steady } from "../core/lists.ts";

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

/** A mounted file system. */
export interface SuperBlock {
  readonly gva: bigint;
  /** Name of its type: `proc`. */
  readonly type: string;
  /** GVA of the `struct module` that provides it; 0n when it is built in. */
  readonly owner: bigint;
}

/** All super blocks. */
export function superBlocks(kernel: Kernel): SuperBlock[] {
  const head = kernel.symbols.address("super_blocks");
  const link = BigInt(kernel.types.offset("super_block", "s_list"));
  return steady(() =>
    listNodes(kernel, head).map((node) => {
      const at = kernel.object("super_block", node - link);
      const type = at.follow("s_type", "file_system_type");
      if (type === undefined) {
        throw new KernelError("a super block has no type");
      }
      return {
        gva: at.gva,
        type: type.stringAt("name") ?? "?",
        owner: type.u64("owner"),
      };
    })
  );
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
  const size = Math.max(link, iOp, iFop, iNo) + 8;
  return steady(() => {
    const uses: TableUse[] = [];
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    let inodes = 0;
    let node = space.u64(head);
    while (node !== head && inodes < limit) {
      const gva = node - BigInt(link);
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
      node = view.getBigUint64(link, true);
      if (node === gva + BigInt(link)) {
        throw new KernelError("an inode left the list while it was read");
      }
    }
    return { uses, inodes, complete: node === head };
  });
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
const S_IFREG = 0o100000;

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
      const mode = kernel.object("proc_dir_entry", gva).number("mode");
      if ((mode & S_IFMT) === S_IFDIR) visit(gva, entry.path, depth + 1);
    }
  };
  visit(root, path, 1);
  return found;
}

function readEntry(kernel: Kernel, gva: bigint, parent: string): ProcEntry {
  const at = kernel.object("proc_dir_entry", gva);
  const name = at.stringAt("name") ?? "?";
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
  if (format === S_IFREG) {
    // A union; the operations tell which member is valid (proc_create_seq,
    // _single).
    const own = at.u64("proc_ops");
    const is = (symbol: string) =>
      kernel.symbols.addresses(symbol).includes(own);
    if (is("proc_seq_ops") || is("proc_net_seq_ops")) {
      table("seq_ops", "seq_operations");
    }
    const single = is("proc_single_ops") || is("proc_net_single_ops");
    for (const member of single ? ["single_show", "write"] : ["write"]) {
      const target = at.u64(member);
      if (target === 0n) continue;
      functions.push({ member, address: at.at(member), target });
    }
  }
  return { path, gva, tables, functions };
}

/** The function pointers in an operation table. */
export function tableFunctions(
  kernel: Kernel,
  struct: string,
  table: bigint,
): { member: string; address: bigint; target: bigint }[] {
  const layout = kernel.types.tryStruct(struct);
  if (layout === undefined) return [];
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
