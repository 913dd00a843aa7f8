import assert from "node:assert/strict";
import fc from "fast-check";
import { declaration, dynamicKind } from "./formats.ts";
import { parseFormatFile } from "./formats_fixture.ts";

const WAKEUP = `name: sched_wakeup
ID: 322
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:char comm[16];	offset:8;	size:16;	signed:0;
	field:pid_t pid;	offset:24;	size:4;	signed:1;
	field:__data_loc char[] name;	offset:28;	size:4;	signed:0;

print fmt: "comm=%s pid=%d
 second line", REC->comm, REC->pid
`;

Deno.test("a format file gives the fields of the event", () => {
  const format = parseFormatFile(WAKEUP, "sched");
  assert.equal(format.id, 322);
  assert.equal(format.system, "sched");
  assert.equal(format.name, "sched_wakeup");
  assert.deepEqual(format.fields, [
    { name: "comm", type: "char[16]", offset: 8, size: 16, signed: false },
    { name: "pid", type: "pid_t", offset: 24, size: 4, signed: true },
    {
      name: "name",
      type: "__data_loc char[]",
      offset: 28,
      size: 4,
      signed: false,
    },
  ]);
  assert.equal(
    format.printFmt,
    '"comm=%s pid=%d\n second line", REC->comm, REC->pid',
  );
  assert.deepEqual(format.fields.map(dynamicKind), [
    undefined,
    undefined,
    "data_loc",
  ]);
});

Deno.test("the arguments of a system call come from its fields", () => {
  const format = parseFormatFile(
    `name: sys_enter_close
ID: 700
format:
	field:int __syscall_nr;	offset:8;	size:4;	signed:1;
	field:unsigned int fd;	offset:16;	size:8;	signed:0;

print fmt: "fd: 0x%08lx", ((unsigned long)(REC->fd))
`,
    "syscalls",
  );
  assert.deepEqual(format.syscall, {
    name: "sys_close",
    exit: false,
    args: ["fd"],
    types: ["unsigned int"],
  });
});

Deno.test("declarations are split into name and type", () => {
  assert.deepEqual(declaration("const char * str"), {
    name: "str",
    type: "const char *",
  });
  assert.deepEqual(declaration("unsigned long args[6]"), {
    name: "args",
    type: "unsigned long[6]",
  });
  assert.deepEqual(declaration("__rel_loc u8[] buf"), {
    name: "buf",
    type: "__rel_loc u8[]",
  });
});

Deno.test("text that is not a format file is refused", () => {
  assert.throws(() => parseFormatFile("hello", "x"), /not an event's format/);
});

Deno.test("declarations are split as a pattern would, and long ones at once", () => {
  const pattern = /^(.*?)\s*([A-Za-z_][A-Za-z0-9_]*)((?:\[[^\][]*\])*)$/;
  const alphabet = ["a", "_", "9", " ", "*", "[", "]", "char ", "[4]"];
  fc.assert(fc.property(
    fc.array(fc.constantFrom(...alphabet), { maxLength: 8 }),
    (parts) => {
      const text = parts.join("").trim();
      const [, type, name, groups] = pattern.exec(text) ?? [];
      assert.deepEqual(
        declaration(text),
        name === undefined
          ? { name: text, type: "" }
          : { name, type: type.trim() + groups },
      );
    },
  ));
  for (const piece of ["a ", "[]", "]", "[", " ", "a[", "9"]) {
    const text = piece.repeat(100_000);
    const { name, type } = declaration(text);
    assert.ok(name.length + type.length <= text.length);
  }
});
