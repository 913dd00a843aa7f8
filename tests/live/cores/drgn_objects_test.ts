/**
 * Compares objects of a guest's kernel with what drgn finds and reads. drgn
 * does not use BTF, so it is given the types; it walks and reads by itself.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { CType } from "../../../engine/kernel/btf/c_type.ts";
import type { Types } from "../../../engine/kernel/btf/types.ts";
import { type Guest, open } from "xftrace/live";
import { bootGuest, KERNELS } from "../support_fixture.ts";

/** Debian's own Python, for which python3-drgn is installed. */
const PYTHON = "/usr/bin/python3";
const SCRIPT = fileURLToPath(import.meta.resolve("./drgn_objects.py"));

const hasDrgn = existsSync(PYTHON) &&
  spawnSync(PYTHON, ["-c", "import drgn"]).status === 0;

/** The structs to describe, with all structs embedded in them. */
const ROOTS = [
  ...["task_struct", "module", "pid", "css_set", "vmap_area", "mount", "rq"],
  ...["list_head", "hlist_head", "hlist_node", "rb_root", "rb_node", "idr"],
  ...["xarray", "xa_node", "pid_namespace"],
];
const VARIABLES: Readonly<Record<string, string>> = {
  init_task: "struct task_struct",
  modules: "struct list_head",
  init_pid_ns: "struct pid_namespace",
  css_set_table: "struct hlist_head[128]",
  runqueues: "struct rq",
  __per_cpu_offset: "unsigned long[8192]",
};

/** Types as drgn_objects.py reads them. */
class Described {
  readonly structs: Record<string, unknown> = {};
  readonly #types: Types;

  constructor(types: Types) {
    this.#types = types;
  }

  /** Describes a type, and the structs embedded in it. */
  type(type: CType): unknown {
    switch (type.kind) {
      case "int":
        return type.bool
          ? { kind: "bool", name: type.name, size: type.size }
          : {
            kind: "int",
            name: type.char ? "char" : type.name,
            size: type.size,
            signed: type.signed,
          };
      case "enum":
        return {
          kind: "enum",
          name: null,
          size: type.size,
          signed: type.signed,
          values: [...type.names].map(([value, name]) => [name, `${value}`]),
        };
      case "pointer": {
        const { target } = type;
        const to = target.kind === "struct" && target.tag !== ""
          ? { kind: "struct", key: target.tag }
          : { kind: "void" };
        return { kind: "pointer", to };
      }
      case "array":
        return {
          kind: "array",
          of: this.type(type.element),
          length: type.length,
        };
      case "struct": {
        const { name, tag, size, union, layout } = type;
        const key = tag === ""
          ? `${name} ${Object.keys(this.structs).length}`
          : tag;
        if (this.structs[key] === undefined) {
          const members: unknown[] = [];
          this.structs[key] = { tag, size, union, members };
          for (const member of layout.members.values()) {
            members.push({
              name: member.name,
              offset: member.bitOffset ?? member.offset * 8,
              bits: member.bitSize ?? null,
              type: this.type(this.#types.typeOf(member.type)),
            });
          }
        }
        return { kind: "struct", key };
      }
      default:
        return { kind: "void" };
    }
  }
}

/** A red-black tree in this kernel; not all kernels have the same ones. */
function treeOf(
  { kernel }: Guest,
): { struct: string; root: bigint; link: string } {
  const namespace = kernel.object("init_nsproxy").mnt_ns;
  assert.ok(namespace !== null);
  return "mounts" in namespace &&
      kernel.type("mount").members.some(({ name }) => name === "mnt_node")
    ? {
      struct: "mount",
      root: namespace.$addressOf("mounts"),
      link: "mnt_node",
    }
    : {
      struct: "vmap_area",
      root: kernel.object("vmap_area_root").$address,
      link: "rb_node",
    };
}

/** What we find, in the same form. */
function found({ kernel }: Guest, tree: ReturnType<typeof treeOf>) {
  const leaders = kernel.object("init_task").tasks.$list(
    "task_struct",
    "tasks",
  );
  return {
    tasks: leaders.map((task) => [
      `${task.$address}`,
      task.pid,
      task.comm,
      task.prio,
      task.flags,
      `${task.start_time}`,
      task.in_execve,
      `${task.se.load.weight}`,
    ]).toArray(),
    modules: kernel.modules().map((one) => [
      `${one.$address}`,
      one.name,
      Number(one.$integer("state")),
    ]).toArray(),
    pids: kernel.object("init_pid_ns").idr.$xarray("pid")
      .map(({ index, object }) => [index, `${object.$address}`]).toArray(),
    sets: [...kernel.object("struct hlist_head[128]", "css_set_table")]
      .flatMap((chain) =>
        chain.$hlist("css_set", "hlist").map((set) => `${set.$address}`)
          .toArray()
      ),
    tree: kernel.object("rb_root", tree.root).$rbtree(tree.struct, tree.link)
      .map((one) => `${one.$address}`).toArray(),
    queues: [0, 1].map((cpu) => {
      const queue = kernel.perCpu("runqueues", cpu);
      return [queue.curr?.comm, queue.nr_running, `${queue.clock}`];
    }),
  };
}

/** Counts members that are equal; adds the others to `wrong`. */
function compare(
  ours: unknown,
  theirs: unknown,
  path: string,
  wrong: string[],
): number {
  if (theirs === null || theirs === undefined) return 0;
  if (typeof theirs === "object") {
    return Object.entries(theirs).reduce((sum, [name, value]) => {
      const own = ours !== null && typeof ours === "object" && name in ours
        ? Reflect.get(ours, name)
        : undefined;
      return sum + compare(own, value, `${path}.${name}`, wrong);
    }, 0);
  }
  // Ours are addresses in hex, enumerators by name, NULL as null.
  const number = typeof ours === "string" && /^0x[0-9a-f]+$/.test(ours)
    ? `${BigInt(ours)}`
    : ours === null
    ? "0"
    : typeof ours === "boolean"
    ? ours
    : `${ours}`;
  const named = typeof ours === "string" && /^[A-Z][A-Z0-9_]+$/.test(ours);
  if (number !== theirs && !named) {
    wrong.push(`${path}: ${ours}, drgn ${theirs}`);
  }
  return 1;
}

for (const name of KERNELS) {
  Deno.test({
    name: `drgn finds and reads a ${name} guest's objects as we do`,
    ignore: !hasDrgn,
    fn: async () => {
      await using lab = await bootGuest(name);
      const folder = Deno.makeTempDirSync({ prefix: "xftrace-cores-" });
      try {
        const path = `${folder}/full.core`;
        {
          await using live = await open(lab.target, { cache: false });
          await live.snapshot(path, { full: true });
        }
        await using guest = await open(`core:${path}`);
        const { types } = guest.session.kernel;
        const described = new Described(types);
        const describe = (text: string) => {
          const type = types.tryType(text);
          return type === undefined ? undefined : described.type(type);
        };
        for (const root of ROOTS) describe(`struct ${root}`);
        const tree = treeOf(guest);
        const input = {
          variables: Object.fromEntries(
            Object.entries(VARIABLES).map(([variable, type]) => [
              variable,
              {
                type: describe(type),
                address: `${guest.kernel.address(variable)}`,
              },
            ]),
          ),
          structs: described.structs,
          tree: { ...tree, root: `${tree.root}` },
        };
        const { status, stdout, stderr } = spawnSync(PYTHON, [SCRIPT, path], {
          input: JSON.stringify(input),
          encoding: "utf8",
          maxBuffer: 1 << 28,
        });
        assert.equal(status, 0, stderr);
        const { init, module, ...walks } = JSON.parse(stdout);
        const ours = found(guest, tree);
        assert.deepEqual(ours, walks);
        const wrong: string[] = [];
        const [first] = guest.kernel.modules();
        const members = compare(
          JSON.parse(JSON.stringify(guest.kernel.object("init_task"))),
          init,
          "init_task",
          wrong,
        ) +
          compare(JSON.parse(JSON.stringify(first)), module, "module", wrong);
        assert.deepEqual(wrong, []);
        assert.ok(members > 1000);
        console.log(
          `  ${name}: ${ours.tasks.length} processes, ${ours.modules.length} modules, ${ours.pids.length} pids, ${ours.tree.length} nodes of a tree, ${members} members equal`,
        );
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}
