/**
 * A wall clock that can be stepped for some processes alone: a library that
 * adds to what the system says, by as much as a file has.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

const SOURCE = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile long *step;

static void begin(void) __attribute__((constructor));
static void begin(void)
{
	const char *path = getenv("STEPPED_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *at = fd < 0 ? MAP_FAILED
		: mmap(0, sizeof(long), PROT_READ, MAP_SHARED, fd, 0);
	if (at != MAP_FAILED)
		step = at;
}

int clock_gettime(clockid_t id, struct timespec *to)
{
	static int (*real)(clockid_t, struct timespec *);
	if (!real)
		real = dlsym(RTLD_NEXT, "clock_gettime");
	int failed = real(id, to);
	if (!failed && step && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		to->tv_sec += *step;
	return failed;
}

int gettimeofday(struct timeval *to, void *zone)
{
	struct timespec now;
	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &now))
		return -1;
	to->tv_sec = now.tv_sec;
	to->tv_usec = now.tv_nsec / 1000;
	return 0;
}
`;

/** A wall clock of its own for processes that are started with {@linkcode env}. */
export class SteppedClock implements Disposable {
  readonly #folder = Deno.makeTempDirSync({ prefix: "xftrace-clock-" });

  constructor() {
    const source = `${this.#folder}/clock.c`;
    Deno.writeTextFileSync(source, SOURCE);
    this.step(0);
    const { status, stderr } = spawnSync(
      "gcc",
      ["-shared", "-fPIC", "-O1", "-o", this.#library, source, "-ldl"],
      { encoding: "utf8" },
    );
    assert.equal(status, 0, stderr);
  }

  get #library(): string {
    return `${this.#folder}/clock.so`;
  }

  get #file(): string {
    return `${this.#folder}/step`;
  }

  /** Variables of a process that is to have this clock, and its children. */
  get env(): Record<string, string> {
    return { LD_PRELOAD: this.#library, STEPPED_CLOCK: this.#file };
  }

  /** Sets the clock this many seconds before or after the system's. */
  step(seconds: number): void {
    using file = Deno.openSync(this.#file, { write: true, create: true });
    file.writeSync(new Uint8Array(BigInt64Array.of(BigInt(seconds)).buffer));
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}
