/**
 * Fetches a program for a guest, with the libraries that it needs, from Debian's
 * packages.
 *
 * @module
 */

import { type Apt, type Offer, withApt } from "./apt.ts";
import { interpreterOf, neededBy } from "./elf.ts";
import { LabError } from "../host/errors.ts";
import { lock } from "../host/lock.ts";
import { cacheDirectory, exists } from "../host/paths.ts";
import type { OnProgress } from "../host/progress.ts";

/** Folders of Debian's libraries, before and after /usr was merged. */
const LIBRARIES = ["lib", "usr/lib"].flatMap((folder) => [
  `${folder}/x86_64-linux-gnu`,
  folder,
]);

/** A file for the guest. */
export interface ProgramFile {
  /** Path without a leading slash. */
  readonly path: string;
  readonly data: Uint8Array;
}

/** A program of a package. */
export interface PackagedProgram {
  readonly package: string;
  /** Path without a leading slash: `usr/sbin/qemu-ga`. */
  readonly program: string;
  /** The folder of the cache. */
  readonly folder: string;
}

/**
 * The program, its libraries and the program that loads it. They are fetched
 * once and kept in the cache, never installed.
 *
 * @throws {LabError} when the package is not on offer.
 */
export async function guestProgram(
  { package: name, program, folder: cached }: PackagedProgram,
  onProgress: OnProgress,
): Promise<ProgramFile[]> {
  const folder = `${cacheDirectory()}/${cached}`;
  using _held = await lock(
    `${folder}.lock`,
    () => onProgress(`waiting for another download of ${name}`),
  );
  if (!exists(folder)) {
    const found = await withApt(async (apt) => {
      const offers = await withLibraries(apt, name);
      if (offers === undefined) return undefined;
      await apt.unpack(offers, folder, onProgress);
      return folder;
    }, onProgress);
    if (found === undefined) {
      throw new LabError(
        `the package ${name} is not on offer; run: sudo apt-get update`,
      );
    }
  }
  return filesOf(folder, program);
}

/** A package, and the packages of libraries that it depends on, recursively. */
async function withLibraries(
  apt: Apt,
  name: string,
): Promise<Offer[] | undefined> {
  const found = new Map<string, Offer>();
  const queue = [name];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    if (found.has(next)) continue;
    const [offer] = await apt.offers(next);
    if (offer === undefined) {
      // An alternative in a dependency: the other one is on offer.
      if (next === name) return undefined;
      continue;
    }
    found.set(next, offer);
    queue.push(
      ...offer.depends.match(/(?<![\w.+-])(?:lib|zlib)[\w.+-]*/g) ?? [],
    );
  }
  return [...found.values()];
}

/** The unpacked files that a program needs to run. */
function filesOf(folder: string, path: string): ProgramFile[] {
  const program = Deno.readFileSync(`${folder}/${path}`);
  const files = new Map<string, Uint8Array>([[path, program]]);
  const interpreter = interpreterOf(program)?.replace(/^\//, "");
  if (interpreter !== undefined) {
    const name = interpreter.slice(interpreter.lastIndexOf("/") + 1);
    files.set(interpreter, library(folder, name));
  }
  const queue = neededBy(program);
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    const path = `lib/x86_64-linux-gnu/${name}`;
    if (files.has(path)) continue;
    const data = library(folder, name);
    files.set(path, data);
    queue.push(...neededBy(data));
  }
  return [...files].map(([path, data]) => ({ path, data }));
}

function library(folder: string, name: string): Uint8Array {
  const path = LIBRARIES.map((each) => `${folder}/${each}/${name}`)
    .find(exists);
  if (path !== undefined) return Deno.readFileSync(path);
  throw new LabError(
    `a guest's program needs ${name}, which is in none of its packages; remove ${folder} and try again`,
  );
}
