/**
 * Serves a trace to programs in a browser on this host: its page, and a file for
 * Perfetto's.
 *
 * @module
 */
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";

/** The port from which Perfetto's page may load files. */
export const PERFETTO_PORT = 9001;
/** Perfetto's page. */
const PERFETTO_ORIGIN = "https://ui.perfetto.dev";

/** A file that is served. */
export interface ServedFile {
  /** The last part of its address; empty for the page. */
  readonly name: string;
  readonly path: string;
  readonly type: string;
}

/** Addresses of what is served. */
export interface ServedAddresses {
  readonly page: string;
  readonly perfetto: string;
}

/**
 * Answers requests for the files, and for nothing else. The address holds a
 * secret, since everybody on this host can connect; a name of the host other
 * than its loopback address is refused, so that no page elsewhere can have its
 * own name lead here; and only Perfetto's page may read an answer.
 */
export function traceHandler(
  files: readonly ServedFile[],
  secret: string,
): (request: Request) => Response {
  return (request) => {
    const { hostname, pathname } = new URL(request.url);
    const allowed = hostname === "127.0.0.1" || hostname === "localhost";
    const file = files.find(({ name }) => pathname === `/${secret}/${name}`);
    if (!allowed || file === undefined) {
      return new Response("not found\n", { status: 404 });
    }
    const perfetto = request.headers.get("origin") === PERFETTO_ORIGIN;
    const { method } = request;
    if (method === "OPTIONS" && perfetto) {
      // A browser asks first whether a page may reach into the local network.
      return new Response(null, {
        status: 204,
        headers: {
          "access-control-allow-origin": PERFETTO_ORIGIN,
          "access-control-allow-methods": "GET, HEAD",
          "access-control-allow-private-network": "true",
        },
      });
    }
    if (method !== "GET" && method !== "HEAD") {
      return new Response("only GET\n", { status: 405 });
    }
    const headers = {
      "content-type": file.type,
      "content-length": String(Deno.statSync(file.path).size),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      ...(perfetto ? { "access-control-allow-origin": PERFETTO_ORIGIN } : {}),
    };
    return new Response(
      method === "HEAD" ? null : bodyOf(file.path),
      { headers },
    );
  };
}

/** The content of a file, piece by piece. */
function bodyOf(path: string): ReadableStream<Uint8Array> {
  return Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>;
}

/** Where the page and the file for Perfetto are. */
export function servedAddresses(
  port: number,
  secret: string,
  name: string,
): ServedAddresses {
  const page = `http://127.0.0.1:${port}/${secret}/`;
  const file = encodeURIComponent(page + name);
  return { page, perfetto: `${PERFETTO_ORIGIN}/#!/?url=${file}` };
}
