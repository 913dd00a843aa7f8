/**
 * Finds out whether guests can be booted here. Fetches missing packages and
 * kernels, as live tests do.
 *
 * @module
 */
import { LabError } from "../../lab/host/errors.ts";
import { ensurePackages } from "../../lab/host/host.ts";
import { findKernel } from "../../lab/packages/kernel.ts";

/** Kernels that the live tests boot. */
const KERNELS = ["6.1", "6.12"];

/** Why no guest can be booted; `undefined` when guests can. */
export async function whyNoLab(): Promise<string | undefined> {
  const onProgress = (step: string) => console.log(`lab: ${step}`);
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") {
    return "the lab needs a Linux host with an x86-64 processor";
  }
  try {
    await ensurePackages(onProgress);
    for (const kernel of KERNELS) {
      await findKernel(kernel, "amd64", onProgress);
    }
    return undefined;
  } catch (error) {
    if (error instanceof LabError) return error.message;
    throw error;
  }
}
