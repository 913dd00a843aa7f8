/**
 * Sealed recordings and their key logs.
 *
 * @module
 */
import {
  decodeRecord,
  encodeHeadSlot,
  HEAD_SLOT_BYTES,
  KLOG,
  KLOG_GENESIS,
  KLOG_RECORD_BYTES,
  recordHash,
} from "../../../engine/seal/keys/klog_format.ts";
import { readKlog } from "../../../engine/seal/keys/read_klog.ts";
import { SEAL } from "../../../engine/seal/page/abi.ts";
import {
  FakeCpu,
  klogToVersion1,
  recordTrace,
  toVersion1,
} from "../../../engine/seal/recording/recording_fixture.ts";
import {
  HEAD_BYTES,
  START_BYTES,
  TAG_BYTES,
  TagChain,
} from "../../../engine/seal/recording/recording_format.ts";
import { verifyRecording } from "../../../engine/seal/recording/verify_recording.ts";
import { Random } from "../../random.ts";
import { type Field, mutateFields, numbers, packed } from "../fields.ts";
import { mutateJson } from "../json.ts";
import type { Input, Target } from "../target.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Files of traces with each seal, the same each time. */
function traces(folder: string): Input[] {
  return repeatable(() => {
    const made: Input[] = [];
    for (const seal of Object.values(SEAL)) {
      const cpu = new FakeCpu(seal);
      const { path, klog } = recordTrace(folder, {
        cpu,
        rich: true,
        files: { recording: `r${seal}`, klog: `k${seal}` },
      });
      const read = (file: string) => Deno.readFileSync(file);
      made.push([read(path), read(klog), read(`${klog}.head`)]);
      if (seal !== SEAL.siphash) continue;
      const old = klogToVersion1(folder, cpu);
      made.push([
        new Uint8Array(toVersion1(read(path))),
        read(old),
        read(`${old}.head`),
      ]);
    }
    return made;
  });
}

/** Runs with random numbers and a clock that are the same each time. */
function repeatable<T>(body: () => T): T {
  const { getRandomValues } = crypto;
  const { now } = Date;
  const random = new Random(1);
  crypto.getRandomValues = (array) => {
    if (ArrayBuffer.isView(array)) {
      const { buffer, byteOffset, byteLength } = array;
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      for (let i = 0; i < bytes.length; i++) bytes[i] = random.next(256);
    }
    return array;
  };
  Date.now = () => 1_700_000_000_000;
  try {
    return body();
  } finally {
    crypto.getRandomValues = getRandomValues;
    Date.now = now;
  }
}

/** Makes the hashes of a key log, and its head file, right again. */
function repairKlog(input: Input, log: number): void {
  const bytes = input[log];
  let hash: Uint8Array = KLOG_GENESIS;
  const count = Math.floor(bytes.length / KLOG_RECORD_BYTES);
  for (let i = 0; i < count; i++) {
    const record = bytes.subarray(
      i * KLOG_RECORD_BYTES,
      (i + 1) * KLOG_RECORD_BYTES,
    );
    hash = recordHash(hash, record);
    record.set(hash, 64);
  }
  const head = new Uint8Array(2 * HEAD_SLOT_BYTES);
  const slot = new Uint8Array(HEAD_SLOT_BYTES);
  encodeHeadSlot(slot, { count, hash });
  head.set(slot);
  input[log + 1] = head;
}

/** Makes the tags of a recording's blocks right again. */
function repairTags(recording: Bytes, klog: Bytes): void {
  let key: Uint8Array | undefined;
  for (let at = 0; at + KLOG_RECORD_BYTES <= klog.length;) {
    const record = decodeRecord(klog.subarray(at, at += KLOG_RECORD_BYTES));
    if (record.type === KLOG.recording) {
      key = new Uint8Array(record.key.slice().buffer);
    }
  }
  if (key === undefined || recording.length < START_BYTES) return;
  const view = new DataView(recording.buffer);
  let at = START_BYTES + view.getUint32(8, true);
  const chain = new TagChain(key, recording.slice(0, at));
  const head = HEAD_BYTES + TAG_BYTES;
  while (at + head <= recording.length) {
    const end = at + head + view.getUint32(at + 20, true);
    if (end > recording.length) break;
    const tag = chain.next(
      recording.slice(at, at + HEAD_BYTES),
      recording.slice(at + head, end),
    );
    recording.set(tag, at + HEAD_BYTES);
    chain.last = tag;
    at = end;
  }
}

/** The heads of a recording's blocks, and words of the first entries. */
function recordingFields(bytes: Bytes): Field[] {
  const view = new DataView(bytes.buffer);
  const fields = [{ at: 8, size: 4 }, { at: 7, size: 1 }];
  let at = START_BYTES + view.getUint32(8, true);
  const head = HEAD_BYTES + (bytes[7] === 0x31 ? 0 : TAG_BYTES);
  while (at + head <= bytes.length) {
    fields.push(...packed(at, [2, 2, 4, 8, 4, 4]));
    fields.push(...numbers(at + head, 8, 40));
    at += head + view.getUint32(at + 20, true);
  }
  return fields;
}

/** All numbers of a key log's records. */
function klogFields(bytes: Bytes): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length; at += KLOG_RECORD_BYTES) {
    fields.push(...packed(at, [4, 2, 2, 8, 8, 8, 8]));
    fields.push(...numbers(at + 40, 4, 4));
  }
  return fields;
}

export const recording: Target = {
  name: "recording",
  open(folder) {
    const seeds = traces(folder);
    const fields = seeds.map(([bytes, klog]) => [
      recordingFields(bytes),
      klogFields(klog),
    ]);
    const [path, klog] = [`${folder}/x.xfs`, `${folder}/x.klog`];
    return {
      seeds,
      mutate(input, random) {
        const part = random.next(3) === 0 ? 1 : 0;
        if (part === 0 && random.next(6) === 0) {
          const size = new DataView(input[0].buffer).getUint32(8, true);
          if (START_BYTES + size <= input[0].length) {
            const json = mutateJson(
              input[0].slice(START_BYTES, START_BYTES + size),
              random,
            );
            const rest = input[0].slice(START_BYTES + size);
            const bytes = new Uint8Array(
              START_BYTES + json.length + rest.length,
            );
            bytes.set(input[0].subarray(0, START_BYTES));
            new DataView(bytes.buffer).setUint32(8, json.length, true);
            bytes.set(json, START_BYTES);
            bytes.set(rest, START_BYTES + json.length);
            input[0] = bytes;
            return;
          }
        }
        input[part] = mutateFields(
          input[part],
          random.pick(fields)[part],
          random,
        );
      },
      repair(input) {
        repairTags(input[0], input[1]);
        repairKlog(input, 1);
      },
      run([bytes, log, head]) {
        write(path, bytes);
        write(klog, log);
        write(`${klog}.head`, head);
        verifyRecording(path, klog, () => {});
      },
    };
  },
};

export const klog: Target = {
  name: "klog",
  open(folder) {
    const seeds = traces(folder).map(([, log, head]) => [log, head]);
    const fields = klogFields(seeds[0][0]);
    const path = `${folder}/x.klog`;
    return {
      seeds,
      mutate(input, random) {
        const part = random.next(4) === 0 ? 1 : 0;
        input[part] = mutateFields(
          input[part],
          part === 0 ? fields : numbers(0, 8, 16),
          random,
        );
      },
      repair: (input) => repairKlog(input, 0),
      run([log, head]) {
        write(path, log);
        write(`${path}.head`, head);
        readKlog(path);
        readKlog(path, "none");
        readKlog(path, { nonce: "00".repeat(16), generation: 1 });
      },
    };
  },
};

function write(path: string, bytes: Uint8Array): void {
  Deno.writeFileSync(path, bytes, { mode: 0o600 });
}
