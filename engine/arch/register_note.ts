/**
 * The processors' registers in a snapshot: JSON in a note of owner `XFTRACE`,
 * type 2. QEMU's own notes have no room for the debug registers.
 *
 * @module
 */
import { parseJson } from "../base/json.ts";
import { z } from "zod";
import { hex } from "../base/hex.ts";
import type { ElfNote } from "../memory/elf_core_notes.ts";
import { MANIFEST_NOTE } from "../memory/snapshot_manifest.ts";
import type { CpuRegisters } from "./registers.ts";

/** Type of the note; its owner is that of the manifest. */
const REGISTER_NOTE_TYPE = 2;
/** A damaged or hostile file may claim more vCPUs than there can be. */
const MOST_CPUS = 8192;
/** Bytes of a note with that many. */
const MOST_BYTES = 2 ** 24;

const VALUE = z.string().regex(/^0x[\da-f]{1,16}$/);
const NOTE = z.looseObject({
  from: z.string().max(100),
  cpus: z.array(z.looseObject({
    cpu: z.int().nonnegative(),
    values: z.record(z.string().max(32), VALUE),
  })).max(MOST_CPUS),
});

/** Makes the note. */
export function registerNote(
  cpus: readonly CpuRegisters[],
  from: string,
): ElfNote {
  const text = JSON.stringify({
    from,
    cpus: cpus.map(({ cpu, values }) => ({
      cpu,
      values: Object.fromEntries(
        Object.entries(values).map(([name, value]) => [name, hex(value)]),
      ),
    })),
  });
  return {
    name: MANIFEST_NOTE,
    type: REGISTER_NOTE_TYPE,
    desc: new TextEncoder().encode(text),
  };
}

/**
 * The registers that a snapshot holds, and where they came from; `undefined`
 * when there are none, or their note is damaged.
 */
export function notedRegisters(
  notes: readonly ElfNote[],
): { readonly cpus: CpuRegisters[]; readonly from: string } | undefined {
  const note = notes.find(({ name, type }) =>
    name === MANIFEST_NOTE && type === REGISTER_NOTE_TYPE
  );
  if (note === undefined || note.desc.length > MOST_BYTES) return undefined;
  let value: unknown;
  try {
    value = parseJson(new TextDecoder().decode(note.desc));
  } catch {
    return undefined;
  }
  const parsed = NOTE.safeParse(value);
  if (!parsed.success) return undefined;
  const { from, cpus } = parsed.data;
  return {
    from,
    cpus: cpus.map(({ cpu, values }) => ({
      cpu,
      values: Object.fromEntries(
        Object.entries(values).map(([name, text]) => [name, BigInt(text)]),
      ),
    })),
  };
}
