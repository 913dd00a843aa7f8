/** A short run of the fuzzer, and what it must notice. */
import assert from "node:assert/strict";
import { XftraceError } from "../../engine/base/errors.ts";
import { Random } from "../random.ts";
import { mutateFields, numbers } from "./fields.ts";
import { mutateJson } from "./json.ts";
import { keepInput, keptInput } from "./kept.ts";
import { FuzzedTarget, MOST_MS } from "./run.ts";
import type { OpenTarget, Target } from "./target.ts";
import { TARGETS } from "./targets.ts";
import { mutateText } from "./texts.ts";

const SEED = 1;
/** Inputs of each target, unless these take too long on a busy machine. */
const INPUTS = 400;
const LEAST_INPUTS = 40;
const ENOUGH_MS = 1000;

function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = Deno.makeTempDirSync();
  return use(folder).finally(() =>
    Deno.removeSync(folder, { recursive: true })
  );
}

for (const target of TARGETS) {
  // A network that only this test uses.
  const sanitizeResources = target.name !== "collector_protocol";
  Deno.test({
    name: `hostile input: ${target.name}`,
    sanitizeResources,
    sanitizeOps: sanitizeResources,
    fn: () =>
      inFolder(async (folder) => {
        const fuzzed = new FuzzedTarget(target, SEED, folder);
        await fuzzed.seeds();
        const end = performance.now() + ENOUGH_MS;
        for (let i = 0; i < INPUTS; i++) {
          if (i >= LEAST_INPUTS && performance.now() > end) break;
          const failure = await fuzzed.run(fuzzed.make(i).input, i);
          assert.equal(failure?.why, undefined, `input ${i}: ${failure?.why}`);
        }
      }),
  });
}

/** A target that does something with its input. */
function doing(run: OpenTarget["run"]): Target {
  return {
    name: "made_up",
    open: () => ({
      seeds: [[new Uint8Array(32).fill(1)]],
      mutate(input, random) {
        input[0] = mutateFields(input[0], numbers(0, 4, 8), random);
      },
      run,
    }),
  };
}

const failureOf = (run: OpenTarget["run"]) =>
  new FuzzedTarget(doing(run), SEED, "").run([new Uint8Array(4)], 7);

Deno.test("an error that is foreseen is no failure, any other is", async () => {
  assert.equal(await failureOf(() => {}), undefined);
  assert.equal(
    await failureOf(() => {
      throw new XftraceError("it is damaged");
    }),
    undefined,
  );
  const failure = await failureOf(() => {
    new DataView(new ArrayBuffer(1)).getUint32(0);
  });
  assert.equal(failure?.iteration, 7);
  assert.match(failure.why, /^RangeError: .*fuzz_test\.ts/);
  const long = await failureOf(() => {
    throw new XftraceError("x".repeat(20_000));
  });
  assert.match(long?.why ?? "", /a message of 20000 characters/);
});

Deno.test("a run that takes too long is a failure", async () => {
  const { now } = performance;
  let at = 0;
  performance.now = () => at;
  try {
    const failure = await failureOf(() => {
      at += MOST_MS + 1;
    });
    assert.equal(failure?.why, "took 5.0 s");
  } finally {
    performance.now = now;
  }
});

Deno.test("a run that takes too much memory is a failure", async () => {
  const { memoryUsage } = Deno;
  const { readTextFileSync } = Deno;
  const usage = memoryUsage();
  Deno.readTextFileSync = () => {
    throw new Deno.errors.NotFound();
  };
  let rss = usage.rss;
  Deno.memoryUsage = () => ({ ...usage, rss });
  try {
    await failureOf(wait);
    rss += (1 << 30) + (1 << 21);
    const failure = await failureOf(wait);
    assert.match(failure?.why ?? "", /^took 10\d\d MiB$/);
  } finally {
    Deno.memoryUsage = memoryUsage;
    Deno.readTextFileSync = readTextFileSync;
  }
});

/** Takes longer than what is too short to be measured. */
function wait(): void {
  const end = performance.now() + 8;
  while (performance.now() < end);
}

Deno.test("an input follows from its seed and number alone", () => {
  const make = (seed: number, i: number) =>
    new FuzzedTarget(doing(() => {}), seed, "").make(i);
  for (let i = 0; i < 50; i++) {
    assert.deepEqual(make(1, i), make(1, i));
    assert.equal(make(1, i).structural, i % 2 === 1);
  }
  const all = (seed: number) =>
    Array.from({ length: 20 }, (_, i) => make(seed, i).input);
  assert.notDeepEqual(all(1), all(2));
});

Deno.test("a kept input is read back as it was", () =>
  inFolder((folder) => {
    const input = [new Uint8Array([1, 10, 0]), new Uint8Array(0)];
    keepInput(`${folder}/x`, "btf", "why\n", input);
    assert.deepEqual(keptInput(`${folder}/x`), { target: "btf", input });
    return Promise.resolve();
  }));

Deno.test("changes of texts and JSON are many, and bounded", () => {
  const random = new Random(SEED);
  const texts = new Set<string>();
  const values = new Set<string>();
  const json = new TextEncoder().encode('{"a":[1,"b",{"c":null}],"d":2}');
  for (let i = 0; i < 300; i++) {
    const text = mutateText("a 1 = b[2] # 0x10\n", random);
    assert.ok(text.length <= 2 << 20);
    texts.add(text);
    values.add(new TextDecoder().decode(mutateJson(json, random)));
  }
  assert.ok(texts.size > 200 && values.size > 200);
});
