/**
 * Imports of the library by its own name, as the commands write them, for where
 * it is not installed. Pure.
 *
 * @module
 */

/** The names of a library and of its entries, as deno.json states them. */
export interface OwnNames {
  readonly name: string;
  /** Paths of the entries, by `.` or `./NAME`. */
  readonly exports: Readonly<Record<string, string>>;
}

/** The imports and re-exports that a file begins with, and its comments. */
const HEAD =
  /^(?:#!.*\n)?(?:\s*(?:\/\*[^]*?\*\/|\/\/.*|(?:import|export)\b[^;"'`]*"[^"]*";))*/;

/**
 * Replaces imports of the library's own name by paths. What only looks like an
 * import stays: the examples in comments, and text that a program prints.
 *
 * @param path the file's, relative to the checkout
 */
export function withoutOwnName(
  path: string,
  text: string,
  { name, exports }: OwnNames,
): string {
  const head = HEAD.exec(text)?.[0] ?? "";
  const up = "../".repeat(path.split("/").length - 1) || "./";
  const replaced = head.replace(
    /\/\*[^]*?\*\/|\/\/.*|(\bfrom )"([^"]+)"/g,
    (whole, from: string | undefined, specifier: string | undefined) => {
      const own = from !== undefined &&
        (specifier === name || specifier?.startsWith(`${name}/`));
      const target = own
        ? exports[`.${specifier?.slice(name.length)}`]
        : undefined;
      return target === undefined
        ? whole
        : `${from}"${up}${target.replace(/^\.\//, "")}"`;
    },
  );
  return replaced + text.slice(head.length);
}
