/**
 * The names of functions that a sealed recording has.
 *
 * @module
 */
import { type FtraceSites, withoutOffset } from "../../arch/ftrace_sites.ts";
import type {
  Names,
  RecordingHeader,
} from "../../seal/recording/recording_format.ts";
import type { TextSymbols } from "../text/environment.ts";

/**
 * The names that a recording has. What is called by its name is the kernel's or
 * a module's; all else is called by its address.
 */
export function recordedSymbols(
  { kernelText: [start, end] }: RecordingHeader,
  names: Names,
  sites: FtraceSites,
): TextSymbols {
  const text = [BigInt(start), BigInt(end)] as const;
  const known = new Map<string, string>();
  const find = (lo: number, hi: number): [string, string | undefined] => {
    const address = BigInt(hi >>> 0) << 32n | BigInt(lo >>> 0);
    const hex = `0x${address.toString(16)}`;
    const name = names[hex];
    const kernel = address >= text[0] && address < text[1];
    return [hex, kernel || name?.endsWith("]") === true ? name : undefined];
  };
  const bare = (lo: number, hi: number) => {
    const [hex, name] = find(lo, hi);
    if (name === undefined) return hex;
    let short = known.get(name);
    if (short === undefined) {
      short = withoutOffset(sites, name).replace(/\+0x[0-9a-f]+/, "");
      known.set(name, short);
    }
    return short;
  };
  const whole = (lo: number, hi: number) => {
    const [hex, name] = find(lo, hi);
    return name ?? hex;
  };
  return { bare, ps: bare, pS: whole, pB: whole };
}
