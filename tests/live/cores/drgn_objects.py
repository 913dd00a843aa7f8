"""Prints the objects that drgn finds in a core, as JSON.

The argument is the core. Standard input is JSON from drgn_objects_test.ts, with
the types that the kernel's BTF describes.
"""
import json
import sys

import drgn
from drgn.helpers.linux.idr import idr_for_each
from drgn.helpers.linux.list import hlist_for_each_entry, list_for_each_entry
from drgn.helpers.linux.percpu import per_cpu
from drgn.helpers.linux.rbtree import rbtree_inorder_for_each_entry

told = json.load(sys.stdin)
prog = drgn.Program()
prog.set_core_dump(sys.argv[1])
known = {}


def make(t):
    """Makes the type for a description."""
    kind = t["kind"]
    if kind == "int":
        return prog.int_type(t["name"], t["size"], t["signed"])
    if kind == "bool":
        return prog.bool_type(t["name"], t["size"])
    if kind == "enum":
        whole = prog.int_type("int", t["size"], t["signed"])
        values = [drgn.TypeEnumerator(n, int(v)) for n, v in t["values"]]
        return prog.enum_type(t["name"], whole, values)
    if kind == "pointer":
        return prog.pointer_type(make(t["to"]))
    if kind == "array":
        return prog.array_type(make(t["of"]), t["length"] or None)
    if kind == "struct" and t["key"] in told["structs"]:
        return struct(t["key"])
    return prog.void_type()


def member(m):
    if m["bits"] is None:
        return lambda: make(m["type"])
    return lambda: drgn.Object(
        prog, make(m["type"]), bit_field_size=m["bits"]
    )


def struct(key):
    if key not in known:
        s = told["structs"][key]
        members = [
            drgn.TypeMember(member(m), m["name"], m["offset"])
            for m in s["members"]
        ]
        new = prog.union_type if s["union"] else prog.struct_type
        known[key] = new(s["tag"] or None, s["size"], members)
    return known[key]


def find_type(kind, name, filename):
    if kind not in (drgn.TypeKind.STRUCT, drgn.TypeKind.UNION):
        return None
    return struct(name) if name in told["structs"] else None


def find_object(prog, name, flags, filename):
    v = told["variables"].get(name)
    if v is None:
        return None
    return drgn.Object(prog, make(v["type"]), address=int(v["address"]))


prog.add_type_finder(find_type)
prog.add_object_finder(find_object)


def text(o):
    return o.string_().decode()


def members(o):
    """An object's members as plain data, pointers as numbers."""
    kind = o.type_.kind
    k = drgn.TypeKind
    if kind in (k.INT, k.ENUM, k.POINTER):
        return str(int(o.value_()))
    if kind == k.BOOL:
        return bool(o.value_())
    if kind == k.ARRAY:
        of = o.type_.type
        if of.kind == k.INT and of.name == "char" and o.type_.length:
            return text(o)
        return [members(o[i]) for i in range(min(o.type_.length or 0, 1024))]
    if kind in (k.STRUCT, k.UNION):
        return {m.name: members(o.member_(m.name)) for m in o.type_.members}
    return None


tree = told["tree"]
modules = list(
    list_for_each_entry(
        "struct module", prog["modules"].address_of_(), "list"
    )
)
out = {
    "tasks": [
        [
            str(t.value_()),
            t.pid.value_(),
            text(t.comm),
            t.prio.value_(),
            t.flags.value_(),
            str(t.start_time.value_()),
            t.in_execve.value_(),
            str(t.se.load.weight.value_()),
        ]
        for t in list_for_each_entry(
            "struct task_struct", prog["init_task"].tasks.address_of_(), "tasks"
        )
    ],
    "modules": [[str(m.value_()), text(m.name), m.state.value_()] for m in modules],
    "pids": [
        [i, str(p.value_())]
        for i, p in idr_for_each(prog["init_pid_ns"].idr.address_of_())
    ],
    "sets": [
        str(s.value_())
        for chain in prog["css_set_table"]
        for s in hlist_for_each_entry("struct css_set", chain.address_of_(), "hlist")
    ],
    "tree": [
        str(e.value_())
        for e in rbtree_inorder_for_each_entry(
            "struct " + tree["struct"],
            drgn.Object(prog, "struct rb_root", address=int(tree["root"])).address_of_(),
            tree["link"],
        )
    ],
    "queues": [
        [text(q.curr.comm), q.nr_running.value_(), str(q.clock.value_())]
        for q in (per_cpu(prog["runqueues"], cpu) for cpu in range(2))
    ],
    "init": members(prog["init_task"]),
    "module": members(modules[0][0]) if modules else None,
}
json.dump(out, sys.stdout)
