/** Changes are tried in groups, and each one counts. */
import assert from "node:assert/strict";
import { BufferMemory } from "../../engine/memory/buffer_memory_fixture.ts";
import { SearchedMemory } from "./searched_memory.ts";
import { type Trial, Trials } from "./trials.ts";

const GPAS = [...Array(40).keys()].map((i) => 8 * i);

/** Tries two changes of each word; returns those that were judged blinding. */
async function search(
  finds: (memory: SearchedMemory) => boolean,
): Promise<{ found: string[]; runs: number }> {
  const memory = new SearchedMemory(new BufferMemory(new Uint8Array(4096)));
  const found: string[] = [];
  const trials = new Trials(
    memory,
    () => Promise.resolve(finds(memory)),
    ({ gpa, mutation }, before) => {
      assert.equal(before, 0n);
      assert.equal(memory.peek(gpa), mutation.value);
      const said = finds(memory);
      if (!said) found.push(`${gpa} ${mutation.how}`);
      return Promise.resolve(said);
    },
  );
  for (let tried = 0; tried < GPAS.length;) {
    const words = GPAS.slice(tried, tried + trials.size(16));
    await trials.run(
      words.map((gpa): Trial[] =>
        [1n, 2n].map((value) => ({ gpa, mutation: { how: `${value}`, value } }))
      ),
    );
    tried += words.length;
  }
  assert.ok(GPAS.every((gpa) => memory.peek(gpa) === 0n));
  return { found, runs: trials.runs };
}

const read = (memory: SearchedMemory, gpa: number): number => {
  const into = new Uint8Array(8);
  memory.read(gpa, into);
  return into[0];
};

Deno.test("of many words, those that blind are told", async () => {
  const { found } = await search((memory) => {
    const words = GPAS.map((gpa) => read(memory, gpa));
    return words[9] !== 2 && words[30] === 0;
  });
  assert.deepEqual(found, ["72 2", "240 1", "240 2"]);
});

Deno.test("words that change nothing are tried together", async () => {
  const { runs } = await search((memory) => {
    for (const gpa of GPAS) read(memory, gpa);
    return true;
  });
  assert.ok(runs < 20, `${runs} runs`);
});

Deno.test("a word that another change hides is tried alone", async () => {
  // Where one word is not zero, the next one is not read; it alone decides.
  const { found } = await search((memory) =>
    read(memory, 16) !== 0 || read(memory, 24) !== 1
  );
  assert.deepEqual(found, ["24 1"]);
});
