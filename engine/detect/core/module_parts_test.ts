import assert from "node:assert/strict";
import { GuestGoneError, KernelError } from "../../base/errors.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import type { Report } from "../finding.ts";
import { ModuleGuest, Said, STATE } from "./module_fixture.ts";
import { eachModule, partAt, partOf } from "./module_parts.ts";

/** Reads a module's text, as checks do, and says that it did. */
function readText(
  { guest }: ModuleGuest,
): (module: ModuleView, report: Report) => void {
  return (module, report) => {
    report.known(`reads ${module.name}`);
    const [{ start, end }] = module.text;
    report.judged(guest.space.bytes(start, Number(end - start)).length);
  };
}

/** What a check says whose modules change after they were listed. */
function said(
  it: ModuleGuest,
  change: () => void,
  body = readText(it),
  anyState = false,
): string[] {
  const context = it.context();
  change();
  const report = new Said();
  eachModule(context, report, "text of", body, { anyState });
  return report.lines;
}

/** A guest with the modules `one`, `two` and `three`. */
function three(live = true) {
  const it = new ModuleGuest(live);
  const [one, two] = ["one", "two", "three"].map((name, i) => it.load(name, i));
  return { it, one, two };
}

const READ_ONE = ["known: reads one", "judged: 4096"];
const READ_THREE = ["known: reads three", "judged: 4096"];

Deno.test("a module that is unloaded before it is read is gone, the others are read", () => {
  const { it, two } = three();
  const lines = said(it, () => {
    it.unlink(two);
    it.unmap(two);
  });
  assert.deepEqual(lines, [...READ_ONE, "gone: text of two", ...READ_THREE]);
});

Deno.test("a module is gone whose text the kernel has filled with traps, and not before", () => {
  const readData = (it: ModuleGuest) => (module: ModuleView) => {
    it.guest.space.bytes(module.gva, 8);
  };
  const left = (byte: number) => {
    const { it, two } = three();
    const { gpa } = it.guest.space.translate(two - 0x1000n);
    return said(it, () => {
      it.unlink(two);
      it.guest.unmap(two);
      new Uint8Array(it.guest.view.buffer, gpa, 0x1000).fill(byte);
    }, readData(it));
  };
  assert.deepEqual(left(0xcc), ["gone: text of two"]);
  assert.deepEqual(left(0x90), ["unjudged: text of two"]);
});

Deno.test("a module that only left the list is unjudged, and so is its memory", () => {
  const { it, two } = three();
  const lines = said(it, () => {
    it.unlink(two);
    it.unmapText(two);
  });
  assert.deepEqual(lines, [
    ...READ_ONE,
    "known: reads two",
    "unjudged: text of two",
    ...READ_THREE,
  ]);
});

Deno.test("a module that cannot be read and is still listed is unjudged", () => {
  const { it, two } = three();
  assert.deepEqual(said(it, () => it.unmapText(two)), [
    ...READ_ONE,
    "known: reads two",
    "unjudged: text of two",
    ...READ_THREE,
  ]);
  // The list leads through memory that is not there: nothing can be said.
  const lost = three();
  assert.deepEqual(said(lost.it, () => lost.it.unmap(lost.two)), [
    ...READ_ONE,
    "unjudged: text of two",
    ...READ_THREE,
  ]);
});

Deno.test("the module that was loaded in its place is judged", () => {
  const { it, two } = three();
  const load = () => {
    it.unlink(two);
    it.unmap(two);
    it.load("four", 1);
  };
  assert.deepEqual(said(it, load), [
    ...READ_ONE,
    "known: reads four",
    "judged: 4096",
    ...READ_THREE,
  ]);
});

Deno.test("a module whose place changes each time is unjudged in the end", () => {
  const { it, two } = three();
  let at = two;
  let loads = 0;
  const lines = said(it, () => {}, (module, report) => {
    if (module.gva !== two) return readText(it)(module, report);
    it.unlink(at);
    it.unmap(at);
    at = it.load(`m${++loads}`, 1);
    throw new KernelError("it holds nothing that can be judged");
  });
  assert.equal(loads, 3);
  assert.deepEqual(lines, [...READ_ONE, "unjudged: text of m2", ...READ_THREE]);
});

Deno.test("a module that comes or goes is looked at again later", () => {
  const { it, two } = three();
  const going = () => it.setState(two, STATE.going);
  assert.deepEqual(said(it, going), [
    ...READ_ONE,
    "passing: text of two",
    ...READ_THREE,
  ]);
  const reads = ["known: reads two", "judged: 4096"];
  const all = [...READ_ONE, ...reads, ...READ_THREE];
  assert.deepEqual(said(it, () => {}, readText(it), true), all);
  // It has come by now.
  assert.deepEqual(said(it, () => it.setState(two, STATE.live)), all);
});

Deno.test("whenever a module is unloaded, it is read or gone", () => {
  let gone = 0;
  for (let before = 1, over = false; !over; before++) {
    const { it, two } = three();
    const context = it.context();
    const report = new Said();
    let reads = 0;
    it.onRead(() => {
      if (++reads !== before) return;
      it.unlink(two);
      it.unmap(two);
    });
    eachModule(context, report, "text of", readText(it));
    over = reads < before;
    const left = report.lines.filter((line) =>
      !READ_ONE.includes(line) && !READ_THREE.includes(line)
    );
    if (left.length === 1 && left[0] === "gone: text of two") gone++;
    else assert.deepEqual(left, ["known: reads two"]);
  }
  assert.ok(gone > 10, `${gone} times gone`);
});

Deno.test("a recording's module cannot be gone", () => {
  const { it, two } = three(false);
  const lines = said(it, () => {
    it.unlink(two);
    it.unmap(two);
  });
  assert.deepEqual(lines, [
    ...READ_ONE,
    "known: reads two",
    "unjudged: text of two",
    ...READ_THREE,
  ]);
});

Deno.test("what lies in a module's memory goes with it, what lies elsewhere does not", () => {
  const { it, two } = three();
  const context = it.context();
  it.unlink(two);
  it.unmap(two);
  const report = new Said();
  const read = (gva: bigint) => (report: Report) => {
    it.guest.space.u64(gva);
    report.judged(1);
  };
  partAt(context, report, two + 64n, "a hook", read(two + 64n));
  partOf(
    context,
    report,
    { gva: two, name: "two", ranges: [] },
    "a struct",
    read(two),
  );
  assert.deepEqual(report.lines, ["gone: a hook", "gone: a struct"]);
  const nowhere = 0xffffffffc0900000n;
  assert.throws(() =>
    partAt(context, report, nowhere, "a hook", read(nowhere))
  );
});

Deno.test("a guest that ends, and a fault of ours, are no module's doing", () => {
  const { it } = three();
  for (const error of [new GuestGoneError("over"), new TypeError("ours")]) {
    const fails = () => {
      throw error;
    };
    assert.throws(() => said(it, () => {}, fails), (it) => it === error);
  }
});
