/**
 * Links of pages in Markdown, and the headings that they can lead to. Pure.
 *
 * @module
 */
import { posix } from "node:path";

/** A link of a page to another place of the checkout. */
export interface PageLink {
  /** Line in the page, from 1. */
  readonly line: number;
  /** As written: `objects.md#values`. */
  readonly link: string;
  /** Relative to the checkout, without a trailing slash; "": its root. */
  readonly path: string;
  /** The part after `#`; "" without one. */
  readonly anchor: string;
}

const FENCE = /^\s*(`{3,}|~{3,})/;
/** `](TARGET)`, `](TARGET "title")`, and `[name]: TARGET`. */
const LINK = /\]\(\s*<?([^)\s>]+)>?[^)]*\)|^ {0,3}\[[^\]]+\]:\s*(\S+)/gm;
const HEADING = /^ {0,3}#{1,6} +(.+?)(?: +#+)? *$/;
const SCHEME = /^(?:[a-z][a-z0-9+.-]*:|\/\/)/i;

/** The page's text with the lines of its code blocks left empty. */
function withoutCode(page: string): string[] {
  let open: string | undefined;
  return page.split("\n").map((line) => {
    const fence = FENCE.exec(line)?.[1];
    if (open === undefined) {
      open = fence;
      return fence === undefined ? line : "";
    }
    if (fence?.startsWith(open)) open = undefined;
    return "";
  });
}

/**
 * The links of a page that lead to places in the checkout, not to the web.
 *
 * @param path where the page is, relative to the checkout
 */
export function linksOf(path: string, page: string): PageLink[] {
  // A code span shows a link, and is none.
  const text = withoutCode(page).join("\n").replace(
    /`[^`]*`/g,
    (span) => span.replace(/[^\n]/g, " "),
  );
  return [...text.matchAll(LINK)].flatMap((match) => {
    const link = match[1] ?? match[2];
    if (SCHEME.test(link)) return [];
    const [file, anchor = ""] = link.split("#");
    return [{
      line: text.slice(0, match.index).split("\n").length,
      link,
      path: file === ""
        ? path
        : posix.join(posix.dirname(path), file).replace(/^\.$|\/$/, ""),
      anchor,
    }];
  });
}

/**
 * The anchors of a page's headings, as GitHub makes them: lower case, without
 * punctuation, hyphens for spaces; a repeated heading gets a number.
 */
export function anchorsOf(page: string): Set<string> {
  const seen = new Map<string, number>();
  const anchors = new Set<string>();
  for (const line of withoutCode(page)) {
    const heading = HEADING.exec(line)?.[1];
    if (heading === undefined) continue;
    const anchor = heading
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, "")
      .replaceAll(" ", "-");
    const times = seen.get(anchor) ?? 0;
    seen.set(anchor, times + 1);
    anchors.add(times === 0 ? anchor : `${anchor}-${times}`);
  }
  return anchors;
}
