/**
 * Work on a guest that must be there until the work is done: a verdict or a
 * description of a guest that is gone, or runs another kernel by now, is none.
 *
 * @module
 */
import {
  END_TEXT,
  GuestGoneError,
  type Session,
  settled,
  XftraceError,
} from "xftrace";

/**
 * Does some work on a guest.
 *
 * @param doing what is done to the guest, for the error: `checked`
 * @param moved whether the work is also about a guest that was migrated away
 * @throws {GuestGoneError} when the guest ended, was restarted or lost its
 * memory meanwhile.
 */
export async function whileThere<T>(
  session: Session,
  doing: string,
  work: () => T | Promise<T>,
  moved = false,
): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    if (!(error instanceof XftraceError)) throw error;
    await requireThere(session, doing, moved, error);
    throw error;
  }
  await requireThere(session, doing, moved);
  return result;
}

/**
 * Refuses to begin anything in a guest that was migrated away: its memory is
 * still there, but nobody runs it.
 *
 * @throws {GuestGoneError}
 */
export async function requireHere(session: Session): Promise<void> {
  if (session.whereabouts === undefined) return;
  if (await settled(session) !== "migrated") return;
  throw new GuestGoneError(
    `${session.target} ${END_TEXT.migrated}: nothing runs in its memory any more; name the VM that it is now`,
  );
}

async function requireThere(
  session: Session,
  doing: string,
  moved: boolean,
  cause?: Error,
): Promise<void> {
  const end = await settled(session);
  if (end === undefined || moved && end === "migrated") return;
  throw new GuestGoneError(
    `${session.target} ${
      END_TEXT[end]
    } while it was ${doing}: what was read is not about ${
      end === "migrated" ? "a guest that runs" : "one guest"
    }, and is not shown${
      end === "restarted"
        ? "; try again when it is up"
        : end === "migrated"
        ? "; name the VM that it is now"
        : ""
    }`,
    { cause },
  );
}
