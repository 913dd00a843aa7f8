/**
 * A server at a Unix socket, in a worker, since the clients under test block
 * their own thread.
 *
 * @module
 */

/** A running server. */
export interface SocketServer extends AsyncDisposable {
  readonly path: string;
}

/**
 * Starts a server.
 *
 * @param serve source text of the statements that serve one connection; they
 * may use `client`, `say(text or bytes)` and `lines()`, which yields the lines
 * that the client sends
 */
export async function socketServer(serve: string): Promise<SocketServer> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/test.sock`;
  const code = `
    const decoder = new TextDecoder(), encoder = new TextEncoder();
    const listener = Deno.listen({ transport: "unix", path: ${
    JSON.stringify(path)
  } });
    self.postMessage("up");
    for await (const client of listener) {
      const say = async (what) => {
        let bytes = typeof what === "string" ? encoder.encode(what) : what;
        while (bytes.length > 0) bytes = bytes.subarray(await client.write(bytes));
      };
      async function* lines() {
        let text = "";
        for await (const bytes of client.readable) {
          text += decoder.decode(bytes, { stream: true });
          for (let at = text.indexOf("\\n"); at >= 0; at = text.indexOf("\\n")) {
            yield text.slice(0, at);
            text = text.slice(at + 1);
          }
        }
      }
      try {
        ${serve}
      } catch { /* The client has gone. */ }
    }`;
  const url = URL.createObjectURL(
    new Blob([code], { type: "text/javascript" }),
  );
  const worker = new Worker(url, { type: "module" });
  await new Promise((resolve) => worker.onmessage = resolve);
  return {
    path,
    async [Symbol.asyncDispose]() {
      worker.terminate();
      URL.revokeObjectURL(url);
      await Deno.remove(folder, { recursive: true });
    },
  };
}
