/** Every line of the format `jsonl` is what its schema and docs/json.md say. */
import assert from "node:assert/strict";
import * as z from "zod";
import { KIND } from "../../ftrace/ring/columns.ts";
import {
  decodeFixture,
  FIXTURES,
  loadFixture,
} from "../../ftrace/ring/fixtures/load_fixture.ts";
import {
  DAT_KINDS,
  datFile,
  kindName,
  openDatBytes,
} from "../../tracedat/dat_fixture.ts";
import { writeBuffers } from "../write_buffers.ts";
import { writeDat } from "../write_dat.ts";
import { BARE_META, rowsOf } from "../writer_fixture.ts";
import { DEFAULT_TEXT_OPTIONS } from "../text/options.ts";
import { callRows, written } from "./call_fixture.ts";
import { JSONL } from "./jsonl.ts";
import { type TraceLine, traceLineSchema } from "./jsonl_schema.ts";

/** The lines of a text, each of which the schema accepts as it is. */
function checked(text: string): TraceLine[] {
  return text.trimEnd().split("\n").map((line) => {
    const parsed = traceLineSchema.safeParse(JSON.parse(line));
    assert.ok(parsed.success, `${line}: ${parsed.error}`);
    assert.deepEqual(parsed.data, JSON.parse(line));
    return parsed.data;
  });
}

const decoder = new TextDecoder();

for (const name of FIXTURES) {
  Deno.test(`${name}: the schema accepts every line`, () => {
    const fixture = loadFixture(name);
    const decoded = decodeFixture(fixture);
    const lines = checked(decoder.decode(written(JSONL, decoded, fixture)));
    assert.equal(lines.length, decoded.columns.length);
  });
}

for (const kind of DAT_KINDS) {
  Deno.test(`${kindName(kind)}: the schema accepts every line, of two instances, with losses and an unknown event`, () => {
    using trace = openDatBytes(datFile(kind));
    let text = "";
    writeDat(trace, JSONL.writer((chunk) => text += chunk));
    const lines = checked(text);
    assert.ok(lines.every(({ target }) => typeof target === "string"));
    assert.ok(lines.some((line) => "lost" in line && line.lost === 3));
    assert.ok(lines.some((line) => "name" in line && line.name === null));
  });
}

Deno.test("return addresses, arguments, results and threads without a name", () => {
  const { columns, arena } = callRows([
    { func: 1, depth: 0, ts: 1 },
    { func: 1, depth: 0, ts: 9, duration: 8 },
    { func: 2, depth: -1, ts: 10, pid: -5, duration: 2 ** 64 },
  ]);
  arena.acquire();
  columns.kind[0] = KIND.entryRetaddr;
  columns.size.fill(48);
  const { layout } = BARE_META;
  const meta = {
    ...BARE_META,
    layout: {
      ...layout,
      graphEntry: { ...layout.graphEntry, retaddr: 24, args: 24 },
      graphReturn: { ...layout.graphReturn, retval: 16 },
    },
  };
  const lines = checked(
    decoder.decode(
      written(JSONL, { columns, arena }, {
        meta,
        options: DEFAULT_TEXT_OPTIONS,
      }),
    ),
  );
  const members = lines.map((line) =>
    "fields" in line ? Object.keys(line.fields) : []
  );
  assert.deepEqual(members, [
    ["func", "depth", "retaddr", "args"],
    ["func", "depth", "duration", "retval"],
    ["func", "depth", "duration", "retval"],
  ]);
});

Deno.test("a loss of which nobody knows how many events it was", () => {
  const lines = checked(
    decoder.decode(written(JSONL, rowsOf([[0, 5], [0, 6, -1]]))),
  );
  assert.deepEqual(lines[1], { lost: null, cpu: 0, before: 1_000_000_006 });
});

Deno.test("an entry that is cut short", () => {
  const format = {
    id: 11,
    system: "ftrace",
    name: "funcgraph_exit",
    printFmt: "",
    fields: [
      { name: "func", type: "unsigned long", offset: 8, size: 8 },
      { name: "rettime", type: "u64", offset: 24, size: 8 },
    ].map((field) => ({ ...field, signed: false })),
  };
  const rows = rowsOf([[0, 5]]);
  rows.arena.acquire();
  rows.columns.type[0] = 11;
  rows.columns.size[0] = 16;
  let text = "";
  writeBuffers(
    { ...rows, cpus: [] },
    {
      meta: { ...BARE_META, format: () => format },
      options: DEFAULT_TEXT_OPTIONS,
    },
    JSONL.writer((chunk) => text += chunk),
  );
  const [line] = checked(text);
  assert.equal("fields" in line && line.fields.rettime, null);
});

Deno.test("what no line has is refused", () => {
  const event = { ts: 1, cpu: 0, pid: 1, comm: null, name: "a", fields: {} };
  const call = { ...event, name: "funcgraph_entry" };
  const entry = { func: "f", depth: 0 };
  assert.ok(traceLineSchema.safeParse(event).success);
  assert.ok(traceLineSchema.safeParse({ ...call, fields: entry }).success);
  for (
    const wrong of [
      { ...event, more: 1 },
      { ...event, ts: "1" },
      { ...event, target: undefined },
      { ...event, name: null },
      { ...event, fields: { a: {} } },
      { ...event, fields: { a: [[1]] } },
      { ...call, fields: {} },
      { ...call, fields: { ...entry, duration: 1 } },
      { ...call, fields: { ...entry, args: [1] } },
      { lost: -1, cpu: 0, before: 1 },
      { lost: 1, cpu: 0, before: 1, ts: 1 },
    ]
  ) {
    assert.ok(!traceLineSchema.safeParse(wrong).success, JSON.stringify(wrong));
  }
});

/** What z.toJSONSchema makes, as far as it is needed here. */
const jsonObject = z.object({
  properties: z.record(z.string(), z.unknown()),
  required: z.array(z.string()).default([]),
});
const jsonType: z.ZodType<JsonType> = z.lazy(() =>
  z.object({
    type: z.union([z.string(), z.array(z.string())]).optional(),
    items: jsonType.optional(),
    anyOf: z.array(jsonType).optional(),
  })
);
interface JsonType {
  type?: string | string[] | undefined;
  items?: JsonType | undefined;
  anyOf?: JsonType[] | undefined;
}

/** A type as TypeScript writes it. */
function typeText({ type, items, anyOf }: JsonType): string {
  if (anyOf !== undefined) return anyOf.map(typeText).join(" | ");
  if (Array.isArray(type)) {
    return type.map((each) => typeText({ type: each })).join(" | ");
  }
  if (type === "array") return `${typeText(items ?? {})}[]`;
  return type === "integer" ? "number" : type ?? "unknown";
}

/** The members of an object, as an interface lists them. */
function membersOf(schema: unknown): string[] {
  const { properties, required } = jsonObject.parse(schema);
  return Object.entries(properties).map(([name, type]) =>
    `${name}${required.includes(name) ? "" : "?"}: ${
      typeText(jsonType.parse(type))
    }`
  );
}

Deno.test("guests on a time line: how well their times are known comes first", () => {
  const lines: string[] = [];
  const writer = JSONL.writer((chunk) => lines.push(String(chunk)));
  const source = {
    kind: "collected",
    meta: BARE_META,
    options: DEFAULT_TEXT_OPTIONS,
  } as const;
  const torn = [{ from: "5", until: "7", errorNs: 900 }];
  writer.begin([
    {
      ...source,
      target: 'qemu:"a\x1b',
      aligned: { clock: "a clock", errorNs: 12, torn },
    },
    {
      ...source,
      aligned: { clock: "a clock", errorNs: null, torn: [] },
      seal: { kind: "bad", text: 'NOT "GENUINE"' },
    },
  ]);
  writer.end({ events: 0, lost: 0, dropped: 0 });
  assert.deepEqual(checked(lines.join("")), [
    {
      target: 'qemu:"a\x1b',
      clock: "a clock",
      errorNs: 12,
      torn: [{ from: 5, until: 7, errorNs: 900 }],
    },
    { target: null, seal: "bad", verdict: 'NOT "GENUINE"' },
    { target: null, clock: "a clock", errorNs: null, torn: [] },
  ]);
});

Deno.test("docs/json.md has the members of the schema, with their types", () => {
  const path = new URL("../../../docs/json.md", import.meta.url);
  const page = Deno.readTextFileSync(path);
  const interfaces = new Map(
    [
      ...page.slice(page.indexOf("## `report --format jsonl`")).matchAll(
        /^interface (\w+) \{.*\n([^]*?)^\}/gm,
      ),
    ].map(([, name, body]) => [
      name,
      [...body.matchAll(/^ {2}(\w+\??): (.*?);/gm)].map(([, member, type]) =>
        `${member}: ${type}`
      ),
    ]),
  );
  const { anyOf } = z.object({ anyOf: z.array(z.unknown()) })
    .parse(z.toJSONSchema(traceLineSchema));
  const [entry, leaves, other, unknown, loss, clock, seal] = anyOf.map(
    (each) => {
      const { properties } = jsonObject.parse(each);
      return { members: membersOf(each), properties };
    },
  );
  const first = ({ properties }: typeof entry) =>
    z.object({ anyOf: z.array(z.unknown()) }).parse(properties.fields).anyOf[0];
  assert.deepEqual(interfaces.get("CallEntry"), membersOf(first(entry)));
  assert.deepEqual(interfaces.get("CallReturn"), membersOf(first(leaves)));
  assert.deepEqual(
    interfaces.get("UnknownEvent"),
    membersOf(unknown.properties.fields),
  );
  assert.deepEqual(interfaces.get("LossLine"), loss.members);
  assert.deepEqual(interfaces.get("SealLine"), seal.members);
  assert.deepEqual(
    interfaces.get("ClockLine")?.slice(0, 3),
    clock.members.slice(0, 3),
  );
  const { items } = z.object({ items: z.unknown() }).parse(
    clock.properties.torn,
  );
  assert.deepEqual(interfaces.get("Torn"), membersOf(items));
  // The names and fields of events differ.
  const common = (members: readonly string[] = []) =>
    members.filter((member) => !/^(?:name|fields):/.test(member));
  for (const each of [entry, leaves, other, unknown]) {
    assert.deepEqual(
      common(interfaces.get("TraceLine")),
      common(each.members),
    );
  }
});
