import assert from "node:assert/strict";
import { architectures, archNamed } from "./all.ts";
import { withoutOffset } from "./ftrace_sites.ts";
import { COMMON_MECHANISMS } from "./patching.ts";
import { describedSyscalls, syscallParameters } from "./syscall_parameters.ts";

// What every architecture must satisfy; a new one is tested here as well.
for (const arch of architectures) {
  const { ftraceSites, image, instructions, patching, syscalls } = arch;

  Deno.test(`${arch.name}: is found by its name, and no other has its ELF machine`, () => {
    assert.equal(archNamed(arch.name), arch);
    const same = architectures.filter(({ elfMachine }) =>
      elfMachine === arch.elfMachine
    );
    assert.deepEqual(same, [arch]);
  });

  Deno.test(`${arch.name}: an image fits where it may lie`, () => {
    const { alignment, linkText, maxSize, range } = image;
    assert.ok(linkText >= range.start && linkText < range.end);
    assert.ok(range.end - range.start >= BigInt(maxSize));
    assert.equal(alignment % 4096, 0);
  });

  Deno.test(`${arch.name}: mechanisms have distinct names`, () => {
    const { bentCalls, mechanisms, named, staticCalls } = patching;
    assert.equal(new Set(mechanisms).size, mechanisms.length);
    const marks = patching.tables({
      tryStruct: () => undefined,
      tryOffset: () => undefined,
    }).map(({ mechanism }) => mechanism);
    for (
      const one of [
        ...COMMON_MECHANISMS,
        ...marks,
        ...named.map(({ mechanism }) => mechanism),
        ...(bentCalls === undefined ? [] : [bentCalls.mechanism]),
        staticCalls.mechanism,
      ]
    ) assert.ok(mechanisms.indexOf(one) > 0, one);
  });

  Deno.test(`${arch.name}: the no-ops at a site that does not call Ftrace`, () => {
    const { find, lookAt, nops, offsets, size } = ftraceSites;
    assert.ok(nops.length > 0);
    assert.equal(offsets[0], 0);
    assert.ok(lookAt >= Math.max(...offsets) + size);
    assert.equal(find(new Uint8Array(lookAt)), undefined);
    for (const nop of nops) {
      assert.equal(nop.length, size);
      assert.equal(instructions.nopAt(nop), size);
      assert.ok(patching.isPlausible("Ftrace", nop));
      const first = new Uint8Array(lookAt);
      first.set(nop);
      assert.deepEqual(find(first), { offset: 0, calls: false });
      const decoder = instructions.decoder();
      assert.ok(decoder.decode(first, 0) > 0);
      assert.equal(decoder.branch, undefined);
      assert.ok(image.startsFunction(first));
    }
  });

  Deno.test(`${arch.name}: names and parameters of system calls`, () => {
    const { names, numbers, parameters, tables } = syscalls;
    assert.equal(names.short(names.entry("sys_openat")), "sys_openat");
    assert.equal(names.entry("vfs_read"), "vfs_read");
    assert.ok(
      tables[0].prefixes.some((prefix) =>
        names.entry("sys_read") === `${prefix}read`
      ),
    );
    const described = new Set(describedSyscalls());
    for (
      const call of [...Object.keys(numbers), ...Object.keys(parameters ?? {})]
    ) {
      assert.ok(described.has(call), call);
    }
    assert.equal(
      new Set(Object.values(numbers)).size,
      Object.keys(numbers).length,
    );
    assert.deepEqual(syscallParameters(syscalls).get(numbers.openat), [
      { name: "dfd", isPath: false },
      { name: "filename", isPath: true },
      { name: "flags", isPath: false },
      { name: "mode", isPath: false },
    ]);
  });
}

Deno.test("an unknown architecture, and recordings that name none", () => {
  assert.equal(archNamed().name, "x86_64");
  assert.throws(() => archNamed("vax"), /vax is no architecture .*x86_64/);
});

Deno.test("a function's name without the offset of its call site", () => {
  const sites = { ...architectures[0].ftraceSites, offsets: [0, 4, 8] };
  assert.equal(withoutOffset(sites, "vfs_read+0x4"), "vfs_read");
  assert.equal(withoutOffset(sites, "hooked+0x8 [module]"), "hooked [module]");
  assert.equal(withoutOffset(sites, "vfs_read+0x10"), "vfs_read+0x10");
  assert.equal(withoutOffset(sites, "vfs_read"), "vfs_read");
});
