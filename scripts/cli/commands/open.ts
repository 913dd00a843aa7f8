/** `xftrace open`: shows a recording in a browser. */
import type { Command } from "@commander-js/extra-typings";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { XftraceError } from "xftrace";
import { formatNamed } from "xftrace/output";
import { numberFor } from "../option_values.ts";
import { note, outLine } from "../terminal.ts";
import { convertRecording } from "../traces/convert_recording.ts";
import {
  PERFETTO_PORT,
  type ServedAddresses,
  servedAddresses,
  type ServedFile,
  traceHandler,
} from "../traces/trace_server.ts";

/** Registers `xftrace open` on the program. */
export function registerOpen(program: Command): void {
  program.command("open")
    .summary("show a recording in a browser")
    .description(
      "Serves a recording on this host: as a page, and for ui.perfetto.dev, whose page\n" +
        "loads it from here and keeps it in the browser. Prints both addresses; Ctrl-C\n" +
        "ends it. Only who knows the address can read it.",
    )
    .argument(
      "<file>",
      "a trace.dat, a core, a snapshot, a trace.xfs; or a file of `record`: .pftrace, .html",
    )
    .option("--instance <name>", "show only this trace instance")
    .option(
      "--klog <file>",
      "the key log of a sealed recording (default: the one beside it that it names)",
    )
    .option(
      "--port <number>",
      `serve at this port; Perfetto's page only takes ${PERFETTO_PORT}`,
      numberFor("--port"),
      PERFETTO_PORT,
    )
    .addHelpText(
      "after",
      `
Examples:
  xftrace record -o web1.dat --for 10; xftrace open web1.dat
  xftrace open web1.core.zst
  xftrace open trace.xfs
  xftrace open all.pftrace`,
    )
    .action(async (file, options) => {
      const folder = await Deno.makeTempDir({ prefix: "xftrace-open-" });
      try {
        const files = await filesOf(file, folder, options);
        await serve(files, options.port);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    });
}

/** The name of the file for Perfetto. */
const PERFETTO = "trace.pftrace";

/** Makes what is served of a recording. */
async function filesOf(
  file: string,
  folder: string,
  options: { readonly instance?: string; readonly klog?: string },
): Promise<ServedFile[]> {
  const page = { name: "", path: join(folder, "page.html") };
  const perfetto = { name: PERFETTO, path: join(folder, PERFETTO) };
  const made = [
    { ...page, type: "text/html; charset=utf-8", format: "html" },
    { ...perfetto, type: "application/octet-stream", format: "perfetto" },
  ];
  const own = /\.(?:pftrace|perfetto-trace)$/.test(file)
    ? "perfetto"
    : /\.html?$/.test(file)
    ? "html"
    : undefined;
  const wanted = own === undefined
    ? made
    : made.filter(({ format }) => format === own);
  for (const { path, format } of wanted) {
    if (own !== undefined) copy(file, path);
    else {
      await convertRecording(file, formatNamed(format), {
        ...options,
        output: path,
      });
    }
  }
  return wanted;
}

/** Copies a file that is served as it is: it may be replaced meanwhile. */
function copy(file: string, to: string): void {
  try {
    copyFileSync(file, to);
  } catch (error) {
    throw new XftraceError(
      `${file} cannot be read: ${
        error instanceof Error ? error.message : String(error)
      }`,
      { cause: error },
    );
  }
}

async function serve(
  files: readonly ServedFile[],
  port: number,
): Promise<void> {
  const secret = [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const ending = new AbortController();
  const end = () => ending.abort();
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve({
      hostname: "127.0.0.1",
      port,
      signal: ending.signal,
      onListen: () => {},
    }, traceHandler(files, secret));
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new XftraceError(
      `the port ${port} is in use, perhaps by another \`xftrace open\`; end that, or choose another one with --port (then for the page alone)`,
      { cause: error },
    );
  }
  Deno.addSignalListener("SIGINT", end);
  Deno.addSignalListener("SIGTERM", end);
  tell(files, server.addr, secret);
  await server.finished;
}

function tell(
  files: readonly ServedFile[],
  { port }: Deno.NetAddr,
  secret: string,
): void {
  const { page, perfetto }: ServedAddresses = servedAddresses(
    port,
    secret,
    PERFETTO,
  );
  const has = (name: string) => files.some((file) => file.name === name);
  if (has("")) outLine(`page      ${page}`);
  if (has(PERFETTO) && port === PERFETTO_PORT) {
    outLine(`Perfetto  ${perfetto}`);
  }
  note("Ctrl-C ends it");
}
