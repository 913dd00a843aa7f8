import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import { inodeTables, procEntries, superBlocks, superTables } from "./vfs.ts";

const TYPES = fixtureTypes({
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  rb_node: { size: 24, members: { right: [8, "u64"], left: [16, "u64"] } },
  proc_dir_entry: {
    size: 96,
    members: {
      proc_ops: [0, "u64"],
      seq_ops: [8, "u64"],
      single_show: [8, "u64"],
      write: [16, "u64"],
      subdir: [24, "u64"],
      subdir_node: [32, "rb_node"],
      name: [56, "u64"],
      mode: [64, "u32"],
      namelen: [68, "u8"],
    },
  },
  file_system_type: {
    size: 16,
    members: { name: [0, "u64"], owner: [8, "u64"] },
  },
  super_block: {
    size: 64,
    members: {
      s_list: [0, "list_head"],
      s_type: [16, "u64"],
      s_op: [24, "u64"],
      s_inodes: [32, "list_head"],
    },
  },
  inode: {
    size: 64,
    members: {
      i_op: [0, "u64"],
      i_ino: [8, "u64"],
      i_fop: [16, "u64"],
      i_sb_list: [24, "list_head"],
    },
  },
});

const FOLDER = 0o040555;
const FILE = 0o100444;

/** A guest with a proc tree. */
class ProcGuest extends FixtureGuest {
  readonly root: bigint;

  constructor() {
    super(TYPES);
    this.root = this.create("proc_dir_entry");
    const page = this.image();
    ["proc_seq_ops", "proc_single_ops"].forEach((name, i) =>
      this.symbol(name, page + BigInt(i * 64))
    );
  }

  /** Adds an entry below another one. */
  entry(folder: bigint, name: string, mode = FILE): bigint {
    const gva = this.create("proc_dir_entry");
    const node = this.at("proc_dir_entry", gva, "subdir_node");
    this.setU64(this.at("proc_dir_entry", gva, "name"), this.text(name));
    this.setU32(this.at("proc_dir_entry", gva, "mode"), mode);
    const root = this.at("proc_dir_entry", folder, "subdir");
    // The one before becomes the left branch.
    this.setU64(node + 16n, this.u64(root));
    this.setU64(root, node);
    return gva;
  }

  paths(path?: string): string[] {
    return procEntries(this.kernel, this.root, path).map(({ path }) => path);
  }
}

Deno.test("the proc tree is read with the paths of its entries", () => {
  const guest = new ProcGuest();
  assert.deepEqual(guest.paths(), []);
  guest.entry(guest.root, "modules");
  const net = guest.entry(guest.root, "net", FOLDER);
  guest.entry(net, "tcp");
  assert.deepEqual(guest.paths(), ["modules", "net", "net/tcp"]);
  assert.deepEqual(guest.paths("x"), ["x/modules", "x/net", "x/net/tcp"]);
});

Deno.test("what an entry's union holds follows from its operations", () => {
  const guest = new ProcGuest();
  const seq = guest.entry(guest.root, "seq");
  const single = guest.entry(guest.root, "single");
  const other = guest.entry(guest.root, "other");
  for (const gva of [seq, single, other]) guest.setU64(gva + 8n, 0x1234n);
  const { symbols } = guest.kernel;
  guest.setU64(seq, symbols.address("proc_seq_ops"));
  guest.setU64(single, symbols.address("proc_single_ops"));
  guest.setU64(other, 0x9999n);
  guest.setU64(other + 16n, 0x77n);
  const found = procEntries(guest.kernel, guest.root).map((entry) => [
    entry.path,
    entry.tables.map(({ member }) => member).join(),
    entry.functions.map(({ member }) => member).join(),
  ]);
  assert.deepEqual(found, [
    ["seq", "proc_ops,seq_ops", ""],
    ["single", "proc_ops", "single_show"],
    ["other", "proc_ops", "write"],
  ]);
});

Deno.test("an entry's mode and the bytes behind its name hide nothing", () => {
  const guest = new ProcGuest();
  const folder = guest.entry(guest.root, "driver", FILE);
  guest.entry(folder, "hook");
  const renamed = guest.entry(guest.root, "modulesXYZ");
  guest.setU32(guest.at("proc_dir_entry", renamed, "namelen"), 7);
  assert.deepEqual(
    guest.paths().sort(),
    ["driver", "driver/hook", "modules"],
  );
  const seq = guest.entry(guest.root, "seq", FOLDER);
  guest.setU64(seq, guest.kernel.symbols.address("proc_seq_ops"));
  guest.setU64(seq + 8n, 0x1234n);
  const entry = procEntries(guest.kernel, guest.root)
    .find(({ path }) => path === "seq");
  assert.ok(entry?.tables.some(({ member }) => member === "seq_ops"));
});

Deno.test("a folder that leads back into the tree is refused, at once", () => {
  const guest = new ProcGuest();
  const folders = ["a", "b", "c", "d"].map((name) =>
    guest.entry(guest.root, name, FOLDER)
  );
  // Each folder holds all of them: followed, that would be 4^64 entries.
  const top = guest.u64(guest.at("proc_dir_entry", guest.root, "subdir"));
  for (const gva of folders) {
    guest.setU64(guest.at("proc_dir_entry", gva, "subdir"), top);
  }
  assert.throws(() => guest.paths(), (error) => {
    assert.ok(error instanceof KernelError);
    assert.match(error.message, /^the proc tree at 0x\w+ runs in circles/);
    return true;
  });
});

Deno.test("a folder deeper than any is refused, not left out in silence", () => {
  const guest = new ProcGuest();
  let folder = guest.root;
  for (let depth = 1; depth <= 64; depth++) {
    folder = guest.entry(folder, "d", FOLDER);
  }
  assert.equal(guest.paths().length, 64);
  guest.entry(folder, "hidden");
  assert.throws(() => guest.paths(), /runs in circles: damaged/);
});

/** A guest with one mounted file system. */
function mounted() {
  const guest = new FixtureGuest(TYPES);
  const head = guest.image();
  guest.symbol("super_blocks", head);
  const sb = guest.create("super_block");
  guest.link(head, guest.at("super_block", sb, "s_list"));
  const type = guest.create("file_system_type");
  guest.setU64(type, guest.text("ext4"));
  guest.setU64(guest.at("super_block", sb, "s_type"), type);
  const inodes = [1, 2, 3].map((number) => {
    const inode = guest.create("inode");
    guest.setU64(inode, 0x1000n);
    guest.setU64(guest.at("inode", inode, "i_ino"), number);
    return inode;
  });
  const links = inodes.map((inode) => guest.at("inode", inode, "i_sb_list"));
  guest.link(guest.at("super_block", sb, "s_inodes"), ...links);
  return { guest, sb, type, inodes, links };
}

Deno.test("a super block's inodes are read up to a limit, and the rest is told", () => {
  const { guest, sb, type, inodes } = mounted();
  const [found] = superBlocks(guest.kernel);
  assert.deepEqual(found, {
    gva: sb,
    type: "ext4",
    typeGva: type,
    owner: 0n,
    listedBy: [],
  });
  assert.deepEqual(superTables(guest.kernel, found), []);
  guest.setU64(guest.at("inode", inodes[1], "i_fop"), 0x2000n);
  const all = inodeTables(guest.kernel, found, 3);
  assert.deepEqual([all.inodes, all.complete], [3, true]);
  assert.deepEqual(
    all.uses.map(({ object, member, table }) => [object, member, table]),
    [
      ["inode 1 of ext4", "i_op", 0x1000n],
      ["inode 2 of ext4", "i_op", 0x1000n],
      ["inode 2 of ext4", "i_fop", 0x2000n],
      ["inode 3 of ext4", "i_op", 0x1000n],
    ],
  );
  const some = inodeTables(guest.kernel, found, 2);
  assert.deepEqual([some.inodes, some.complete], [2, false]);
  assert.equal(inodeTables(guest.kernel, found, 0).complete, false);
});

Deno.test("a list of inodes that leads back too early, or past some, is refused", () => {
  const bent = (change: (made: ReturnType<typeof mounted>) => void) => {
    const made = mounted();
    change(made);
    const [sb] = superBlocks(made.guest.kernel);
    return () => inodeTables(made.guest.kernel, sb, 1000);
  };
  // The last one leads back to the first, and the first past the second.
  assert.throws(
    bent(({ guest, links }) => guest.setU64(links[2], links[0])),
    /leads past some/,
  );
  assert.throws(
    bent(({ guest, links }) => guest.setU64(links[0], links[2])),
    /leads past some/,
  );
  assert.throws(
    bent(({ guest, sb, links }) =>
      guest.setU64(links[1], guest.at("super_block", sb, "s_inodes"))
    ),
    /ends before its last one/,
  );
  // Taken off the list while it was read: it points to itself.
  assert.throws(
    bent(({ guest, links }) => guest.setU64(links[1], links[1])),
    /an inode left the list while it was read/,
  );
});

Deno.test("a super block without a type is damaged", () => {
  const { guest, sb } = mounted();
  guest.setU64(guest.at("super_block", sb, "s_type"), 0);
  assert.throws(() => superBlocks(guest.kernel), /a super block has no type/);
});
