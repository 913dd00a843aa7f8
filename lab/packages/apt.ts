/**
 * Downloads packages with the host's apt, or with a private configuration that
 * includes backports. They are unpacked into a folder, never installed.
 *
 * @module
 */

import {
  type AptSource,
  formatDeb822,
  ofSuite,
  parseDeb822,
  parseOneLine,
  withBackports,
} from "./apt_sources.ts";
import { LabError } from "../host/errors.ts";
import { hostCodename } from "../host/host.ts";
import { lock } from "../host/lock.ts";
import {
  cacheDirectory,
  exists,
  readIfThere,
  removeIfThere,
} from "../host/paths.ts";
import type { OnProgress } from "../host/progress.ts";
import { run, runOrFail } from "../host/run.ts";

/** A version of a package that apt can offer. */
export interface Offer {
  readonly name: string;
  readonly version: string;
  /** What it needs, also before it is unpacked. */
  readonly depends: string;
}

/**
 * One apt configuration: the host's own, or the lab's private one, which has
 * its own sources, lists and cache, needs no root and changes nothing on the
 * host.
 */
export class Apt {
  constructor(private readonly config?: string) {}

  /**
   * Whether this is the lab's private configuration, which includes backports.
   */
  get isPrivate(): boolean {
    return this.config !== undefined;
  }

  /** All versions of a package, newest first; empty if it is unknown. */
  async offers(name: string): Promise<Offer[]> {
    const { stdout } = await run("apt-cache", this.args("show", name));
    return parseOffers(stdout);
  }

  /** Names of the known packages that begin like this. */
  async names(prefix: string): Promise<string[]> {
    const { stdout } = await run("apt-cache", this.args("pkgnames", prefix));
    return stdout.split("\n").filter((name) => name !== "");
  }

  /**
   * Downloads packages into a temporary folder beside `target`, unpacks them
   * there without installing them, lets `finish` complete the folder, and then
   * renames it to `target`, which so is either complete or does not exist.
   */
  async unpack(
    packages: readonly Pick<Offer, "name" | "version">[],
    target: string,
    onProgress: OnProgress,
    finish: (folder: string) => Promise<void> | void = () => {},
  ): Promise<void> {
    const parent = target.slice(0, target.lastIndexOf("/"));
    Deno.mkdirSync(parent, { recursive: true });
    const work = Deno.makeTempDirSync({ dir: parent, prefix: ".unpack-" });
    try {
      const debs = `${work}/debs`;
      const tree = `${work}/tree`;
      Deno.mkdirSync(debs);
      Deno.mkdirSync(tree);
      for (const { name, version } of packages) {
        onProgress(`downloading ${name} ${version}`);
        await runOrFail(
          "apt-get",
          this.args("download", `${name}=${version}`),
          `downloading ${name}`,
          { cwd: debs },
        );
      }
      for (const entry of Deno.readDirSync(debs)) {
        onProgress(`unpacking ${entry.name}`);
        await runOrFail(
          "dpkg-deb",
          ["-x", `${debs}/${entry.name}`, tree],
          `unpacking ${entry.name}`,
        );
      }
      await finish(tree);
      removeIfThere(target);
      Deno.renameSync(tree, target);
    } finally {
      removeIfThere(work);
    }
  }

  private args(...args: string[]): string[] {
    const own = this.config
      ? ["-c", this.config]
      // apt's own user could not write to a download folder in a private home.
      : ["-o", "APT::Sandbox::User=root"];
    return [...own, "-q", ...args];
  }
}

/** Reads what `apt-cache show` prints. */
export function parseOffers(text: string): Offer[] {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const field = (name: string) =>
      stanza.match(new RegExp(`^${name}: (.*)$`, "m"))?.[1] ?? "";
    const offer = {
      name: field("Package"),
      version: field("Version"),
      depends: [field("Pre-Depends"), field("Depends")]
        .filter((list) => list !== "").join(", "),
    };
    return offer.name && offer.version ? [offer] : [];
  });
}

/**
 * Tries the host's own apt first, then the private configuration (which
 * includes backports), then that once more after refreshing its lists.
 * `attempt` returns `undefined` when the package is not on offer. Refreshing
 * also helps when a download failed because the lists were out of date.
 *
 * @param suite another suite on the mirrors of this release, such as `sid`: then
 *   only that one is asked
 */
export async function withApt<T>(
  attempt: (apt: Apt) => Promise<T | undefined>,
  onProgress: OnProgress,
  suite?: string,
): Promise<T | undefined> {
  try {
    const found = suite === undefined ? await attempt(new Apt()) : undefined;
    if (found !== undefined) return found;
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
  }
  const refreshed = await privateApt(onProgress, false, suite);
  try {
    const found = await attempt(refreshed.apt);
    if (found !== undefined || refreshed.updated) return found;
  } catch (error) {
    if (!(error instanceof LabError) || refreshed.updated) throw error;
  }
  return attempt((await privateApt(onProgress, true, suite)).apt);
}

/**
 * Sets up the private configuration from the host's sources, and updates its
 * lists if there are none or if `refresh` is set.
 */
async function privateApt(
  onProgress: OnProgress,
  refresh: boolean,
  suite?: string,
): Promise<{ apt: Apt; updated: boolean }> {
  const sources = suite === undefined
    ? withBackports(hostSources(), hostCodename())
    : ofSuite(hostSources(), hostCodename(), suite);
  if (sources.length === 0) {
    throw new LabError(
      "no package sources of this Debian release are set up on this machine; " +
        "add them below /etc/apt, or give --kernel PATH-TO-VMLINUZ",
    );
  }
  const root = `${cacheDirectory()}/apt${
    suite === undefined ? "" : `-${suite}`
  }`;
  for (const folder of ["sources", "state/lists", "cache/archives/partial"]) {
    Deno.mkdirSync(`${root}/${folder}`, { recursive: true });
  }
  using _held = await lock(
    `${root}/lock`,
    () => onProgress("waiting for another download"),
  );
  const written = formatDeb822(sources);
  const changed = readIfThere(`${root}/sources/lab.sources`) !== written;
  Deno.writeTextFileSync(`${root}/sources/lab.sources`, written);
  Deno.writeTextFileSync(`${root}/apt.conf`, privateConfig(root));
  const apt = new Apt(`${root}/apt.conf`);

  if (!refresh && !changed && exists(`${root}/updated`)) {
    return { apt, updated: false };
  }
  onProgress("fetching package lists");
  await runOrFail(
    "apt-get",
    ["-c", `${root}/apt.conf`, "-q", "update"],
    "fetching the package lists",
  );
  Deno.writeTextFileSync(`${root}/updated`, "");
  return { apt, updated: true };
}

function privateConfig(root: string): string {
  // Clears the host's hooks, which in some images empty the host's apt cache.
  return `Dir::State "${root}/state";
Dir::State::status "/dev/null";
Dir::Cache "${root}/cache";
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "${root}/sources";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
APT::Sandbox::User "root";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
Acquire::Languages "none";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
`;
}

/** The sources of the host's apt. */
function hostSources(): AptSource[] {
  const sources: AptSource[] = [];
  const read = (path: string) => {
    const text = readIfThere(path) ?? "";
    if (path.endsWith(".sources")) sources.push(...parseDeb822(text));
    else if (path.endsWith(".list")) sources.push(...parseOneLine(text));
  };
  read("/etc/apt/sources.list");
  const folder = "/etc/apt/sources.list.d";
  if (exists(folder)) {
    for (const { name } of Deno.readDirSync(folder)) read(`${folder}/${name}`);
  }
  return sources;
}
