/**
 * x86-64 (AMD64, Intel 64).
 *
 * @module
 */
import type { Arch } from "../arch.ts";
import { finder } from "./finder.ts";
import { image } from "./image.ts";

/** See {@linkcode Arch}. */
export const x86_64: Arch = { name: "x86_64", image, finder };
