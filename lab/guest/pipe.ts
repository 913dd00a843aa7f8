/**
 * The host's end of a guest's port: two FIFOs.
 *
 * @module
 */

/**
 * The two FIFOs that QEMU connects to a port of the guest. Both are opened for
 * reading and writing: so opening them does not block, the end of another
 * process does not close them, and a blocked operation can be ended (a read of
 * a FIFO cannot be cancelled, but writing a byte to it ends it).
 */
export class PortPipe implements AsyncDisposable {
  private readonly toGuest: Deno.FsFile;
  private readonly fromGuest: Deno.FsFile;
  // An open file runs one operation at a time, so a blocked operation must be
  // ended through a second one.
  private readonly toGuestOther: Deno.FsFile;
  private readonly fromGuestOther: Deno.FsFile;
  private readonly buffer = new Uint8Array(1 << 16);
  private reading?: Promise<Uint8Array>;
  private writing?: Promise<void>;
  private abandoned = false;

  /** Opens `PATH.in` and `PATH.out`. */
  constructor(path: string) {
    const options = { read: true, write: true };
    this.toGuest = Deno.openSync(`${path}.in`, options);
    this.fromGuest = Deno.openSync(`${path}.out`, options);
    this.toGuestOther = Deno.openSync(`${path}.in`, options);
    this.fromGuestOther = Deno.openSync(`${path}.out`, options);
  }

  /**
   * Reads bytes from the guest; `undefined` when `interrupt` settles first. The
   * pending bytes are then returned by the next call.
   */
  async read(interrupt: Promise<unknown>): Promise<Uint8Array | undefined> {
    this.reading ??= this.fromGuest.read(this.buffer)
      .then((count) => this.buffer.slice(0, count ?? 0));
    const bytes = await Promise.race([
      this.reading,
      interrupt.then(() => undefined),
    ]);
    if (bytes) this.reading = undefined;
    return bytes;
  }

  /**
   * Queues bytes to send; they are written while the caller waits in
   * {@link read}.
   */
  send(bytes: Uint8Array): void {
    const before = this.writing ?? Promise.resolve();
    this.writing = before.then(async () => {
      // A FIFO takes a page at once, so at most one write is blocked.
      for (let at = 0; at < bytes.length && !this.abandoned;) {
        at += await this.toGuest.write(bytes.subarray(at, at + 4096));
      }
    });
  }

  /** Waits until all is sent, or gives up when `interrupt` settles. */
  async sent(interrupt: Promise<unknown>): Promise<void> {
    await Promise.race([this.writing, interrupt]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.abandoned = true;
    await release(this.writing, async () => {
      await this.toGuestOther.read(new Uint8Array(1 << 16));
    });
    await release(this.reading, () => this.fromGuestOther.write(NEWLINE));
    this.toGuest.close();
    this.fromGuest.close();
    this.toGuestOther.close();
    this.fromGuestOther.close();
  }
}

const NEWLINE = new Uint8Array([10]);

/**
 * Waits for a blocked operation; calls `help` once if it does not end by
 * itself.
 */
async function release(
  blocked: Promise<unknown> | undefined,
  help: () => Promise<unknown>,
): Promise<void> {
  if (!blocked) return;
  const { promise: soon, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, 20);
  let ended = false;
  await Promise.race([blocked.then(() => ended = true), soon]);
  clearTimeout(timer);
  if (ended) return;
  await help();
  await blocked;
}
