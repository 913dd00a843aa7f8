/**
 * Reserves huge pages of the host for a guest's memory, as long as they are
 * needed.
 *
 * @module
 */

const COUNT = "/proc/sys/vm/nr_hugepages";
/** The folder in which QEMU creates its file. */
const MOUNT = "/dev/hugepages";
const MIB = 2;

/**
 * Reserves huge pages of 2 MiB for `mib` MiB, besides those in use, and mounts
 * a hugetlbfs at /dev/hugepages. Disposing the result undoes both.
 *
 * @throws {Error} if the host has too few; says what to do.
 */
export function reserveHugePages(mib: number): Disposable {
  const wanted = mib / MIB;
  const before = Number(Deno.readTextFileSync(COUNT));
  const undo: (() => void)[] = [];
  const done = {
    [Symbol.dispose]: () => {
      for (const step of undo.reverse()) step();
    },
  };
  const remedy = `run: echo ${wanted} > ${COUNT}`;
  try {
    if (free() < wanted) {
      Deno.writeTextFileSync(COUNT, String(before + wanted));
      undo.push(() => Deno.writeTextFileSync(COUNT, String(before)));
    }
    if (free() < wanted) {
      throw new Error(`the host has ${free()} free huge pages; ${remedy}`);
    }
    if (!mounted()) {
      Deno.mkdirSync(MOUNT, { recursive: true });
      run("mount", ["-t", "hugetlbfs", "none", MOUNT]);
      undo.push(() => run("umount", [MOUNT]));
    }
    return done;
  } catch (error) {
    done[Symbol.dispose]();
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    throw new Error(
      `huge pages cannot be reserved without root; as root, ${remedy}`,
    );
  }
}

function free(): number {
  const text = Deno.readTextFileSync("/proc/meminfo");
  return Number(/^HugePages_Free:\s*(\d+)/m.exec(text)?.[1] ?? 0);
}

function mounted(): boolean {
  return Deno.readTextFileSync("/proc/mounts").split("\n").some((line) => {
    const [, where, type] = line.split(" ");
    return where === MOUNT && type === "hugetlbfs";
  });
}

function run(command: string, args: readonly string[]): void {
  const { success, stderr } = new Deno.Command(command, {
    args: [...args],
    stdout: "null",
    stderr: "piped",
  }).outputSync();
  if (!success) {
    const said = new TextDecoder().decode(stderr).trim();
    throw new Error(`${command} ${args.join(" ")} failed: ${said}`);
  }
}
