import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { nameTable } from "../../kernel/symbols/symbol_blob.ts";
import { SymbolTable } from "../../kernel/symbols/symbol_table.ts";
import { CheckContext } from "../core/context.ts";
import { readOnce } from "../core/runner.ts";
import { textBranches } from "./xf008_text_branches.ts";

const TEXT = 0xffffffff81000000n;
/** The text of a module, code of nobody's, and memory for generated code. */
const MODULE = 0xffffffffc0100000n;
const FOREIGN = 0xffffffffc0200000n;
const RESERVE = 0xffffffffc0300000n;

/** A guest's module that has these bytes at these offsets of its text. */
interface Has {
  readonly at?: Readonly<Record<number, readonly number[]>>;
  /** Where it has a call, and of what (default: of nobody's code). */
  readonly call?: readonly [at: number, to?: bigint];
  /** Where its symbol lies, if it has one. */
  readonly symbol?: number;
}

function said({ at = {}, call, symbol }: Has) {
  const { kernel } = new FixtureGuest(fixtureTypes({
    tracepoint: { size: 16, members: { funcs: [0, "u64"] } },
  }, [["MODULE_STATE_LIVE", 0]]));
  const bytes = new Uint8Array(256).fill(0x90);
  for (const [offset, some] of Object.entries(at)) {
    bytes.set(some, Number(offset));
  }
  if (call !== undefined) {
    const [from, to = FOREIGN] = call;
    bytes[from] = 0xe8;
    const distance = Number(to - MODULE) - from - 5;
    new DataView(bytes.buffer).setInt32(from + 1, distance, true);
  }
  const range = { start: MODULE, end: MODULE + 256n };
  const module: ModuleView = {
    name: "two",
    gva: MODULE + 0x1000n,
    state: 0,
    text: [range],
    ranges: [range],
    hasInit: false,
    vouched: true,
    taints: [],
  };
  if (symbol !== undefined && kernel.symbols instanceof SymbolTable) {
    const address = MODULE + BigInt(symbol);
    kernel.symbols.setRegions([{
      module: "two",
      table: nameTable([new TextEncoder().encode("f")], new Uint8Array([116])),
      addresses: BigUint64Array.of(address),
      lookup: (gva) =>
        gva < address || gva >= range.end
          ? undefined
          : { name: "f", address, offset: Number(gva - address), size: 256 },
    }]);
  }
  const kindOf = (gva: bigint) =>
    gva >= range.start && gva < range.end ? "module" : "foreign";
  const page = (start: bigint) => ({
    start,
    end: start + 4096n,
    writable: false,
  });
  const code = {
    pages: { executable: [MODULE, FOREIGN, RESERVE].map(page) },
    reserves: [page(RESERVE)],
    modules: [module],
    at: (address: bigint) => ({
      kind: kindOf(address),
      address,
      name: `0x${address.toString(16)}`,
      symbol: undefined,
      offset: 0,
      module: undefined,
    }),
  };
  const context: CheckContext = Object.create(CheckContext.prototype, {
    kernel: { value: kernel },
    code: { value: code },
    sites: { value: { count: 0 } },
    kprobes: { value: [] },
    text: {
      value: { start: TEXT, end: TEXT + 16n, bytes: new Uint8Array(16) },
    },
    moduleText: { value: () => ({ ...range, bytes }) },
  });
  const { findings, unjudged } = readOnce(kernel, textBranches, context);
  return {
    findings: findings.map(({ summary }) => summary),
    unjudged: unjudged.map(({ what, why }) => `${what}: ${why}`),
  };
}

Deno.test("a module that leads nowhere else is clean", () => {
  assert.deepEqual(said({}), { findings: [], unjudged: [] });
  assert.deepEqual(said({ call: [32, MODULE] }), {
    findings: [],
    unjudged: [],
  });
});

Deno.test("a call of nobody's code is found without the module's symbols", () => {
  for (const symbol of [undefined, 0, 16, 128]) {
    const { findings, unjudged } = said({
      call: [32],
      ...(symbol === undefined ? {} : { symbol }),
    });
    assert.deepEqual(unjudged, []);
    assert.equal(findings.length, 1, `symbol at ${symbol}`);
    assert.match(
      findings[0],
      /^0xffffffffc0100020 calls 0xffffffffc0200000, code that belongs to nobody/,
    );
  }
});

Deno.test("a call of nobody's code that hides behind other bytes is unjudged", () => {
  const kinds: Has[] = [
    // A symbol that begins amid the call.
    { symbol: 33 },
    // jmp over a byte that begins no instruction.
    { at: { 29: [0xeb, 1, 0x06] } },
    // jmp over the first bytes of a movabs, which swallows the call.
    { at: { 26: [0xeb, 4, 0x48, 0xb9, 0, 0] } },
  ];
  for (const [i, kind] of kinds.entries()) {
    const { findings, unjudged } = said({ ...kind, call: [32] });
    assert.deepEqual(findings, [], `kind ${i}`);
    assert.equal(unjudged.length, 1, `kind ${i}`);
    assert.match(unjudged[0], /lead to 0xffffffffc0200000 if they are run/);
  }
});

Deno.test("bytes that are no instruction may lead to memory for generated code", () => {
  assert.deepEqual(
    said({ at: { 26: [0xeb, 4, 0x48, 0xb9, 0, 0] }, call: [32, RESERVE] }),
    { findings: [], unjudged: [] },
  );
});
