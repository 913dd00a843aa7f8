/**
 * Names of members by their offset in a struct.
 *
 * @module
 */
import type { Types } from "../../kernel/btf/types.ts";

/** Deeper than structs are nested. */
const MOST_LEVELS = 12;

/**
 * The path of the member at an offset: `sk_data_ready`, `ops[2].show`;
 * `undefined` when nothing lies there.
 */
export function memberAt(
  types: Types,
  struct: string,
  offset: number,
): string | undefined {
  let path = "";
  let at = offset;
  for (let level = 0; level < MOST_LEVELS; level++) {
    const layout = types.tryStruct(struct);
    if (layout === undefined) return path || undefined;
    const member = [...layout.members.values()].find((one) =>
      one.name !== "" && at >= one.offset && at < one.offset + one.size
    );
    if (member === undefined) return path || undefined;
    at -= member.offset;
    path += (path === "" ? "" : ".") + member.name;
    const array = /^(.*?) ?\[(\d+)\]/.exec(member.typeName);
    if (array !== null && Number(array[2]) > 0) {
      const size = member.size / Number(array[2]);
      path += `[${Math.floor(at / size)}]`;
      at %= size;
    }
    const name = array?.[1] ?? member.typeName;
    const inner = /^(?:struct|union) (\w+)$/.exec(name)?.[1];
    if (inner === undefined) return path;
    struct = inner;
  }
  return path;
}
