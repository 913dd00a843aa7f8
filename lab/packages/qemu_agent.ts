/**
 * Fetches QEMU's guest agent, with the libraries that it needs, from Debian's
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

/** The name of the agent's port, by which the agent and libvirt find it. */
export const AGENT_PORT = "org.qemu.guest_agent.0";

/** Where the agent is in a guest. */
export const AGENT_PROGRAM = "usr/sbin/qemu-ga";

const PACKAGE = "qemu-guest-agent";
/** Folders of Debian's libraries, before and after /usr was merged. */
const LIBRARIES = ["lib", "usr/lib"].flatMap((folder) => [
  `${folder}/x86_64-linux-gnu`,
  folder,
]);

/** A file for the guest. */
export interface AgentFile {
  /** Path without a leading slash. */
  readonly path: string;
  readonly data: Uint8Array;
}

/**
 * The agent, its libraries and the program that loads it. They are fetched once
 * and kept in the cache, never installed.
 *
 * @throws {LabError} when the package is not on offer.
 */
export async function qemuAgent(onProgress: OnProgress): Promise<AgentFile[]> {
  const folder = `${cacheDirectory()}/qemu-agent`;
  using _held = await lock(
    `${folder}.lock`,
    () => onProgress("waiting for another download of the guest agent"),
  );
  if (!exists(folder)) {
    const found = await withApt(async (apt) => {
      const offers = await withLibraries(apt, PACKAGE);
      if (offers === undefined) return undefined;
      await apt.unpack(offers, folder, onProgress);
      return folder;
    }, onProgress);
    if (found === undefined) {
      throw new LabError(
        `the package ${PACKAGE} is not on offer; run: sudo apt-get update`,
      );
    }
  }
  return filesOf(folder);
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

/** The unpacked files that the agent needs to run. */
function filesOf(folder: string): AgentFile[] {
  const program = Deno.readFileSync(`${folder}/${AGENT_PROGRAM}`);
  const files = new Map<string, Uint8Array>([[AGENT_PROGRAM, program]]);
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
    `the guest agent needs ${name}, which is in none of its packages; remove ${folder} and try again`,
  );
}
