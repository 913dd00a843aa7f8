/** Trace script: files that are opened, by whom, and how long it takes. */
import { args, asDuration, process, sys_open, trace } from "xftrace";
import { script } from "./script.ts";

export const opens = script({
  name: "opens",
  description: "Prints the files that are opened, with who opens them.",
  flags: {
    for: ["duration", "how long to trace", "10s"],
    process: ["glob", "only processes with this command, and their children"],
    path: ["glob", "only files whose path matches"],
  },
  examples: ["-t qemu:web1", '--process "nginx*" --path "/etc/*"'],
}, (flags) => {
  let calls = trace(sys_open).until(asDuration(flags.for));
  if (flags.process !== undefined) {
    calls = calls.filter(process(flags.process).withChildren());
  }
  if (flags.path !== undefined) {
    calls = calls.filter(args.filename.glob(flags.path));
  }
  return [calls.print()];
});

export default opens;
if (import.meta.main) Deno.exit(await opens.main());
