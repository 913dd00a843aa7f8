import assert from "node:assert/strict";
import { MemoryError } from "../../base/errors.ts";
import { FIXTURE_TEXT } from "../../kernel/symbols/symbols_fixture.ts";
import { ENTRY_WORDS, WORD } from "../page/abi.ts";
import { ModuleGuest } from "../page/module_fixture.ts";
import type { RecordingWriter } from "../recording/recording.ts";
import type { Names } from "../recording/recording_format.ts";
import { symbolNames, TraceNames } from "./trace_names.ts";

/** `schedule` of the fixture's kernel. */
const SCHEDULE = FIXTURE_TEXT + 0x100n;
const NOWHERE = 0x7f0000001000n;

/** A recording of names, which can fail. */
class Recorder {
  readonly names: Names[] = [];
  error: Error | undefined;
  readonly writer = {
    names: (names: Names) => {
      if (this.error !== undefined) throw this.error;
      this.names.push(names);
    },
  } as unknown as RecordingWriter;
}

function note(names: TraceNames, func: bigint, caller: bigint): void {
  const at = 5;
  const words = new Int32Array(at + ENTRY_WORDS);
  const put = (word: number, value: bigint) => {
    words[at + word] = Number(BigInt.asIntN(32, value));
    words[at + word + 1] = Number(BigInt.asIntN(32, value >> 32n));
  };
  put(WORD.func, func);
  put(WORD.caller, caller);
  names.note(words, at);
}

Deno.test("names with offsets, and the module in which an address lies", () => {
  const { kernel } = new ModuleGuest();
  assert.deepEqual(symbolNames(kernel, [SCHEDULE, SCHEDULE + 0x1cn]), {
    "0xffffffff81000100": "schedule",
    "0xffffffff8100011c": "schedule+0x1c",
  });
  assert.deepEqual(symbolNames(kernel, [NOWHERE, 0n]), {});
});

Deno.test("the name of each address is recorded once", () => {
  const { kernel } = new ModuleGuest();
  const recorder = new Recorder();
  const names = new TraceNames();
  names.record(recorder.writer, kernel);
  note(names, SCHEDULE, SCHEDULE + 4n);
  note(names, SCHEDULE, SCHEDULE + 4n);
  assert.deepEqual(names.unnamed, [SCHEDULE, SCHEDULE + 4n]);
  names.record(recorder.writer, kernel);
  names.record(recorder.writer, kernel);
  note(names, SCHEDULE + 4n, SCHEDULE + 8n);
  names.record(recorder.writer, kernel);
  assert.deepEqual(recorder.names, [
    {
      "0xffffffff81000100": "schedule",
      "0xffffffff81000104": "schedule+0x4",
    },
    { "0xffffffff81000108": "schedule+0x8" },
  ]);
  assert.deepEqual(names.unnamed, []);
});

Deno.test("names that could not be read are tried again", () => {
  const { kernel } = new ModuleGuest();
  const recorder = new Recorder();
  const names = new TraceNames();
  note(names, SCHEDULE, 0n);
  recorder.error = new MemoryError("paging", 0n, "not mapped");
  names.record(recorder.writer, kernel);
  assert.equal(names.unnamed.length, 2);
  recorder.error = undefined;
  names.record(recorder.writer, kernel);
  assert.deepEqual(recorder.names, [{ "0xffffffff81000100": "schedule" }]);
  assert.deepEqual(names.unnamed, []);
  recorder.error = new Error("the disk is full");
  note(names, SCHEDULE + 1n, 0n);
  assert.throws(() => names.record(recorder.writer, kernel), /disk is full/);
});

Deno.test("without a recording, nothing is looked up", () => {
  const { kernel } = new ModuleGuest();
  const names = new TraceNames();
  note(names, SCHEDULE, NOWHERE);
  names.record(undefined, kernel);
  names.recordWhenDue(undefined, kernel);
  assert.deepEqual(names.unnamed, [SCHEDULE, NOWHERE]);
});

Deno.test("names are not looked up more than once a second", () => {
  const { kernel } = new ModuleGuest();
  const recorder = new Recorder();
  const names = new TraceNames();
  note(names, SCHEDULE, SCHEDULE);
  names.recordWhenDue(recorder.writer, kernel);
  note(names, SCHEDULE + 4n, SCHEDULE);
  names.recordWhenDue(recorder.writer, kernel);
  assert.equal(recorder.names.length, 1);
  assert.deepEqual(names.unnamed, [SCHEDULE + 4n]);
});
