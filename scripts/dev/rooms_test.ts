import assert from "node:assert/strict";
import { readText } from "./files.ts";
import {
  brokenByPlace,
  brokenByRooms,
  circles,
  crowded,
  roomOf,
  ROOMS,
} from "./rooms.ts";

Deno.test("a file belongs to the nearest room above it", () => {
  assert.equal(roomOf("engine/memory/elf_core.ts"), "engine/memory");
  assert.equal(
    roomOf("engine/output/text/print_fmt/lexer.ts"),
    "engine/output/text",
  );
  assert.equal(roomOf("engine/session.ts"), "engine/session.ts");
  assert.equal(roomOf("engine/arch/arch.ts"), "engine/arch");
  assert.equal(roomOf("engine/arch/all.ts"), "engine/arch/all.ts");
  assert.equal(roomOf("engine/arch/toy64/mod.ts"), "engine/arch/*");
  assert.equal(
    roomOf("engine/arch/toy64/checks/mod.ts"),
    "engine/arch/*/checks",
  );
  assert.equal(roomOf("engine/somewhere/else.ts"), undefined);
  assert.equal(roomOf("scripts/xftrace.ts"), undefined);
});

Deno.test("rooms import downwards", () => {
  for (
    const [from, to] of [
      ["engine/kernel/objects/tasks.ts", "engine/kernel/core/kernel.ts"],
      ["engine/control/plan.ts", "engine/seal/page/mailbox.ts"],
      ["engine/detect/checks/xf006.ts", "engine/detect/core/judge.ts"],
      ["dsl/trace.ts", "engine/passes/sinks/count.ts"],
      ["engine/memory/a.ts", "engine/memory/b.ts"],
      ["scripts/xftrace.ts", "engine/base/errors.ts"],
    ]
  ) assert.equal(brokenByRooms(from, to), undefined, `${from} -> ${to}`);
  for (
    const [from, to] of [
      ["engine/kernel/core/kernel.ts", "engine/kernel/objects/tasks.ts"],
      ["engine/seal/page/mailbox.ts", "engine/control/plan.ts"],
      ["engine/detect/core/judge.ts", "engine/detect/checks/xf006.ts"],
      ["engine/detect/text/a.ts", "engine/detect/flow/b.ts"],
      ["engine/passes/sinks/count.ts", "dsl/trace.ts"],
      ["dsl/trace.ts", "ffi/libc.ts"],
    ]
  ) {
    assert.match(
      brokenByRooms(from, to) ?? "",
      /must not depend on/,
      `${from} -> ${to}`,
    );
  }
});

Deno.test("a file without a room is reported, in layers that consist of rooms", () => {
  assert.match(brokenByPlace("engine/new/a.ts") ?? "", /no room/);
  assert.equal(brokenByPlace("engine/base/a.ts"), undefined);
  assert.equal(brokenByPlace("scripts/new/a.ts"), undefined);
});

Deno.test("crowded folders are reported, unless their files are alike", () => {
  const files = (folder: string, count: number, ending = ".ts") =>
    Array.from({ length: count }, (_, i) => `${folder}/f${i}${ending}`);
  assert.deepEqual(crowded(files("engine/memory", 25)), []);
  assert.deepEqual(
    crowded(files("engine/memory", 26)).map(({ path }) => path),
    [
      "engine/memory",
    ],
  );
  assert.deepEqual(crowded(files("engine/memory", 40, "_test.ts")), []);
  assert.deepEqual(crowded(files("engine/detect/checks", 99)), []);
});

Deno.test("finds circles of any length, and nothing else", () => {
  const graph = (edges: Record<string, string[]>) =>
    new Map(Object.entries(edges).map(([a, b]) => [a, new Set(b)]));
  assert.deepEqual(
    circles(graph({ a: ["b", "c"], b: ["c"], c: [], d: ["a", "b"] })),
    [],
  );
  assert.deepEqual(
    circles(
      graph({ a: ["b"], b: ["c"], c: ["a"], d: ["e"], e: ["d"], f: ["a"] }),
    ),
    [["a", "b", "c"], ["d", "e"]],
  );
  assert.deepEqual(circles(graph({ a: ["a", "b"], b: [] })), [["a"]]);
});

Deno.test("docs/rooms.md lists the rooms, in their order", () => {
  const page = [...readText("docs/rooms.md").matchAll(/^\| `([^`]+)` /gm)]
    .map(([, room]) => room)
    .filter((room) => !room.endsWith("/"));
  // The page lists the library's files of re-exports in one line.
  const list = [
    ...new Set(
      ROOMS.map((room) =>
        room.replace(/^engine\/\w+\/mod\.ts$/, "engine/*/mod.ts")
      ),
    ),
  ];
  assert.deepEqual(page, list);
});
