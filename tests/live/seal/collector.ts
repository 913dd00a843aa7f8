/**
 * A collector as a process of its own, for the test that kills it: traces the
 * target of its first argument, with files in the folder of its second.
 *
 * @module
 */
import { SealedTracer } from "../../../engine/seal/tracer/sealed_tracer.ts";
import { attach } from "../../../ffi/attach.ts";

const [target, folder] = Deno.args;
using session = attach(target, { writable: true });
const tracer = SealedTracer.find(session);
if (tracer === undefined) throw new Error("the guest has no module");
await tracer.start({
  roots: ["sys_openat", "sys_read"],
  filter: ["vfs_read"],
  rotateMs: 10,
  klogPath: `${folder}/trace.klog`,
  recordingPath: `${folder}/trace.xfs`,
});
console.log("started");
for (;;) {
  tracer.poll();
  await new Promise((resolve) => setTimeout(resolve, 2));
}
