/** System-call events of kernels that record what arguments point to. */
import assert from "node:assert/strict";
import type { SyscallUserData } from "../../ftrace/events/formats.ts";
import { openFlags } from "./open_flags.ts";
import { RecordBytes } from "./record.ts";
import { syscallRenderer } from "./syscall.ts";

/** The print_fmt of sys_enter_openat, as it is in 7.2.13 on x86-64. */
const OPENAT =
  '"dfd: 0x%08lx, filename: 0x%08lx \\"%s\\", flags: %s%s, mode: 0%03o", ' +
  "((unsigned long)(REC->dfd)), ((unsigned long)(REC->filename)), " +
  '__get_str(__filename_val), (REC->flags & ~3) && !(REC->flags & 3) ? "O_RDONLY|" : "", ' +
  'REC->flags ? __print_flags(REC->flags, "|", { 0x1, "O_WRONLY" }, ' +
  '{ 0x2, "O_RDWR" }, { 0x40, "O_CREAT" }, { 0x10000, "O_DIRECTORY" }, ' +
  '{ 0x80000, "O_CLOEXEC" }) : "O_RDONLY", ((unsigned long)(REC->mode))';

/** An enter event with these arguments, and data behind them. */
function record(args: readonly bigint[], data: readonly string[]) {
  const bytes = new Uint8Array(256);
  const view = new DataView(bytes.buffer);
  args.forEach((arg, i) => view.setBigUint64(16 + 8 * i, arg, true));
  const words = 16 + 8 * args.length;
  let at = words + 4 * data.length;
  data.forEach((text, i) => {
    const encoded = Uint8Array.from(text, (c) => c.charCodeAt(0));
    view.setUint32(words + 4 * i, at | encoded.length << 16, true);
    bytes.set(encoded, at);
    at += encoded.length;
  });
  return new RecordBytes(bytes.slice(0, at));
}

function text(
  name: string,
  args: readonly string[],
  user: SyscallUserData | undefined,
  of: RecordBytes,
  { verbose = false, printFmt = "" } = {},
): string {
  const types = args.map(() => "long");
  return syscallRenderer({
    printFmt,
    syscall: {
      name,
      exit: false,
      args,
      types,
      ...(user === undefined ? {} : { user }),
    },
  }, verbose)(of);
}

const STRING = { sizeArgument: -1, isString: false };

Deno.test("strings and arrays that an event holds", () => {
  const read = (...data: string[]) => record([9n, 10n, 5n], data);
  const args = ["a", "b", "c"];
  assert.equal(
    text("sys_x", args, undefined, read()),
    "sys_x(a: 9, b: a, c: 5)\n",
  );
  assert.equal(
    text("sys_x", args, { ...STRING, mask: 0b101 }, read("one\0", "two\0")),
    'sys_x(a: 9 "one", b: 0xa, c: 5 "two")\n',
  );
  const sized = { mask: 0b10, sizeArgument: 2, isString: false };
  assert.equal(
    text("sys_x", args, sized, read("hi\n\x00\xff")),
    'sys_x(a: 9, b: 0xa (68:69:0a:00:ff) "hi...", c: 5)\n',
  );
  assert.equal(
    text("sys_x", args, sized, read("\x01\x02")),
    "sys_x(a: 9, b: 0xa (01:02, ...), c: 5)\n",
  );
  assert.equal(
    text("sys_x", args, sized, read("ab")),
    'sys_x(a: 9, b: 0xa (61:62, ...) "ab"..., c: 5)\n',
  );
  assert.equal(
    text("sys_x", args, { ...sized, isString: true }, read("ab\0")),
    'sys_x(a: 9, b: 0xa "ab", c: 5)\n',
  );
  // Nothing could be read.
  assert.equal(
    text("sys_x", args, { ...STRING, mask: 1 }, read("")),
    'sys_x(a: 9 "", b: 0xa, c: 5)\n',
  );
  // Lengths and places that are not in the record.
  const damaged = record([9n, 10n, 5n], ["x"]);
  assert.match(
    text("sys_x", args, { ...sized, sizeArgument: 0 }, damaged),
    /^sys_x\(/,
  );
});

Deno.test("the flags of openat, where the kernel decodes them", () => {
  const args = ["dfd", "filename", "flags", "mode"];
  const user = { ...STRING, mask: 2 };
  const open = (flags: bigint, more = {}) =>
    text(
      "sys_openat",
      args,
      user,
      record([0xffffff9cn, 4096n, flags, 0o600n], ["/x\0"]),
      { printFmt: OPENAT, ...more },
    );
  const start = 'sys_openat(dfd: 4294967196, filename: 4096 "/x", flags: ';
  assert.equal(open(0n), `${start}O_RDONLY)\n`);
  assert.equal(open(0x80000n), `${start}O_RDONLY|O_CLOEXEC)\n`);
  assert.equal(open(0x41n), `${start}O_WRONLY|O_CREAT, mode: 0600)\n`);
  assert.equal(open(0x410002n), `${start}O_TMPFILE|O_RDWR, mode: 0600)\n`);
  // O_DIRECTORY is one of O_TMPFILE's bits, so the mode is printed.
  assert.equal(open(0x10000n), `${start}O_RDONLY|O_DIRECTORY, mode: 0600)\n`);
  assert.equal(open(0x8n), `${start}O_RDONLY|0x8)\n`);
  assert.match(open(0n, { verbose: true }), /long flags: 0, long mode: 0x180/);
  assert.match(
    open(0n, { printFmt: '"flags: 0x%08lx", REC->flags' }),
    /flags: 0, mode: 0x180/,
  );
  assert.equal(openFlags('"flags: %s%s, mode: 0%03o", none'), undefined);
});
