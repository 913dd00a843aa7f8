/**
 * A page as a file: one HTML document without anything from elsewhere, in which
 * the browser lets run nothing but the one script that it begins with.
 *
 * @module
 */
import { deflateRawSync } from "node:zlib";
import { shown } from "../../base/shown.ts";
import { SCRIPT, SCRIPT_HASH, STYLE, STYLE_HASH } from "./bundle.ts";
import type { PageData } from "./data.ts";

/** Takes the file piece by piece. */
export type PageSink = (chunk: string) => void;

/** Parts of a page's data, each in an element of its own. */
export type PagePart = "rows" | "texts" | "data";

/** Writes a page: its beginning, its data in parts, its end. */
export class PageFile {
  readonly #sink: PageSink;

  constructor(sink: PageSink) {
    this.#sink = sink;
  }

  /** Begins the page. */
  begin(title: string): void {
    const policy = `default-src 'none'; script-src '${SCRIPT_HASH}'; ` +
      `style-src '${STYLE_HASH}'; base-uri 'none'; form-action 'none'`;
    this.#sink(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>${htmlText(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<div id="app"><main><h1>${htmlText(title)}</h1>
<p>The report is being read.</p>
<noscript><p>This page needs JavaScript. Nothing is loaded from elsewhere.</p></noscript></main></div>
`);
  }

  /** Adds data; nothing in it can be taken for a part of the page. */
  part(part: PagePart, bytes: Uint8Array): void {
    const packed = deflateRawSync(bytes, { level: 6 });
    this.#sink(
      `<script type="application/octet-stream" data-part="${part}">${
        packed.toString("base64")
      }</script>\n`,
    );
  }

  /** Ends the page. */
  end(data: PageData): void {
    // Bytes that are no UTF-8 are lone surrogates, which JSON escapes.
    this.part("data", new TextEncoder().encode(JSON.stringify(data)));
    this.#sink(`<script>${SCRIPT}</script>\n</body>\n</html>\n`);
  }
}

/**
 * A page without events, as the text of a file.
 *
 * @example
 * ```ts
 * import { pageOf } from "xftrace/output";
 *
 * const page = pageOf({
 *   title: "Two guests",
 *   by: "my script",
 *   facts: [["Guests", "web1, web2"]],
 *   verdict: { kind: "good", text: "both are clean" },
 * });
 * console.log(page.startsWith("<!doctype html>")); // true
 * ```
 */
export function pageOf(data: PageData): string {
  let text = "";
  const file = new PageFile((chunk) => text += chunk);
  file.begin(data.title);
  file.end(data);
  return text;
}

/** A text of a guest's within HTML. */
function htmlText(text: string): string {
  return shown(text).replace(
    /[&<>"']/g,
    (character) => `&#${character.charCodeAt(0)};`,
  );
}
