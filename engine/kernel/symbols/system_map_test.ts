import assert from "node:assert/strict";
import fc from "fast-check";
import { KernelError } from "../../base/errors.ts";
import { SymbolTable } from "./symbol_table.ts";
import { parseSystemMap, readSystemMap } from "./system_map.ts";

const MAP = `0000000000000000 D __per_cpu_start
000000000001fb80 D current_task
0000000001000000 A phys_startup_64
ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000040 T schedule
ffffffff81000100 W weak_one
ffffffff81000100 T __stop_things
ffffffff81000100 T __strong
ffffffff81000100 T strong
ffffffff81000200 r __kstrtab_schedule
ffffffff81200000 T _etext
ffffffff82000000 B _end
`;

const TEXT = 0xffffffff9a000000n;

Deno.test("a System.map gives symbols wherever the kernel was loaded", () => {
  const symbols = new SymbolTable(parseSystemMap(MAP, "map"), TEXT);
  assert.equal(symbols.address("schedule"), TEXT + 0x40n);
  assert.equal(symbols.address("current_task"), 0x1fb80n);
  assert.equal(symbols.tryAddress("__kstrtab_schedule"), undefined);
  assert.equal(symbols.count, 12);
});

Deno.test("aliases are ordered as in kallsyms", () => {
  const symbols = new SymbolTable(parseSystemMap(MAP, "map"), TEXT);
  const names = [...symbols.entries()].map(({ name }) => name);
  assert.deepEqual(names.slice(6, 10), [
    "strong",
    "__strong",
    "__stop_things",
    "weak_one",
  ]);
  assert.equal(symbols.lookup(TEXT + 0x108n)?.name, "strong");
});

Deno.test("a saved /proc/kallsyms works too, without its modules", () => {
  const saved = MAP + "ffffffffc0100000 t mod_fn\t[ext4]\n";
  const symbols = new SymbolTable(parseSystemMap(saved, "saved"), TEXT);
  assert.equal(symbols.tryAddress("mod_fn"), undefined);
  assert.equal(symbols.count, 12);
});

Deno.test("files that are not a System.map are recognized", () => {
  const cases: [RegExp, string][] = [
    [
      /^map is only a stub: the real System\.map is in the package linux-image-<version>-dbg/,
      "ffffffffffffffff B The real System.map is in the linux-image-<version>-dbg package\n",
    ],
    [
      /^map, line 2: not a System\.map line .*"hello"/,
      `${MAP.split("\n")[0]}\nhello\n`,
    ],
    [/^map holds no symbols/, "\n"],
    [/^map: all addresses are 0/, MAP.replace(/^\S+/gm, "0".repeat(16))],
    [/is called schedule/, MAP.replace("schedule", "other")],
  ];
  for (const [message, text] of cases) {
    assert.throws(() => parseSystemMap(text, "map"), (error) => {
      assert.ok(error instanceof KernelError);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("a file that is missing, or none, is named in the error", () => {
  const cases: [string, RegExp][] = [
    ["/no/such/map", /^System\.map: no such file: \/no\/such\/map$/],
    ["/dev/zero", /^System\.map: \/dev\/zero is a device, not a regular file$/],
    ["/tmp", /^System\.map: \/tmp is a folder, not a regular file$/],
  ];
  for (const [path, message] of cases) {
    assert.throws(() => readSystemMap(path), (error) => {
      assert.ok(error instanceof KernelError);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("any text gives symbols or a KernelError", () => {
  const line = fc.oneof(
    fc.constantFrom(...MAP.split("\n")),
    fc.string({ maxLength: 40 }),
  );
  fc.assert(fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
    try {
      parseSystemMap(lines.join("\n"), "map");
    } catch (error) {
      assert.ok(error instanceof KernelError, String(error));
    }
  }));
});

Deno.test("a file of nothing but line ends, or of too many symbols, is refused", () => {
  assert.throws(
    () => parseSystemMap("\n".repeat(5_000_000), "f"),
    /f holds no symbols/,
  );
  assert.throws(
    () => parseSystemMap("ffffffff81000000 T _text\n".repeat(1_000_001), "f"),
    /f holds more than 1000000 symbols/,
  );
});
