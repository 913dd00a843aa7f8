/**
 * A folder for the files of one test.
 *
 * @module
 */

/** A new folder, which is removed with its files at the end of its scope. */
export class TemporaryFolder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "xftrace-test-" });

  /** Removes it. */
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
