/**
 * Generates TypeScript declarations for a kernel's structs: the kind of value
 * of each member. {@linkcode ValueOf} interprets the kinds.
 *
 * @module
 */
import { shownJson } from "../../base/shown.ts";
import { type CType, PER_CPU_SECTION, type StructType } from "../btf/c_type.ts";
import type { Types } from "../btf/types.ts";
import { isNarrow } from "./integers.ts";

/** Enums with more names than this are not declared name by name. */
const MOST_NAMES = 12;
/** How many levels of nested anonymous structs are declared. */
const MOST_LEVELS = 3;

const KEY = /^[A-Za-z_$][\w$]*$/;
const TYPEDEF = /^[A-Za-z_]\w*$/;

/**
 * Members of a struct (given without `struct`, or as a typedef's name) and
 * their kinds; `undefined` when the kernel has no such struct.
 */
export function declaredMembers(
  types: Types,
  struct: string,
): Map<string, string> | undefined {
  const type = types.tryType(struct);
  if (type?.kind !== "struct") return undefined;
  return membersOf(types, type, 0);
}

/**
 * Declares structs of one or several kernels: members that are missing from
 * some of them are optional.
 *
 * @param kernels the structs' members, by kernel
 * @param indent text put before each line
 */
export function declareStructs(
  structs: readonly string[],
  kernels: readonly Types[],
  indent = "",
): string {
  let text = "";
  for (const struct of structs) {
    const found = kernels.map((types) => declaredMembers(types, struct));
    const members = new Map<string, Set<string>>();
    for (const each of found) {
      for (const [name, type] of each ?? []) {
        const all = members.get(name) ?? new Set();
        members.set(name, all.add(type));
      }
    }
    if (members.size === 0) continue;
    text += `${indent}readonly ${struct}: {\n`;
    for (const [name, all] of members) {
      const everywhere = found.every((each) =>
        each === undefined || each.has(name)
      );
      const key = quotedKey(name);
      const type = [...all].join(" | ");
      text += `${indent}  readonly ${key}${everywhere ? "" : "?"}: ${type};\n`;
    }
    text += `${indent}};\n`;
  }
  return text;
}

/** A name of the guest's as a string of TypeScript. */
function quoted(name: string): string {
  return shownJson(JSON.stringify(name));
}

function quotedKey(name: string): string {
  return KEY.test(name) ? name : quoted(name);
}

function membersOf(
  types: Types,
  struct: StructType,
  level: number,
): Map<string, string> {
  return new Map(
    [...struct.layout.members].map(([name, member]) => [
      name,
      declared(types, types.typeOf(member.type), level, member.bitSize),
    ]),
  );
}

/** The kind of a type's values as a TypeScript type. */
function declared(
  types: Types,
  type: CType,
  level: number,
  width?: number,
): string {
  if (type.kind === "enum" && type.names.size <= MOST_NAMES) {
    const names = [...type.names.values()].map(quoted);
    return `{ enum: ${names.join(" | ")} }`;
  }
  if (type.kind === "struct" && nameOf(type) === undefined) {
    if (level >= MOST_LEVELS || type.layout.members.size === 0) {
      return JSON.stringify("struct");
    }
    const members = [...membersOf(types, type, level + 1)].map(
      ([name, inner]) => `${quotedKey(name)}: ${inner}`,
    );
    return `{ ${members.join("; ")} }`;
  }
  return quoted(kind(type, width));
}

/** The kind of a type's values in one or two words. */
function kind(type: CType, width?: number): string {
  switch (type.kind) {
    case "int":
      if (type.bool) return "boolean";
      return isNarrow(type, width) ? "number" : "bigint";
    case "float":
      return "number";
    case "enum":
      return "enum";
    case "array": {
      const { element, length } = type;
      if (element.kind === "int" && length > 0) {
        if (element.char) return "text";
        if (element.size === 1 && !element.signed && !element.bool) {
          return "bytes";
        }
      }
      return `${kind(element)}[]`;
    }
    case "struct":
      return `struct ${nameOf(type) ?? ""}`.trimEnd();
    case "pointer": {
      const { target } = type;
      return ["void", "function", "forward", "array"].includes(target.kind)
        ? "pointer"
        : `${kind(target)} *`;
    }
    case "void":
    case "function":
    case "forward":
      return "place";
  }
}

/** The name of a struct, or of its typedef. */
function nameOf(type: StructType): string | undefined {
  if (type.tag !== "") return type.tag;
  const name = type.name.replace(/\b(?:const|volatile) /g, "");
  return TYPEDEF.test(name) ? name : undefined;
}

/**
 * Declares per-CPU variables with their kinds, of one or several kernels.
 *
 * @param indent text put before each line
 */
export function declarePerCpu(kernels: readonly Types[], indent = ""): string {
  const variables = new Map<string, Set<string>>();
  for (const types of kernels) {
    for (const { name, type, section } of types.variables()) {
      if (!PER_CPU_SECTION.test(section) || !KEY.test(name)) continue;
      const all = variables.get(name) ?? new Set();
      variables.set(name, all.add(quoted(kind(type))));
    }
  }
  return [...variables].sort().map(([name, kinds]) =>
    `${indent}readonly ${name}: ${[...kinds].join(" | ")};\n`
  ).join("");
}
