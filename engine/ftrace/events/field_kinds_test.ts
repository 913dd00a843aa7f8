import assert from "node:assert/strict";
import {
  argumentKind,
  eventFieldKind,
  fieldKind,
  isSigned,
  isWord,
} from "./field_kinds.ts";
import type { EventField, EventFormat } from "./formats.ts";

const field = (type: string, name: string, size: number): EventField => ({
  name,
  type,
  size,
  offset: 8,
  signed: false,
});

const kind = (type: string, name = "f", size = 8) =>
  eventFieldKind(field(type, name, size));

Deno.test("texts are arrays of characters; other arrays have no kind", () => {
  assert.equal(kind("char[16]"), "text");
  assert.equal(kind("__data_loc char[]"), "text");
  assert.equal(kind("__rel_loc char []"), "text");
  assert.equal(kind("u8[6]"), undefined);
  assert.equal(kind("__data_loc u32[]"), undefined);
  assert.equal(kind("uchar_t[4]"), undefined);
});

Deno.test("addresses of functions are told by name and width", () => {
  assert.equal(kind("void *", "function"), "function");
  assert.equal(kind("unsigned long", "call_site"), "function");
  assert.equal(kind("unsigned int", "ip", 4), "number");
  assert.equal(kind("void *", "ptr"), "address");
  assert.equal(kind("const char *", "name"), "address");
  assert.equal(kind("unsigned long", "address"), "address");
  assert.equal(kind("unsigned int", "addr", 4), "number");
  assert.equal(kind("unsigned long", "addr_count"), "number");
});

Deno.test("a system call's argument never names a kernel function", () => {
  const format = (syscall: boolean): EventFormat => ({
    id: 1,
    system: "s",
    name: "n",
    fields: [],
    printFmt: "",
    ...(syscall ? { syscall: { name: "sys_x", exit: false } } : {}),
  } as EventFormat);
  const ip = field("unsigned long", "ip", 8);
  assert.equal(fieldKind(format(false), ip), "function");
  assert.equal(fieldKind(format(true), ip), "number");
});

Deno.test("arguments that are texts, and buffers that are not", () => {
  assert.equal(argumentKind("filename", "const char *"), "text");
  assert.equal(argumentKind("filename", "const char __user *"), "text");
  assert.equal(argumentKind("buf", "const char __user *"), "address");
  assert.equal(argumentKind("buf", "char *"), "address");
  assert.equal(argumentKind("argv", "const char *const *"), "address");
  assert.equal(argumentKind("count", "size_t"), "size");
  assert.equal(argumentKind("fd", "unsigned int"), "number");
  assert.equal(argumentKind("x", ""), "number");
});

Deno.test("sign and width of arguments", () => {
  const of = (type: string) => [isSigned(type), isWord(type)];
  assert.deepEqual(of("int"), [true, true]);
  assert.deepEqual(of("unsigned int"), [false, true]);
  assert.deepEqual(of("long"), [true, false]);
  assert.deepEqual(of("unsigned long"), [false, false]);
  assert.deepEqual(of(" pid_t "), [true, true]);
  assert.deepEqual(of("size_t"), [false, false]);
  assert.deepEqual(of("umode_t"), [false, true]);
  assert.deepEqual(of("struct pollfd *"), [false, false]);
});
