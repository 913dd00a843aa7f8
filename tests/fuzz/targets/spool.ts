/**
 * The collector's file.
 *
 * @module
 */
import { PageArena } from "../../../engine/ftrace/ring/columns.ts";
import {
  drainQueues,
  handOut,
} from "../../../engine/ftrace/ring/event_queue.ts";
import {
  firstStamp,
  loadFixture,
} from "../../../engine/ftrace/ring/fixtures/load_fixture.ts";
import { SpoolReader } from "../../../engine/ftrace/ring/spool.ts";
import { RECORD_HEAD } from "../../../engine/ftrace/ring/spool_format.ts";
import { SpoolWriter } from "../../../engine/ftrace/ring/spool_writer.ts";
import { type Field, mutateFields, packed } from "../fields.ts";
import { mutateJson } from "../json.ts";
import type { Target } from "../target.ts";

const PAGE = 4096;
/** Where the header's JSON begins. */
const JSON_AT = 12;

export const spool: Target = {
  name: "spool",
  open(folder) {
    const fixture = loadFixture("6.1-events");
    const path = `${folder}/spool`;
    const header = {
      target: "qemu:web1",
      release: "6.1.0",
      epoch: `${firstStamp(fixture)}`,
      pageSize: PAGE,
      started: "2026-01-01T00:00:00Z",
    };
    {
      using writer = new SpoolWriter(path, header, fixture.layout);
      const arena = new PageArena(PAGE, 1);
      const slot = arena.acquire();
      fixture.pages.forEach((pages, cpu) => {
        for (let i = 0; i < 3; i++) {
          arena.bytes.set(pages.subarray(i * PAGE, (i + 1) * PAGE), slot);
          const to = arena.words[2] & 0x3fff_ffff;
          const source = { ring: cpu, buffer: { cpu }, queue: { arena } };
          writer.segment(source, slot, 0, to, 1000 * i);
          writer.comm(100 + i, `task${i}`);
        }
        writer.lost(cpu, 3);
        writer.poll(1e9 * cpu, 1, 2);
      });
      writer.flush();
    }
    const bytes = Deno.readFileSync(path);
    const fields = fieldsOf(bytes);
    return {
      seeds: [[bytes]],
      mutate(input, random) {
        const view = new DataView(input[0].buffer);
        const length = input[0].length > JSON_AT ? view.getUint32(8, true) : 0;
        if (random.next(8) === 0 && JSON_AT + length <= input[0].length) {
          const json = mutateJson(
            input[0].slice(JSON_AT, JSON_AT + length),
            random,
          );
          const rest = input[0].slice((JSON_AT + length + 7) & ~7);
          const start = (JSON_AT + json.length + 7) & ~7;
          const all = new Uint8Array(start + rest.length);
          all.set(input[0].subarray(0, 8));
          new DataView(all.buffer).setUint32(8, json.length, true);
          all.set(json, JSON_AT);
          all.set(rest, start);
          input[0] = all;
        } else input[0] = mutateFields(input[0], fields, random);
      },
      run([bytes]) {
        Deno.writeFileSync(path, bytes, { mode: 0o600 });
        using reader = new SpoolReader(path, fixture.layout);
        const handed = handOut();
        while (reader.poll()) {
          drainQueues(reader.queues, () => {}, handed);
        }
      },
    };
  },
};

/** The head and the body of each record. */
function fieldsOf(bytes: Uint8Array<ArrayBuffer>): Field[] {
  const view = new DataView(bytes.buffer);
  const fields = [{ at: 8, size: 4 }];
  let at = (JSON_AT + view.getUint32(8, true) + 7) & ~7;
  while (at + RECORD_HEAD <= bytes.length) {
    fields.push(...packed(at, [4, 4, 4, 4, 4, 2, 2, 8]));
    for (let i = 32; i < 200; i += 4) fields.push({ at: at + i, size: 4 });
    at += RECORD_HEAD + ((view.getUint32(at + 4, true) + 7) & ~7);
  }
  return fields;
}
