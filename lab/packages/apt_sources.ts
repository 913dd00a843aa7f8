/**
 * Reads the host's apt sources, in both formats, and writes the lab's: packages
 * come from the mirrors that the host itself uses.
 *
 * @module
 */

/** A source of packages, in whichever format it was written. */
export interface AptSource {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** A key file or a whole key block, as the host has it. */
  readonly signedBy?: string;
}

/**
 * Reads the one-line format (`deb [signed-by=...] URI SUITE COMPONENT...`).
 * Source packages, comments and lines it cannot read are left out.
 */
export function parseOneLine(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const raw of text.split("\n")) {
    const line = raw.replace(/#.*/, "").trim();
    const match = line.match(
      /^deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s*(.*)$/,
    );
    if (!match) continue;
    const [, options = "", uri, suite, components] = match;
    const signedBy = options.match(/(?:^|\s)signed-by=(\S+)/i)?.[1];
    sources.push({
      uris: [uri],
      suites: [suite],
      components: words(components),
      signedBy,
    });
  }
  return sources;
}

/**
 * Reads the deb822 format (`.sources` files): stanzas of `Field: value`, where
 * lines that begin with a blank continue a value.
 */
export function parseDeb822(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const stanza of stanzas(text)) {
    if (/^(no|false|0|off)$/i.test(stanza.get("enabled") ?? "")) continue;
    if (!words(stanza.get("types") ?? "").includes("deb")) continue;
    const uris = words(stanza.get("uris") ?? "");
    const suites = words(stanza.get("suites") ?? "");
    if (uris.length === 0 || suites.length === 0) continue;
    sources.push({
      uris,
      suites,
      components: words(stanza.get("components") ?? ""),
      signedBy: stanza.get("signed-by"),
    });
  }
  return sources;
}

function stanzas(text: string): Map<string, string>[] {
  const all: Map<string, string>[] = [];
  let fields = new Map<string, string>();
  let field = "";
  for (const line of [...text.split("\n"), ""]) {
    if (line.startsWith("#")) continue;
    if (line.trim() === "") {
      if (fields.size > 0) all.push(fields);
      fields = new Map();
      continue;
    }
    const continued = /^[ \t]/.test(line);
    if (continued) {
      fields.set(field, `${fields.get(field) ?? ""}\n${line}`);
      continue;
    }
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    field = line.slice(0, colon).trim().toLowerCase();
    fields.set(field, line.slice(colon + 1).trim());
  }
  return all;
}

/** Writes sources in the deb822 format. */
export function formatDeb822(sources: readonly AptSource[]): string {
  return sources.map((source) =>
    [
      "Types: deb",
      `URIs: ${source.uris.join(" ")}`,
      `Suites: ${source.suites.join(" ")}`,
      ...(source.components.length > 0
        ? [`Components: ${source.components.join(" ")}`]
        : []),
      ...(source.signedBy ? [`Signed-By: ${source.signedBy}`] : []),
      "",
    ].join("\n")
  ).join("\n");
}

/**
 * The host's own sources of this release, and the backports suite on the same
 * mirrors with the same keys. `codename` is the release's; sources with another
 * name for it (`stable`) are used when none has the codename.
 */
export function withBackports(
  sources: readonly AptSource[],
  codename: string,
): AptSource[] {
  const release = ofRelease(sources, codename);
  const own = sources.filter((source) =>
    release.includes(source) ||
    source.suites.some((suite) => suite.startsWith(`${codename}-`)) ||
    source.suites.some((suite) => /^(old)?stable-/.test(suite))
  );
  const backports = `${codename}-backports`;
  const named = own.some((source) => source.suites.includes(backports));
  if (named) return own;
  return [
    ...own,
    ...release.map((source) => ({
      ...source,
      suites: [backports],
      components: ["main"],
    })),
  ];
}

/**
 * Another suite, on the mirrors that the host uses for its own release, with the
 * same keys.
 */
export function ofSuite(
  sources: readonly AptSource[],
  codename: string,
  suite: string,
): AptSource[] {
  return ofRelease(sources, codename).map((source) => ({
    ...source,
    suites: [suite],
    components: ["main"],
  }));
}

function ofRelease(
  sources: readonly AptSource[],
  codename: string,
): readonly AptSource[] {
  const of = (suite: string) =>
    sources.filter((source) => source.suites.includes(suite));
  return [codename, "stable", "oldstable"].map(of).find((found) =>
    found.length > 0
  ) ?? [];
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
