import assert from "node:assert/strict";
import fc from "fast-check";
import { KernelError } from "../../base/errors.ts";
import { times } from "../../base/long_fixture.ts";
import { BtfBuilder, type FixtureMember } from "./btf_fixture.ts";
import { BtfTypes } from "./btf_types.ts";

/** A few kernel types that show all peculiarities of BTF. */
function kernelLike(): Uint8Array<ArrayBuffer> {
  const b = new BtfBuilder();
  const int = b.int("int", 4);
  const uint = b.int("unsigned int", 4);
  const char = b.int("char", 1);
  const u64 = b.ref("typedef", b.int("long long unsigned int", 8), "u64");
  const bits3 = b.int("unsigned int", 4, 3);
  // struct list_head refers to itself: the pointer's id is known in advance.
  const list = b.compound("struct", "list_head", 16, [
    { name: "next", type: 8, bits: 0 },
    { name: "prev", type: 8, bits: 64 },
  ]);
  const listPtr = b.ref("ptr", list);
  assert.equal(listPtr, 8);
  const comm = b.array(char, 16);
  const ops = b.ref("fwd", 0, "file_operations");
  const constOps = b.ref("ptr", b.ref("const", ops));
  const anon = b.compound("union", "", 8, [
    { name: "word", type: u64, bits: 0 },
    {
      name: "",
      type: b.compound("struct", "", 8, [
        { name: "low", type: uint, bits: 0 },
        { name: "high", type: uint, bits: 32 },
      ]),
      bits: 0,
    },
  ]);
  const item = b.compound("struct", "item", 24, [
    { name: "base", type: b.ref("ptr", 0), bits: 0 },
    {
      name: "",
      type: b.compound("union", "", 16, [
        { name: "size", type: uint, bits: 0 },
        { name: "link", type: list, bits: 0 },
      ]),
      bits: 64,
    },
  ]);
  b.compound("struct", "task", 200, [
    { name: "state", type: b.ref("volatile", int), bits: 0 },
    { name: "", type: anon, bits: 64 },
    { name: "tasks", type: b.ref("typedef", list, "list_t"), bits: 128 },
    { name: "comm", type: comm, bits: 256 },
    { name: "fops", type: constOps, bits: 384 },
    { name: "mem", type: b.array(item, 3), bits: 448 },
    { name: "tail", type: b.array(item, 0), bits: 1600 },
  ]);
  b.compound("struct", "flags", 12, [
    { name: "plain", type: int, bits: 0, width: 0 },
    { name: "a", type: uint, bits: 32, width: 1 },
    { name: "b", type: uint, bits: 33, width: 12 },
    { name: "odd", type: uint, bits: 60, width: 6 },
  ]);
  b.compound("struct", "old_flags", 8, [
    { name: "x", type: uint, bits: 0 },
    { name: "y", type: bits3, bits: 37 },
  ]);
  b.ref(
    "typedef",
    b.compound("struct", "", 4, [
      { name: "counter", type: int, bits: 0 },
    ]),
    "atomic_t",
  );
  b.enum("module_state", [["MODULE_STATE_LIVE", 0], ["MODULE_STATE_GOING", 2]]);
  b.enum("", [["MINUS", -1]], true);
  b.enum("", [["ALL_ONES", -1]]);
  b.enum64("big", [["BIG", 1n << 40n], ["NEG", -5n]], true);
  const file = b.ref("ptr", b.ref("typeTag", b.ref("fwd", 0, "file"), "user"));
  const fn = b.proto(b.ref("typedef", int, "ssize_t"), [
    ["file", file],
    ["buf", b.ref("ptr", char)],
    ["fmt", b.ref("const", b.ref("ptr", b.ref("const", char)))],
    ["", 0],
  ]);
  b.ref("func", fn, "vfs_read");
  b.compound("struct", "calls", 32, [
    { name: "read", type: b.ref("ptr", fn), bits: 0 },
    { name: "done", type: b.ref("ptr", b.proto(0, [])), bits: 64 },
    { name: "row", type: b.ref("ptr", b.array(int, 4)), bits: 128 },
    { name: "rows", type: b.array(b.array(char, 3), 2), bits: 192 },
  ]);
  return b.build();
}

const types = () => new BtfTypes(kernelLike());

Deno.test("offsets, sizes and C names of members", () => {
  const t = types();
  assert.equal(t.struct("task").size, 200);
  assert.equal(t.offset("task", "tasks.prev"), 24);
  const names = [...t.struct("task").members.values()].map((m) =>
    `${m.typeName} ${m.name} ${m.offset}+${m.size}`
  );
  assert.deepEqual(names, [
    "volatile int state 0+4",
    "u64 word 8+8",
    "unsigned int low 8+4",
    "unsigned int high 12+4",
    "list_t tasks 16+16",
    "char[16] comm 32+16",
    "const struct file_operations * fops 48+8",
    "struct item[3] mem 56+72",
    "struct item[] tail 200+0",
  ]);
});

Deno.test("paths go through embedded structs and arrays, not pointers", () => {
  const t = types();
  assert.equal(t.offset("task", "mem[2].link.next"), 56 + 48 + 8);
  assert.equal(t.offset("task", "tail[1].size"), 200 + 24 + 8);
  assert.equal(t.tryOffset("task", "mem[3].size"), undefined);
  assert.equal(t.tryOffset("task", "comm[4]"), 36);
  assert.equal(t.tryOffset("task", "state[0]"), undefined);
  assert.equal(t.tryOffset("task", "tasks.next.prev"), undefined);
  assert.equal(t.tryOffset("task", ""), undefined);
  assert.equal(t.tryOffset("task", "tasks..next"), undefined);
  assert.equal(t.tryMember("task", "mem[1].size")?.typeName, "unsigned int");
  assert.throws(() => t.offset("task", "nope"), {
    name: "KernelError",
    message: "this kernel's struct task has no member nope",
  });
  assert.throws(() => t.offset("nope", "x"), /BTF has no struct nope/);
});

Deno.test("bit-fields have bit offsets, and a unit that holds them", () => {
  const t = types();
  const bits = (struct: string, name: string) => {
    const m = t.tryMember(struct, name);
    return [m?.offset, m?.bitOffset, m?.bitSize];
  };
  assert.deepEqual(bits("flags", "plain"), [0, undefined, undefined]);
  assert.deepEqual(bits("flags", "a"), [4, 32, 1]);
  assert.deepEqual(bits("flags", "b"), [4, 33, 12]);
  // It crosses a unit of its type, which happens only in packed structs.
  assert.deepEqual(bits("flags", "odd"), [7, 60, 6]);
  assert.deepEqual(bits("old_flags", "x"), [0, undefined, undefined]);
  assert.deepEqual(bits("old_flags", "y"), [4, 37, 3]);
});

Deno.test("typedefs of structs are found by name", () => {
  const t = types();
  assert.equal(t.offset("atomic_t", "counter"), 0);
  assert.equal(t.tryStruct("u64"), undefined);
  assert.equal(t.tryStruct(""), undefined);
});

Deno.test("32-bit and 64-bit enumerators, signed and unsigned", () => {
  const t = types();
  assert.equal(t.enumerator("MODULE_STATE_GOING"), 2);
  assert.equal(t.enumerator("MINUS"), -1);
  assert.equal(t.enumerator("ALL_ONES"), 0xffffffff);
  assert.equal(t.enumerator("BIG"), 2 ** 40);
  assert.equal(t.enumerator("NEG"), -5);
  assert.throws(() => t.enumerator("NO"), /has no enumerator NO/);
  assert.throws(
    () => t.enumerator("MODULE_STATE_GOIN"),
    /no enumerator MODULE_STATE_GOIN: did you mean "MODULE_STATE_GOING"/,
  );
  assert.deepEqual([...t.tryEnum("module_state") ?? []], [
    ["MODULE_STATE_LIVE", 0],
    ["MODULE_STATE_GOING", 2],
  ]);
  assert.equal(t.tryEnum("task"), undefined);
});

Deno.test("prototypes and function pointers in C notation", () => {
  const t = types();
  const read = t.prototype("vfs_read");
  assert.deepEqual(
    read?.parameters.map(({ name, typeName }) => [name, typeName]),
    [
      ["file", "struct file *"],
      ["buf", "char *"],
      ["fmt", "const char *const"],
      ["", "..."],
    ],
  );
  assert.equal(read?.returns, "ssize_t");
  assert.deepEqual(
    read?.parameters.map(({ type }) => t.typeOf(type).kind),
    ["pointer", "pointer", "pointer", "void"],
  );
  assert.equal(t.prototype("task"), undefined);
  const members = t.struct("calls").members;
  assert.deepEqual([...members.values()].map((m) => m.typeName), [
    "ssize_t (*)(struct file *, char *, const char *const, ...)",
    "void (*)(void)",
    "int (*)[4]",
    "char[2][3]",
  ]);
});

Deno.test("damaged images are refused with the reason", () => {
  const good = kernelLike();
  const cases: [RegExp, (bytes: Uint8Array) => Uint8Array][] = [
    [/too few for a header/, (b) => b.subarray(0, 20)],
    [/magic is 0x0, not 0xeb9f/, (b) => (b.fill(0, 0, 2), b)],
    [/version 9 is unknown/, (b) => (b[2] = 9, b)],
    [/truncated/, (b) => b.subarray(0, b.length - 1)],
    [/start and end with a zero/, (b) => (b[b.length - 1] = 65, b)],
    [/unknown kind 31/, (b) => (b[31] = 31, b)],
    [/does not end in its section/, (b) => (b[28] = 0xff, b[31] = 4, b)],
  ];
  for (const [message, damage] of cases) {
    assert.throws(() => new BtfTypes(damage(good.slice())), (error) => {
      assert.ok(error instanceof KernelError);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("an image at an odd address can be read", () => {
  const good = kernelLike();
  const shifted = new Uint8Array(good.length + 1);
  shifted.set(good, 1);
  const t = new BtfTypes(shifted.subarray(1));
  assert.equal(t.offset("task", "comm"), 32);
});

Deno.test("members that overlap, or reach beyond their struct, give an error", () => {
  const of = (size: number, second: number, width = 0) => {
    const b = new BtfBuilder();
    const int = b.int("int", 4);
    b.compound("struct", "s", size, [
      { name: "a", type: int, bits: 0, ...(width === 0 ? {} : { width }) },
      { name: "b", type: int, bits: second },
    ]);
    return new BtfTypes(b.build());
  };
  assert.equal(of(8, 32).offset("s", "b"), 4);
  assert.throws(() => of(8, 24).struct("s"), /in struct s, a and b overlap/);
  assert.throws(() => of(4, 32).struct("s"), /in struct s, b reaches beyond/);
  // A bit-field leaves room for the next one.
  assert.equal(of(8, 3, 3).tryMember("s", "b")?.offset, 0);
  assert.throws(() => of(8, 2, 3).struct("s"), /in struct s, a and b overlap/);
});

Deno.test("types that contain themselves give an error", () => {
  const loops: ((b: BtfBuilder) => void)[] = [
    (b) => b.compound("struct", "s", 8, [{ name: "", type: 1, bits: 0 }]),
    (b) => {
      b.ref("typedef", 1, "t");
      b.compound("struct", "s", 8, [{ name: "m", type: 1, bits: 0 }]);
    },
    (b) => {
      b.array(1, 2);
      b.compound("struct", "s", 8, [{ name: "m", type: 1, bits: 0 }]);
    },
    (b) => b.compound("struct", "s", 8, [{ name: "m", type: 99, bits: 0 }]),
  ];
  for (const make of loops) {
    const builder = new BtfBuilder();
    make(builder);
    assert.throws(
      () => new BtfTypes(builder.build()).struct("s"),
      KernelError,
    );
  }
});

Deno.test("members lie where the encoder placed them", () => {
  const shape = fc.array(
    fc.record({ size: fc.constantFrom(1, 2, 4, 8), nested: fc.boolean() }),
    { minLength: 1, maxLength: 20 },
  );
  fc.assert(fc.property(shape, (fields) => {
    const b = new BtfBuilder();
    const ints = new Map([1, 2, 4, 8].map((n) => [n, b.int(`u${n * 8}`, n)]));
    const members: FixtureMember[] = [];
    const expected: [string, number, number][] = [];
    let at = 0;
    fields.forEach(({ size, nested }, i) => {
      at = Math.ceil(at / size) * size;
      const type = ints.get(size) ?? 0;
      const name = `m${i}`;
      members.push(
        nested
          ? {
            name: "",
            type: b.compound("union", "", size, [{ name, type, bits: 0 }]),
            bits: at * 8,
          }
          : { name, type, bits: at * 8 },
      );
      expected.push([name, at, size]);
      at += size;
    });
    b.compound("struct", "s", at, members);
    const layout = new BtfTypes(b.build()).struct("s");
    assert.deepEqual(
      [...layout.members.values()].map((m) => [m.name, m.offset, m.size]),
      expected,
    );
  }));
});

Deno.test("random bytes never cause a hang or an error other than KernelError", () => {
  const good = kernelLike();
  const change = fc.tuple(fc.nat(good.length - 1), fc.nat(255));
  const damage = fc.array(change, { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(damage, (changes) => {
      const bytes = good.slice();
      for (const [at, value] of changes) bytes[at] = value;
      const ask: ((t: BtfTypes) => unknown)[] = [
        (t) => t.tryStruct("task"),
        (t) => t.tryMember("task", "mem[1].link.next"),
        (t) => t.tryStruct("calls"),
        (t) => t.tryStruct("flags"),
        (t) => t.prototype("vfs_read"),
        (t) => t.tryEnumerator("BIG"),
        (t) => t.tryEnum("big"),
        (t) => t.tryType("struct task *[3]"),
        (t) => [...t.variables()],
        (t) => described(t),
      ];
      for (const question of ask) {
        try {
          question(new BtfTypes(bytes));
        } catch (error) {
          assert.ok(error instanceof KernelError, String(error));
        }
      }
    }),
    { numRuns: times(1000) },
  );
});

/** Describes all types and their components. */
function described(types: BtfTypes): void {
  for (let id = 0; id <= types.count; id++) {
    try {
      const type = types.typeOf(id);
      if (type.kind === "pointer") assert.ok(type.target.kind);
      else if (type.kind === "array") assert.ok(type.element.kind);
      else if (type.kind === "struct") assert.ok(type.layout);
      else if (type.kind === "enum") assert.ok(type.names);
    } catch (error) {
      assert.ok(error instanceof KernelError, String(error));
    }
  }
}
