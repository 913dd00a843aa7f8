/**
 * QEMU's option syntax: `-option key=value,flag,key=value` with commas escaped
 * by doubling, and the JSON form that libvirt uses. Pure.
 *
 * @module
 */

/** One option of the command line. */
export interface QemuOption {
  /** Name without dashes: `machine`. */
  readonly name: string;
  /** The argument after it; empty when there is none. */
  readonly value: string;
}

/** Options whose argument is free text and may begin with a dash. */
const FREE_TEXT = new Set(["append", "smbios", "fw_cfg", "global"]);

/** Splits an argument vector (without the binary) into options. */
export function splitOptions(args: readonly string[]): QemuOption[] {
  const options: QemuOption[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (!arg.startsWith("-") || arg === "-") continue;
    const name = arg.replace(/^--?/, "");
    const next = args[i + 1];
    const takes = next !== undefined &&
      (!next.startsWith("-") || next === "-" || FREE_TEXT.has(name));
    options.push({ name, value: takes ? args[++i] : "" });
  }
  return options;
}

/**
 * The arguments, with each `-readconfig FILE` replaced by the sections of that
 * file: `[object "ram"]` with `size = "1G"` is `-object id=ram,size=1G` (QEMU's
 * util/qemu-config.c).
 *
 * @param read returns a file's text.
 */
export function withConfigFiles(
  args: readonly string[],
  read: (path: string) => string,
): string[] {
  if (!args.some((arg) => /^--?readconfig$/.test(arg))) return [...args];
  return splitOptions(args).flatMap(({ name, value }) =>
    name === "readconfig"
      ? configArguments(read(value))
      : value === ""
      ? [`-${name}`]
      : [`-${name}`, value]
  );
}

function configArguments(text: string): string[] {
  const sections: { name: string; pairs: string[] }[] = [];
  for (const line of text.split("\n")) {
    const section = /^\s*\[\s*([\w-]+)(?:\s+"([^"]*)")?\s*\]/.exec(line);
    const pair = /^\s*([\w.-]+)\s*=\s*"([^"]*)"/.exec(line);
    if (section !== null) {
      const id = section[2];
      sections.push({
        // The section for memory has another name than its option.
        name: section[1] === "memory" ? "m" : section[1],
        pairs: id === undefined ? [] : [`id=${id}`],
      });
    } else if (pair !== null) {
      sections.at(-1)?.pairs.push(
        `${pair[1]}=${pair[2].replaceAll(",", ",,")}`,
      );
    }
  }
  return sections.flatMap(({ name, pairs }) => [`-${name}`, pairs.join(",")]);
}

/**
 * Splits `first,key=value,flag` into pairs; `implied` is the key of a first
 * part without `=`. A later flag `x` means `x=on`, `nox` means `x=off`. JSON
 * objects are returned with their members as text, nested ones as
 * `outer.inner`.
 */
export function parseKeyValues(
  value: string,
  implied: string,
): Map<string, string> {
  const pairs = new Map<string, string>();
  if (value.startsWith("{")) {
    try {
      flatten(JSON.parse(value), "", pairs, MOST_NESTED);
      return pairs;
    } catch {
      // Not JSON after all; QEMU would refuse it too.
      return pairs;
    }
  }
  const parts = value.replaceAll(",,", "\0").split(",")
    .map((part) => part.replaceAll("\0", ","));
  parts.forEach((part, i) => {
    const at = part.indexOf("=");
    if (at > 0) pairs.set(part.slice(0, at), part.slice(at + 1));
    else if (part === "") return;
    else if (i === 0) pairs.set(implied, part);
    else if (part.startsWith("no") && part.length > 2) {
      pairs.set(part.slice(2), "off");
    } else pairs.set(part, "on");
  });
  return pairs;
}

/** How deep objects are nested at most; QEMU's own use 3 levels. */
const MOST_NESTED = 16;

function flatten(
  value: unknown,
  prefix: string,
  into: Map<string, string>,
  levels: number,
): void {
  if (levels === 0) return;
  if (typeof value !== "object" || value === null) {
    into.set(
      prefix,
      value === true ? "on" : value === false ? "off" : String(value),
    );
    return;
  }
  for (const [key, inner] of Object.entries(value)) {
    flatten(
      inner,
      prefix === "" ? key : `${prefix}.${key}`,
      into,
      levels - 1,
    );
  }
}

/** Whether a QEMU value means true: `on`, `yes`, `true`, `y`. */
export function isOn(value: string | undefined): boolean {
  return value !== undefined && /^(on|yes|true|y)$/i.test(value);
}

const UNITS: Record<string, number> = {
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
};

/**
 * A size as QEMU reads it: `512M`, `4G`, `1.5G`, `0x10000000`; a bare number
 * counts in `unit` bytes. Undefined when the text is not a size.
 */
export function parseSize(
  text: string | undefined,
  unit: number,
): number | undefined {
  if (text === undefined) return undefined;
  const match = /^(0x[\da-f]+|\d+(?:\.\d+)?)([bkmgtp]?)(?:i?b)?$/i.exec(text);
  if (match === null) return undefined;
  const factor = match[2] === "" ? unit : UNITS[match[2].toLowerCase()];
  const size = Number(match[1]) * factor;
  return Number.isSafeInteger(Math.floor(size)) ? Math.floor(size) : undefined;
}
