/**
 * The two FIFOs that are the host's end of a guest's port.
 *
 * @module
 */

/**
 * The two FIFOs that QEMU joins to a port of the guest. Both are opened for
 * reading and writing, so that neither opening nor the end of another process
 * blocks or closes them, and so that what is blocked can be released: a read
 * of a FIFO cannot be cancelled, but a byte of one's own ends it.
 */
export class PortPipe implements AsyncDisposable {
  private readonly toGuest: Deno.FsFile;
  private readonly fromGuest: Deno.FsFile;
  // Of one open file only one operation runs at a time, so that a blocked one
  // is released through another.
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
   * Bytes from the guest, or nothing when `interrupt` settles first. What was
   * being waited for then comes with the next call.
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

  /** Sends bytes; they go out while {@link read} is waited for. */
  send(bytes: Uint8Array): void {
    const before = this.writing ?? Promise.resolve();
    this.writing = before.then(async () => {
      // A page is written whole, so at most one write is ever blocked.
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

/** Waits for something, doing `help` once if it does not end by itself. */
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
