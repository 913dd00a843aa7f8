/**
 * A collector in a separate process, for the test that kills it. It traces the
 * target in its first argument, and puts files into the folder in its second.
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
