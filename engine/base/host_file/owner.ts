/**
 * Whose a file of the host is. Files that decide what this program believes or
 * writes must belong to its own user, or to root: anybody else could replace
 * what is in them.
 *
 * @module
 */

/** Group and others. */
const OTHERS = 0o077;

/**
 * This process's user id; `undefined` where Deno may not tell it (with
 * `--allow-read` alone). It is never asked for at a prompt.
 */
export function ownUid(): number | undefined {
  const granted = Deno.permissions.querySync({ name: "sys", kind: "uid" });
  return granted.state === "granted" ? Deno.uid() ?? undefined : undefined;
}

/**
 * Whether a file with this owner is ours or root's. Where the own id is
 * unknown, nobody's files can be told from ours, and all are accepted: nothing
 * is written to a guest without the permission to know it.
 */
export function isTrustedOwner(uid: number, own = ownUid()): boolean {
  return own === undefined || uid === own || uid === 0;
}

/** Whether group or others have any access, by the mode of `stat`. */
export function isOpenToOthers(mode: number): boolean {
  return (mode & OTHERS) !== 0;
}
