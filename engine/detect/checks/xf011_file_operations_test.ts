import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { checked } from "../core/check_fixture.ts";
import { fileOperations } from "./xf011_file_operations.ts";

const TYPES = fixtureTypes({
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  file_system_type: {
    size: 40,
    members: {
      name: [0, "u64"],
      owner: [8, "u64"],
      next: [16, "u64"],
      fs_supers: [24, "u64"],
    },
  },
  super_block: {
    size: 96,
    members: {
      s_list: [0, "list_head"],
      s_type: [16, "u64"],
      s_instances: [24, "list_head"],
      s_inodes: [40, "list_head"],
      s_root: [56, "u64"],
    },
  },
  file_operations: { size: 8, members: { open: [0, "u64"] } },
  dentry: { size: 16, members: { d_inode: [8, "u64"] } },
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
/** A module that is none of the kernel's. */
const FOREIGN = 0xffffffffc0100000n;

/** A guest with one file system, whose root's files have another table. */
class ProcGuest extends FixtureGuest {
  readonly head: bigint;
  readonly type: bigint;
  readonly sb: bigint;
  readonly inode: bigint;

  constructor() {
    super(TYPES);
    const page = this.image();
    this.head = page;
    this.type = page + 64n;
    this.symbol("super_blocks", page);
    this.symbol("file_systems", page + 32n);
    this.symbol("proc_fs_type", this.type);
    this.symbol("trace_fs_type", this.type + 64n);
    this.symbol("_end", page + 0x1000n);
    this.setU64(page + 32n, this.type);
    this.setU64(this.type, this.text("proc"));
    this.setU64(this.type + 64n, this.text("tracefs"));
    this.setU64(this.at("file_system_type", this.type, "next"), 0n);
    this.sb = this.create("super_block");
    this.inode = this.create("inode");
    const dentry = this.create("dentry");
    this.setU64(dentry + 8n, this.inode);
    this.set("s_type", this.type);
    this.set("s_root", dentry);
    this.link(this.head, this.at("super_block", this.sb, "s_list"));
    this.setU64(
      this.at("file_system_type", this.type, "fs_supers"),
      this.at("super_block", this.sb, "s_instances"),
    );
    this.link(
      this.at("super_block", this.sb, "s_inodes"),
      this.at("inode", this.inode, "i_sb_list"),
    );
    const table = this.create("file_operations");
    this.setU64(this.at("inode", this.inode, "i_fop"), table);
  }
  set(member: string, value: bigint): void {
    this.setU64(this.at("super_block", this.sb, member), value);
  }
  /** What the check finds, as places. */
  found(): string[] {
    const { findings, unjudged } = checked(fileOperations, this.kernel);
    assert.deepEqual(unjudged, []);
    return findings.map(({ where }) => where);
  }
}

const ROOT = "inode 0 of proc: i_fop";

Deno.test("another table of the root's is found, on whatever list it is not", () => {
  assert.deepEqual(new ProcGuest().found(), [ROOT]);
  const inode = new ProcGuest();
  inode.link(inode.at("super_block", inode.sb, "s_inodes"));
  assert.deepEqual(inode.found(), [ROOT]);
  const block = new ProcGuest();
  block.link(block.head);
  assert.deepEqual(block.found(), [ROOT]);
});

Deno.test("a type's owner, its name and another type excuse nothing", () => {
  const owned = new ProcGuest();
  owned.setU64(owned.at("file_system_type", owned.type, "owner"), FOREIGN);
  assert.deepEqual(owned.found(), ["the super block of proc: owner", ROOT]);
  const named = new ProcGuest();
  named.setU64(named.type, named.text("tracefs"));
  assert.deepEqual(named.found(), [ROOT.replace("proc", "tracefs")]);
  const typed = new ProcGuest();
  typed.set("s_type", typed.type + 64n);
  assert.equal(typed.found()[0], "the super block of tracefs: type");
});
