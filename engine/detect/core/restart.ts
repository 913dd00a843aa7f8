/**
 * Whether a guest was restarted, by the registers of its processors: what its
 * memory says of that, an intruder can write.
 *
 * @module
 */
import { MemoryError } from "../../base/errors.ts";
import type { Session } from "../../session.ts";
import { rootVerdict } from "./cpu_roots.ts";

/**
 * Why it is not known that a guest which ran one kernel runs another one now;
 * `undefined` when it is known: all its processors use the page tables and
 * vectors of the kernel that is read, which lies at another address than the
 * earlier one, of which nothing is mapped any more. A kernel cannot move without
 * being started anew.
 *
 * @param session the guest as it is now
 * @param text the text of the kernel that ran before, as a half-open range
 * @returns the end of a sentence
 *
 * @example
 * ```ts ignore
 * import { restartUnknown } from "xftrace/detect";
 * import { open } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1");
 * const why = await restartUnknown(guest.session, [0xffffffff81000000n, 0xffffffff82000000n]);
 * console.log(why ?? "it was restarted");
 * ```
 */
export async function restartUnknown(
  session: Pick<Session, "kernel" | "registers">,
  text: readonly [start: bigint, end: bigint],
): Promise<string | undefined> {
  const { kernel } = session;
  const { symbols, space } = kernel;
  const start = symbols.tryAddress("_text") ?? symbols.tryAddress("_stext");
  const end = symbols.tryAddress("_end") ?? symbols.tryAddress("_etext");
  if (start === undefined || end === undefined || text[0] === 0n) {
    return "the kernel's address is not known";
  }
  if (symbols.tryAddress("_stext") === text[0]) {
    return "its kernel is at the same address as before";
  }
  const { verified, why } = rootVerdict(kernel, await session.registers());
  if (!verified) {
    return why ?? "nobody tells which kernel its processors run";
  }
  try {
    const [old] = text;
    const own = old >= start && old < end;
    return own || space.tryTranslate(old) === undefined
      ? undefined
      : "the earlier kernel is still mapped";
  } catch (error) {
    if (!(error instanceof MemoryError)) throw error;
    return error.message;
  }
}
