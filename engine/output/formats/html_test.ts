import assert from "node:assert/strict";
import type { Reading } from "../../ftrace/ring/reader.ts";
import { createHash } from "node:crypto";
import {
  decodeFixture,
  FIXTURES,
  loadFixture,
} from "../../ftrace/ring/fixtures/load_fixture.ts";
import { KIND } from "../../ftrace/ring/columns.ts";
import { ROW_KIND } from "../page/packed.ts";
import { BARE_GUEST, BARE_META, rowsOf } from "../writer_fixture.ts";
import { writeBuffers } from "../write_buffers.ts";
import { type CallEvent, callRows, expectedStacks } from "./call_fixture.ts";
import type { SourceSeal, TraceSource } from "../writer.ts";
import { HtmlWriter } from "./html.ts";
import { readPage } from "./html_fixture.ts";

type Guest = Parameters<typeof writeBuffers>[1];

/** The page about some rows. */
function pageText(
  rows: Pick<Reading, "columns" | "arena">,
  guest: Guest = BARE_GUEST,
  most?: number,
): string {
  let html = "";
  writeBuffers(
    { ...rows, cpus: [] },
    guest,
    new HtmlWriter((chunk) => html += chunk, most),
  );
  return html;
}

const NAMED: Guest = {
  ...BARE_GUEST,
  meta: {
    ...BARE_META,
    symbols: {
      ...BARE_META.symbols,
      ps: (lo) =>
        [
          "x64_sys_call",
          "__x64_sys_read",
          "vfs_read",
          "0xffffffffc0de0000",
          "hook [bad]",
        ][lo],
    },
  },
};

for (const name of FIXTURES) {
  Deno.test(`html: rows and call stacks of ${name}`, () => {
    const fixture = loadFixture(name);
    const { columns, arena } = decodeFixture(fixture);
    const guest = {
      ...BARE_GUEST,
      meta: { ...BARE_META, layout: fixture.layout },
    };
    const { data, rows } = readPage(pageText({ columns, arena }, guest));
    const { trace } = data;
    assert.ok(trace !== undefined);
    assert.equal(trace.events, columns.length);
    assert.equal(rows.length, columns.length);
    assert.deepEqual(
      rows.map(({ ts }) => ts),
      [...columns.ts.subarray(0, columns.length)].sort((a, b) => a - b)
        .map((ts, _, [first]) => ts - first),
    );
    const { stacks, outermost } = expectedStacks(
      columns,
      (row) => {
        const { pid, cpu } = columns;
        return pid[row] === 0 ? `swapper/${cpu[row]}-0` : `<...>-${pid[row]}`;
      },
      (row) => `f${columns.func[2 * row]}`,
    );
    const { tree, threads, names } = trace;
    const stackOf = (node: number): string => {
      const above = tree.parent[node];
      const start = above < 0 ? threads.name[-1 - above] : stackOf(above);
      return `${start};${names[tree.name[node]]}`;
    };
    const found = new Map(
      tree.name.map((_, node) =>
        [
          stackOf(node),
          { calls: tree.calls[node], self: tree.self[node] },
        ] as const
      ).filter(([, { calls }]) => calls > 0),
    );
    assert.deepEqual(found, stacks);
    // What functions took without their callees is the time of all calls.
    const { functions } = trace;
    const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);
    assert.equal(sum(functions.self), outermost);
    assert.equal(sum(functions.calls), sum(tree.calls));
    functions.histogram.forEach((pairs, i) =>
      assert.equal(
        sum(pairs.filter((_, at) => at % 2 === 1)),
        functions.calls[i],
      )
    );
    assert.equal(sum(threads.events), columns.length);
    assert.equal(sum(trace.density.counts), columns.length);
  });
}

const call = (
  func: number,
  depth: number,
  ts: number,
  duration?: number,
): CallEvent =>
  duration === undefined ? { func, depth, ts } : { func, depth, ts, duration };

Deno.test("html: foreign calls are told with their callers", () => {
  const rows = callRows([
    call(0, 0, 0),
    call(1, 1, 1),
    call(3, 2, 2),
    call(3, 2, 3, 1),
    call(1, 1, 4, 3),
    call(4, 1, 5),
    call(1, 2, 6),
    call(1, 2, 7, 1),
    call(4, 1, 8, 3),
    call(0, 0, 9, 9),
  ]);
  const { data } = readPage(pageText(rows, NAMED));
  const { foreign, tree, names } = data.trace!;
  assert.deepEqual(
    foreign.map(({ node, ...rest }) => ({
      name: names[tree.name[node]],
      ...rest,
    })),
    [
      {
        name: "0xffffffffc0de0000",
        caller: "__x64_sys_read",
        why: "a function in no known code",
        calls: 1,
      },
      {
        name: "hook [bad]",
        caller: "x64_sys_call",
        why:
          "a module below the dispatcher of system calls, with no system call traced in between",
        calls: 1,
      },
      {
        name: "__x64_sys_read",
        caller: "hook [bad]",
        why: "a system call that a module calls",
        calls: 1,
      },
    ],
  );
  // Without any names of functions, nothing is foreign.
  const bare = { ...BARE_META.symbols, ps: (lo: number) => `0x${lo}` };
  const unnamed = { ...NAMED, meta: { ...BARE_META, symbols: bare } };
  assert.deepEqual(readPage(pageText(rows, unnamed)).data.trace!.foreign, []);
});

Deno.test("html: a recorded caller counts, not the function above", () => {
  const { columns, arena } = callRows([
    call(0, 0, 0),
    call(4, 1, 1),
    call(2, 2, 2),
  ]);
  const { graphEntry } = BARE_META.layout;
  const layout = {
    ...BARE_META.layout,
    graphEntry: { ...graphEntry, retaddr: 8 },
  };
  [undefined, 0, 3].forEach((caller, row) => {
    if (caller === undefined) return;
    columns.kind[row] = KIND.entryRetaddr;
    columns.offset[row] = arena.acquire();
    columns.size[row] = 16;
    arena.view.setUint32(columns.offset[row] + 8, caller, true);
    arena.view.setUint32(columns.offset[row] + 12, 0xffffffff, true);
  });
  const guest = { ...NAMED, meta: { ...NAMED.meta, layout } };
  const { foreign } = readPage(pageText({ columns, arena }, guest)).data.trace!;
  assert.deepEqual(
    foreign.map(({ caller, why }) => [caller, why]),
    [
      ["x64_sys_call", "a module in place of a system call"],
      ["0xffffffffc0de0000", "called from no known code"],
    ],
  );
});

Deno.test("html: nested calls of one function count once in its total", () => {
  const rows = callRows([
    call(2, 0, 0),
    call(2, 1, 1),
    call(2, 1, 4, 3),
    call(2, 0, 10, 10),
  ]);
  const { functions } = readPage(pageText(rows)).data.trace!;
  assert.deepEqual(functions.calls, [2]);
  assert.deepEqual(functions.total, [10]);
  assert.deepEqual(functions.self, [10]);
});

Deno.test("html: losses are rows, and events that are too many are counted", () => {
  const rows = rowsOf([[0, 5], [1, 7, 3], [0, 9], [0, 11, -1], [0, 13]]);
  const { data, rows: kept } = readPage(pageText(rows, BARE_GUEST, 4));
  assert.deepEqual(
    kept.map(({ ts, cpu, kind, duration }) => ({ ts, cpu, kind, duration })),
    [
      { ts: 0, cpu: 0, kind: ROW_KIND.event, duration: 0 },
      { ts: 2, cpu: 1, kind: ROW_KIND.lost, duration: 4 },
      { ts: 2, cpu: 1, kind: ROW_KIND.event, duration: 0 },
      { ts: 4, cpu: 0, kind: ROW_KIND.event, duration: 0 },
    ],
  );
  const trace = data.trace!;
  assert.equal(trace.events, 5);
  assert.equal(trace.rows, 4);
  assert.equal(trace.guests[0].gaps, 2);
  assert.equal(trace.guests[0].missing, 3);
  assert.equal(trace.threads.events.reduce((a, b) => a + b), 5);
  assert.match(trace.leftOut[0], /first 4 events; the other 2 /);
  assert.match(trace.leftOut[1], /^1 further places/);
});

Deno.test("html: depths, times and durations that cannot be are bounded", () => {
  const rows = callRows([
    call(1, 2 ** 31 - 1, 0),
    call(1, -5, 2 ** 60, 2 ** 62),
    call(1, 3, 5, -7),
  ]);
  const { rows: read, data } = readPage(pageText(rows));
  assert.deepEqual(read.map(({ depth }) => depth), [511, 0, 3]);
  const times = read.map(({ ts }) => ts).sort((a, b) => a - b);
  assert.deepEqual(read.map(({ ts }) => ts), times);
  assert.ok(read.every(({ duration }) => duration >= 0));
  assert.ok(data.trace!.density.counts.length <= 1024);
});

Deno.test("html: nothing that a guest says becomes part of the page", () => {
  const evil = `</script><script>alert(1)</script>"'&\x1b[31m\u2028<!--`;
  const guest: Guest = {
    ...BARE_GUEST,
    target: `core:${evil}`,
    meta: {
      ...BARE_META,
      comm: () => evil,
      release: evil,
      symbols: { ...BARE_META.symbols, ps: () => evil },
    },
  };
  const html = pageText(callRows([call(1, 0, 0), call(1, 0, 5, 5)]), guest);
  assert.ok(!html.includes("alert(1)</script>"));
  assert.ok(!html.includes("\x1b"));
  assert.ok(!html.includes("\u2028"));
  const { data } = readPage(html);
  assert.equal(data.trace?.threads.name[0], `${evil}-7`);
  assert.equal(data.trace?.names[0], evil);
  // One script that runs, and nothing else that can: the policy has its hash.
  const scripts = [...html.matchAll(/<script>([^]*?)<\/script>/g)];
  assert.equal(scripts.length, 1);
  const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/
    .exec(html)?.[1] ?? "";
  const hash = (text: string) =>
    `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  const style = /<style>([^]*?)<\/style>/.exec(html)?.[1] ?? "";
  assert.equal(
    policy,
    `default-src 'none'; script-src ${hash(scripts[0][1])}; style-src ${
      hash(style)
    }; base-uri 'none'; form-action 'none'`,
  );
  assert.doesNotMatch(html, /(?:src|href)=/);
});

Deno.test("html: the worst verdict counts, and a good one covers no other source", () => {
  const seal = (kind: SourceSeal["kind"]): SourceSeal => ({ kind, text: kind });
  const said = (...seals: (SourceSeal | undefined)[]) => {
    let html = "";
    const writer = new HtmlWriter((chunk) => html += chunk);
    const [first, ...others] = seals.map((each, i): TraceSource => ({
      ...BARE_GUEST,
      kind: "collected",
      target: `t${i}`,
      ...(each === undefined ? {} : { seal: each }),
    }));
    writer.begin([first, ...others]);
    writer.end({ events: 0, lost: 0, dropped: 0 });
    const { verdict, facts = [] } = readPage(html).data;
    return {
      verdict: verdict && `${verdict.kind}: ${verdict.text}`,
      facts: facts.map((each) => each.join(": ")),
    };
  };
  const none =
    "not sealed: whoever controls the guest could have changed these events";
  assert.deepEqual(said(undefined), {
    verdict: undefined,
    facts: [`Seal verdict: ${none}`],
  });
  assert.deepEqual(said(seal("good")), {
    verdict: "good: good",
    facts: ["Seal verdict: good"],
  });
  assert.deepEqual(said(seal("good"), undefined), {
    verdict: undefined,
    facts: ["Seal of t0: good", `Seal of t1: ${none}`],
  });
  assert.equal(
    said(seal("good"), seal("unknown"), seal("bad")).verdict,
    "bad: t2: bad",
  );
  assert.equal(
    said(seal("unknown"), undefined).verdict,
    "unknown: t0: unknown",
  );
});
