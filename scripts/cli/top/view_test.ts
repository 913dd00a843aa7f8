import assert from "node:assert/strict";
import { stripVTControlCharacters } from "node:util";
import { TABLES } from "./columns.ts";
import { widthOf } from "./fit.ts";
import { func, shownOf, syscall } from "./snapshot_fixture.ts";
import { type KeyPress, TopView, type ViewOptions } from "./view.ts";

const WIDTH = 120;
const HEIGHT = 24;

function viewOf(
  shown = shownOf(FUNCTIONS),
  options: ViewOptions = {},
): TopView {
  return new TopView(shown, options);
}

const FUNCTIONS = [func(0, 500), func(1, 900), func(2, 100)];

/** Keys by what is written on them, others as they are typed. */
function press(view: TopView, ...keys: string[]) {
  let action;
  for (const key of keys) {
    const named: KeyPress = key.length > 1
      ? { name: key, sequence: "" }
      : { name: key.toLowerCase(), sequence: key };
    action = view.press(named);
  }
  return action;
}

function lines(view: TopView, width = WIDTH, height = HEIGHT): string[] {
  return view.lines(width, height).map(stripVTControlCharacters);
}

/** Names in the table that is shown, with their marks, from the top. */
function names(view: TopView): string[] {
  const all = lines(view);
  const head = all.findIndex((line) =>
    /(?:FUNCTION|SYSTEM CALL|EVENT)[\^v]? *$/.test(line)
  );
  return all.slice(head + 1, -1).filter((line) => line.trim() !== "")
    .map((line) => /((?: {2})*[-+ ] \S+) *$/.exec(line)?.[1].trim() ?? line);
}

Deno.test("sorted by time at first, and by any column after its key", () => {
  const view = viewOf();
  assert.deepEqual(names(view), [
    "+ vfs_write",
    "+ vfs_read",
    "+ rw_verify_area",
  ]);
  press(view, "p");
  assert.deepEqual(names(view), [
    "+ rw_verify_area",
    "+ vfs_write",
    "+ vfs_read",
  ]);
  press(view, "R");
  assert.deepEqual(names(view), [
    "+ vfs_read",
    "+ vfs_write",
    "+ rw_verify_area",
  ]);
  press(view, "R", "n");
  assert.deepEqual(names(view), [
    "+ rw_verify_area",
    "+ vfs_read",
    "+ vfs_write",
  ]);
  press(view, "c");
  assert.deepEqual(names(view)[0], "+ vfs_write");
  assert.match(lines(view).join("\n"), / CALLSv /);
  // To the left of the first column are the names, and then the last column.
  press(view, "<");
  assert.match(lines(view).join("\n"), /FUNCTION\^/);
  press(view, "<");
  assert.match(lines(view).join("\n"), / MAXv/);
  press(view, ">", ">");
  assert.match(lines(view).join("\n"), / CALLSv /);
});

Deno.test("a filter narrows as it is typed, and is kept or ended", () => {
  const view = viewOf();
  press(view, "/", "V", "f", "s", "_", "r");
  assert.deepEqual(names(view), ["+ vfs_read"]);
  assert.match(lines(view).join("\n"), /filter: Vfs_r_/);
  // Here these are letters.
  press(view, "q");
  assert.match(lines(view).join("\n"), /Nothing has this name/);
  press(view, "backspace", "return");
  assert.deepEqual(names(view), ["+ vfs_read"]);
  assert.match(lines(view).join("\n"), /filter: Vfs_r /);
  press(view, "escape");
  assert.equal(names(view).length, 3);
  press(view, "/", "*", "w", "*", "r", "e", "a");
  assert.deepEqual(names(view), ["+ rw_verify_area"]);
  view.press({ ctrl: true, name: "u", sequence: "\x15" });
  assert.equal(names(view).length, 3);
  press(view, "\x1b");
  assert.ok(!lines(view).join("").includes("\x1b"));
});

Deno.test("expanded: what a function calls, at any depth, and hidden again", () => {
  const view = viewOf();
  press(view, "down", "return");
  assert.deepEqual(names(view).slice(0, 4), [
    "+ vfs_write",
    "- vfs_read",
    "rw_verify_area",
    "+ ext4_file_read",
  ]);
  press(view, "down", "down", "right");
  assert.deepEqual(names(view).slice(3, 5), ["- ext4_file_read", "vfs_write"]);
  // From what is below, left hides all of it.
  press(view, "down", "left", "left", "left");
  assert.deepEqual(names(view), [
    "+ vfs_write",
    "+ vfs_read",
    "+ rw_verify_area",
  ]);
  const [, cursor] = lines(view).slice(-1)[0].match(/(\d+)\/3/) ?? [];
  assert.equal(cursor, "2");
});

Deno.test("system calls by process, with their errors", () => {
  const view = viewOf(shownOf(FUNCTIONS, {
    syscalls: [
      syscall("bash-412", "sys_openat", 10, [[2, 3], [13, 1]]),
      syscall("cat-7", "sys_read", 20),
    ],
  }));
  press(view, "2");
  assert.match(lines(view).join("\n"), /PROCESS +SYSTEM CALL/);
  assert.match(lines(view).join("\n"), /cat-7 +sys_read/);
  press(view, "down", "right");
  const text = lines(view).join("\n");
  assert.match(text, /bash-412 +- sys_openat/);
  assert.match(text, /\n +3 .* ENOENT/);
  assert.match(text, /\n +1 .* EACCES/);
  // A process's name is searched as well.
  press(view, "/", "b", "a", "s", "h");
  assert.doesNotMatch(lines(view).join("\n"), /sys_read/);
  press(view, "escape", "tab");
  assert.match(lines(view).join("\n"), /No event other than calls yet/);
  press(view, "tab");
  assert.equal(names(view).length, 3);
});

Deno.test("frozen: what is new is not shown until it goes on", () => {
  const view = viewOf();
  press(view, " ");
  view.update(shownOf([func(1, 7)]));
  assert.equal(names(view).length, 3);
  assert.match(lines(view)[0], /^FROZEN {2}qemu:web1/);
  assert.equal(view.frozen, true);
  press(view, "f");
  assert.deepEqual(names(view), ["+ vfs_write"]);
});

Deno.test("the cursor stays with its row, and in sight", () => {
  const many = Array.from({ length: 200 }, (_, i) => func(i + 10, 1000 - i));
  const view = viewOf(shownOf(many));
  lines(view);
  press(view, ..."jjj", "pagedown");
  const place = () => Number(/(\d+)\/200/.exec(lines(view).at(-1)!)?.[1]);
  const before = place();
  assert.ok(before > 10);
  const row = many[before - 1];
  view.update(shownOf([func(999, 5000), ...many.slice(0, -1)]));
  assert.equal(place(), before + 1);
  assert.ok(names(view).includes(`+ ${row.name}`));
  press(view, "end");
  assert.equal(place(), 200);
  assert.ok(names(view).includes("+ f208"));
  press(view, "home");
  assert.ok(names(view).includes("+ f999"));
});

Deno.test("each line has the screen's width, whatever a guest says", () => {
  const hostile = { ...func(0, 5), name: "\x1b[31m漢字\n\u202e".repeat(30) };
  const shown = shownOf([hostile, ...FUNCTIONS.slice(1)], {
    syscalls: [syscall("\x1b]0;x\x07", "sys_read", 3, [[9999, 1]])],
    events: [{ key: "e1", name: "\x9b2J", calls: 1, rate: 1 }],
    lost: new Map([[1, 17]]),
    foreign: 3,
    leftOut: ["too many names"],
  }, {
    target: "qemu:\x1b[1m",
    lost: 17,
    seal: {
      seal: "siphash+ratchet",
      phase: "on",
      entries: 5,
      lost: 0,
      dropped: 0,
      keySwitches: 77,
      heartbeatAgeMs: 12,
      findings: ["module changed: \x1b[2J"],
    },
  });
  const view = viewOf(shown);
  for (const [width, height] of [[120, 40], [80, 24], [40, 12], [20, 5]]) {
    for (const key of ["1", "2", "3", "?", "?"]) {
      press(view, key);
      const all = lines(view, width, height);
      assert.equal(all.length, height);
      for (const line of all) {
        assert.ok(widthOf(line) <= width, `${width}: ${line}`);
        assert.doesNotMatch(line, /[\p{Cc}\u202e]/u);
      }
    }
  }
  const text = lines(view, 200, 40).join("\n");
  assert.match(text, /lost 17 \(CPU 1: 17\)/);
  assert.match(text, /sealed siphash\+ratchet, on {2}entries 5 .*keys 77/);
  assert.match(text, /heartbeat 12\.0 ms ago/);
  assert.match(text, /FOUND module changed/);
  assert.match(text, /3 calls of, or from, code that is not the kernel's/);
});

Deno.test("what keys ask of the command, and the help", () => {
  const view = viewOf();
  assert.equal(press(view, "q"), "quit");
  assert.equal(press(view, "z"), "zero");
  assert.equal(view.press({ ctrl: true, name: "c" }), "quit");
  assert.equal(view.press({ ctrl: true, name: "z" }), "suspend");
  press(view, "?");
  assert.match(lines(view).join("\n"), /filter by name, as you type/);
  assert.equal(press(view, "x"), undefined);
  assert.doesNotMatch(lines(view).join("\n"), /as you type/);
});

Deno.test("where there is no room, columns are left out; the name never", () => {
  const view = viewOf();
  for (const width of [200, 100, 80, 60, 40]) {
    const text = lines(view, width).join("\n");
    assert.match(text, /FUNCTION/);
    assert.match(text, / vfs_write/);
    assert.match(text, /CALLS/);
    assert.equal(/P50/.test(text), width > 106, `${width}`);
  }
});

Deno.test("it begins as the command line asks", () => {
  const view = viewOf(shownOf(FUNCTIONS), {
    table: TABLES[0],
    sort: "NAME",
    filter: "vfs",
  });
  assert.deepEqual(names(view), ["+ vfs_read", "+ vfs_write"]);
});
