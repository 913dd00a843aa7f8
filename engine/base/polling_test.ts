import assert from "node:assert/strict";
import { HostWriteError } from "./host_file/write_error.ts";
import { XftraceError } from "./errors.ts";
import { pollGuest, sleep } from "./polling.ts";

/** A guest that is alive for the given number of checks. */
function living(questions: number): () => boolean {
  return () => questions-- > 0;
}

Deno.test("polls until a poll says stop", async () => {
  let looks = 0;
  const end = await pollGuest({
    alive: () => true,
    poll: () => ++looks === 3 ? "stop" : 0,
  });
  assert.deepEqual([end, looks], ["stopped", 3]);
});

Deno.test("does not poll once stopped", async () => {
  let looks = 0;
  const end = await pollGuest({
    alive: () => true,
    stopped: () => looks === 2,
    poll: () => {
      looks++;
      return 0;
    },
  });
  assert.deepEqual([end, looks], ["stopped", 2]);
});

Deno.test("ends when the guest has ended, without another poll", async () => {
  let looks = 0;
  const end = await pollGuest({
    alive: living(2),
    poll: () => {
      looks++;
      return 0;
    },
  });
  assert.deepEqual([end, looks], ["guest gone", 2]);
});

Deno.test("who stops because the guest is gone hears that it is gone", async () => {
  let stop = false;
  const end = await pollGuest({
    alive: () => !stop,
    stopped: () => stop,
    slowMs: 60_000,
    poll: () => {
      // The guest ends, and a command that has seen it stops the polling.
      stop = true;
      return 0;
    },
  });
  assert.equal(end, "guest gone");
});

Deno.test("slow work is done on the first poll and then not before its time", async () => {
  let looks = 0;
  let slow = 0;
  let asked = 0;
  await pollGuest({
    alive: () => ++asked > 0,
    slowMs: 60_000,
    slow: () => slow++,
    poll: () => ++looks === 5 ? "stop" : 0,
  });
  assert.deepEqual([looks, slow, asked], [5, 1, 1]);
});

Deno.test("an error after the guest has ended means that it is gone", async () => {
  const polling = {
    poll: () => {
      throw new XftraceError("no memory");
    },
    slowMs: 60_000,
  };
  assert.equal(
    await pollGuest({ ...polling, alive: living(1) }),
    "guest gone",
  );
  await assert.rejects(
    pollGuest({ ...polling, alive: () => true }),
    /no memory/,
  );
  // A fault of the program itself is not mistaken for the guest's end.
  await assert.rejects(
    pollGuest({
      alive: living(1),
      poll: () => {
        throw new TypeError("a fault of ours");
      },
    }),
    TypeError,
  );
});

Deno.test("a transient error is handled and polling goes on", async () => {
  let looks = 0;
  const taken: string[] = [];
  const end = await pollGuest({
    alive: () => true,
    failed: ({ message }) => {
      taken.push(message);
      return 0;
    },
    poll: () => {
      if (++looks < 3) throw new XftraceError(`look ${looks}`);
      return "stop";
    },
  });
  assert.deepEqual([end, taken], ["stopped", ["look 1", "look 2"]]);
});

Deno.test("a signal ends a wait early, and one more poll follows", async () => {
  const ending = new AbortController();
  let looks = 0;
  const end = await pollGuest({
    alive: () => true,
    signal: ending.signal,
    poll: () => {
      if (ending.signal.aborted) return "stop";
      looks++;
      queueMicrotask(() => ending.abort());
      return 600_000;
    },
  });
  assert.deepEqual([end, looks], ["stopped", 1]);
  await sleep(600_000, ending.signal);
});

Deno.test("a file of the host that cannot be written ends polling at once", async () => {
  let polls = 0;
  await assert.rejects(
    pollGuest({
      alive: () => true,
      poll: () => {
        polls++;
        throw new HostWriteError("cannot write spool: the disk is full");
      },
      // What the guest does is tried again.
      failed: () => 0,
    }),
    /the disk is full/,
  );
  assert.equal(polls, 1);
});
