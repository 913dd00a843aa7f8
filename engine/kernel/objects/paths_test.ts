import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import { filePath, pathOf } from "./paths.ts";

const TYPES = fixtureTypes({
  qstr: { size: 16, members: { name: [8, "u64"] } },
  dentry: { size: 32, members: { d_parent: [0, "u64"], d_name: [8, "qstr"] } },
  mount: {
    size: 32,
    members: {
      mnt_parent: [0, "u64"],
      mnt_mountpoint: [8, "u64"],
      mnt: [16, "u64"],
    },
  },
  path: { size: 16, members: { mnt: [0, "u64"], dentry: [8, "u64"] } },
  file: { size: 32, members: { f_path: [16, "path"] } },
});

/** A guest with directory entries and mounts. */
class PathGuest extends FixtureGuest {
  constructor() {
    super(TYPES);
  }

  /** A directory entry; without a parent it is its own. */
  entry(name: string, parent?: bigint): bigint {
    const gva = this.create("dentry");
    this.setU64(gva, parent ?? gva);
    this.setU64(this.at("dentry", gva, "d_name.name"), this.text(name));
    return gva;
  }

  /** A mount; without a place it is the first one, its own parent. */
  mount(on?: { readonly mount: bigint; readonly at: bigint }): bigint {
    const gva = this.create("mount");
    this.setU64(gva, on?.mount ?? gva);
    this.setU64(gva + 8n, on?.at ?? 0n);
    return gva;
  }

  /** The path of an entry in a mount. */
  path(dentry: bigint, mount: bigint): string {
    return pathOf(this.kernel, dentry, this.at("mount", mount, "mnt"));
  }
}

Deno.test("a path goes through mounts to the first one's root", () => {
  const guest = new PathGuest();
  const root = guest.entry("/");
  const top = guest.mount();
  const home = guest.entry("home", root);
  const disk = guest.entry("/");
  const mounted = guest.mount({ mount: top, at: home });
  // Mounted over the root of what is mounted there.
  const over = guest.entry("/");
  const second = guest.mount({ mount: mounted, at: disk });
  const notes = guest.entry("notes", over);
  assert.equal(guest.path(root, top), "/");
  assert.equal(guest.path(home, top), "/home");
  assert.equal(guest.path(disk, mounted), "/home");
  assert.equal(guest.path(notes, second), "/home/notes");
  const file = guest.create("file");
  guest.setU64(guest.at("file", file, "f_path.dentry"), notes);
  guest.setU64(
    guest.at("file", file, "f_path.mnt"),
    guest.at("mount", second, "mnt"),
  );
  assert.equal(filePath(guest.kernel, file), "/home/notes");
});

Deno.test("mounts that lie in one another are refused, not followed for ever", () => {
  const guest = new PathGuest();
  const root = guest.entry("/");
  const one = guest.mount();
  const two = guest.mount({ mount: one, at: root });
  guest.setU64(one, two);
  guest.setU64(one + 8n, root);
  assert.throws(
    () => guest.path(root, one),
    (error) =>
      error instanceof KernelError && /run in circles/.test(error.message),
  );
});

Deno.test("folders that lie in one another give a path that ends", () => {
  const guest = new PathGuest();
  const one = guest.entry("one");
  const two = guest.entry("two", one);
  guest.setU64(one, two);
  const names = guest.path(two, guest.mount()).split("/").slice(1);
  assert.equal(names.length, 64);
  assert.deepEqual(names.slice(-2), ["one", "two"]);
});

Deno.test("a mount that is detached is the end of the path", () => {
  const guest = new PathGuest();
  const root = guest.entry("/");
  const mount = guest.mount({ mount: guest.mount(), at: root });
  guest.setU64(mount, 0);
  assert.equal(guest.path(guest.entry("left", root), mount), "/left");
});
