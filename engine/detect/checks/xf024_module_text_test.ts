import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { readModule } from "../../kernel/objects/module_views.ts";
import { CheckContext, type CheckOptions } from "../core/context.ts";
import { readOnce } from "../core/runner.ts";
import type { Relocatable } from "../text/relocatable.ts";
import { moduleTextIntegrity } from "./xf024_module_text.ts";

const TYPES = fixtureTypes({
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  module_layout: {
    size: 24,
    members: { base: [0, "u64"], size: [8, "u32"], text_size: [12, "u32"] },
  },
  kernfs_node: { size: 8, members: { id: [0, "u64"] } },
  kobject: { size: 8, members: { sd: [0, "u64"] } },
  module_kobject: { size: 8, members: { kobj: [0, "kobject"] } },
  attribute: { size: 8, members: { name: [0, "u64"] } },
  bin_attribute: { size: 8, members: { attr: [0, "attribute"] } },
  module_sect_attr: {
    size: 16,
    members: { battr: [0, "bin_attribute"], address: [8, "u64"] },
  },
  module_sect_attrs: {
    size: 64,
    members: { nsections: [0, "u32"], attrs: [8, "module_sect_attr"] },
  },
  module: {
    size: 128,
    members: {
      state: [0, "u32"],
      name: [8, "u64"],
      core_layout: [32, "module_layout"],
      init_layout: [56, "module_layout"],
      taints: [80, "u64"],
      sig_ok: [88, "u8"],
      sect_attrs: [96, "u64"],
      mkobj: [104, "module_kobject"],
    },
  },
}, [["MODULE_STATE_LIVE", 0]]);

const CODE = Uint8Array.of(0x55, 0x48, 0x89, 0xe5, 0x5d, 0xc3);

/** A module's file, of code and data of so many bytes. */
function file(code: Uint8Array, source = "two.ko"): Relocatable {
  const section = (name: string, bytes: Uint8Array, executable: boolean) => ({
    name,
    bytes,
    size: bytes.length,
    align: 16,
    alloc: true,
    executable,
  });
  const none = section("", new Uint8Array(), false);
  return {
    source,
    sections: [
      { ...none, alloc: false },
      section(".text", code, true),
      section(".data", new Uint8Array(64), false),
    ],
    symbols: [],
    relocations: new Map(),
  };
}

interface Has {
  /** The code of the module as it is loaded; default: none. */
  readonly code?: Uint8Array;
  /** Whether the guest says that its signature was checked; default: yes. */
  readonly signed?: boolean;
  readonly options?: CheckOptions;
}

/** What is said of a guest that has loaded one module. */
function said({ code = new Uint8Array(), signed = true, options = {} }: Has) {
  const guest = new FixtureGuest(TYPES);
  const gva = guest.create("module");
  const at = (member: string) => guest.at("module", gva, member);
  const memory = guest.allocate(4096, 4096);
  guest.bytes.set(code, guest.gpa(memory));
  guest.bytes.set(new TextEncoder().encode("two"), guest.gpa(at("name")));
  guest.setU64(at("core_layout.base"), memory);
  guest.setU32(at("core_layout.size"), 4096);
  guest.setU32(at("core_layout.text_size"), code.length);
  guest.bytes[guest.gpa(at("sig_ok"))] = signed ? 1 : 0;
  if (!signed) guest.setU64(at("taints"), 1 << 12 | 1 << 13);
  const attrs = guest.create("module_sect_attrs");
  guest.setU64(at("sect_attrs"), attrs);
  const sections = [
    ...code.length > 0 ? [[".text", memory] as const] : [],
    [".data", memory + 0x800n] as const,
  ];
  guest.setU32(attrs, sections.length);
  sections.forEach(([name, address], i) => {
    const one = attrs + 8n + BigInt(16 * i);
    guest.setU64(one, guest.text(name));
    guest.setU64(one + 8n, address);
  });
  const { kernel } = guest;
  const module = readModule(kernel, gva);
  const { start, end } = module.text[0] ?? { start: 0n, end: 0n };
  const bytes = kernel.space.bytes(start, Number(end - start));
  const { moduleFiles = () => [], moduleFolders } = options;
  const context: CheckContext = Object.create(CheckContext.prototype, {
    kernel: { value: kernel },
    options: { value: options },
    code: {
      value: {
        modules: [module],
        at: (address: bigint) => ({
          kind: "module",
          address,
          name: `two+${address - memory}`,
        }),
      },
    },
    sites: { value: { count: 0 } },
    kprobes: { value: [] },
    filesOf: { value: (name: string) => moduleFiles(name) },
    trustsName: {
      value: () => options.trustModules?.includes("two") === true,
    },
    moduleText: { value: () => ({ start, end, bytes }) },
  });
  assert.ok(moduleFolders === undefined || moduleFolders.length > 0);
  const { findings, unjudged, known, noted, notRun } = readOnce(
    kernel,
    moduleTextIntegrity,
    context,
  );
  return {
    findings: findings.map(({ summary }) => summary),
    unjudged: unjudged.map(({ what, why }) => `${what}: ${why}`),
    known,
    noted,
    notRun,
  };
}

const gives = (one: Relocatable): CheckOptions => ({
  moduleFiles: (name) => name === "two" ? [one] : [],
});
const CLEAN = {
  findings: [],
  unjudged: [],
  known: [],
  noted: undefined,
  notRun: undefined,
};

Deno.test("a module that is data alone is judged by its file", () => {
  assert.deepEqual(said({ options: gives(file(new Uint8Array())) }), CLEAN);
});

Deno.test("a module that says that it has no code, and whose file has some, is unjudged", () => {
  const { unjudged } = said({ options: gives(file(CODE)) });
  assert.deepEqual(unjudged, [
    "text of module two: two.ko is another build: its code takes 6 bytes, and 0 are loaded",
  ]);
});

Deno.test("a module with code is judged by its file, byte by byte", () => {
  const options = gives(file(CODE));
  assert.deepEqual(said({ code: CODE, options }), CLEAN);
  const bent = CODE.with(1, 0x49);
  assert.deepEqual(said({ code: bent, options }).findings, [
    "1 bytes of two+1 are not those of two.ko",
  ]);
  // Code that a file without any does not explain.
  const { findings, unjudged } = said({
    code: CODE,
    options: gives(file(new Uint8Array())),
  });
  assert.deepEqual([findings, unjudged], [[], [
    "text of module two: two.ko is another build: it has no section .text behind number 0",
  ]]);
});

Deno.test("a module that its file alone vouches for is told, always", () => {
  const options = gives(file(CODE));
  const { noted, findings } = said({ code: CODE, signed: false, options });
  assert.deepEqual([findings, noted], [[], [
    "module two is vouched for by the file you gave, two.ko, and not by the kernel (out of tree, unsigned)",
  ]]);
  // The host knows what it has built itself.
  const own = said({
    code: CODE,
    signed: false,
    options: gives({ ...file(CODE), mayDiffer: true }),
  });
  assert.deepEqual(own.noted, undefined);
  assert.deepEqual(own.known, ["module two was built on this host: two.ko"]);
  // A file whose text is another vouches for nothing.
  const bent = said({ code: CODE.with(1, 0), signed: false, options });
  assert.deepEqual(bent.noted, undefined);
});

Deno.test("a module of which a folder of modules has no file is unjudged", () => {
  const options: CheckOptions = {
    moduleFiles: () => [],
    moduleFolders: ["/lib/modules/6.12"],
  };
  const forged = said({ code: CODE, options });
  assert.deepEqual(forged.unjudged, [
    "module two: /lib/modules/6.12 has no file of module two: that its signature was checked is said by its own flags alone; give its file (--modules FILE.ko)",
  ]);
  assert.match(forged.notRun ?? "", /^no files of modules were given/);
  const unsigned = said({ code: CODE, signed: false, options });
  assert.match(
    unsigned.unjudged[0],
    /for which the kernel does not vouch either \(out of tree, unsigned\)/,
  );
  const trusted = said({
    code: CODE,
    options: { ...options, trustModules: ["two"] },
  });
  assert.deepEqual(trusted.unjudged, []);
  assert.deepEqual(trusted.known, [
    "/lib/modules/6.12 has no file of module two, which is trusted by its name",
  ]);
  // Single files say nothing of other modules.
  const single = said({ code: CODE, options: { moduleFiles: () => [] } });
  assert.deepEqual(single.unjudged, []);
});
