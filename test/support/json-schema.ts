/** JSON Schema, as much of it as `tsrun explain --format schema` uses. */

import type { Schema } from "../../src/explain/schema.ts";

/** What of `schema` does not hold of `value`, or undefined. */
export function complaint(value: unknown, schema: Schema): string | undefined {
  const { oneOf, const: constant, enum: words, type } = schema;
  if (oneOf !== undefined)
    return oneOf.some((each) => complaint(value, each) === undefined) ? undefined : "none of oneOf";
  if (constant !== undefined) return value === constant ? undefined : `not ${constant}`;
  if (words !== undefined) return words.some((word) => word === value) ? undefined : `not of ${words.join()}`;
  const types = typeof type === "string" ? [type] : (type ?? []);
  return types.length > 0 && !types.includes(typeOf(value))
    ? `${typeOf(value)}, not ${types.join()}`
    : complaintOfParts(value, schema);
}

function complaintOfParts(value: unknown, schema: Schema): string | undefined {
  if (Array.isArray(value))
    return value.map((each) => complaint(each, schema.items ?? {})).find((said) => said !== undefined);
  if (typeof value === "object" && value !== null) return complaintOfObject(value as Record<string, unknown>, schema);
  return undefined;
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value === "number" && Number.isInteger(value) ? "integer" : typeof value;
}

function complaintOfObject(
  value: Record<string, unknown>,
  { properties = {}, required = [] }: Schema,
): string | undefined {
  const missing = required.find((name) => !(name in value));
  if (missing !== undefined) return `without ${missing}`;
  for (const [name, each] of Object.entries(value)) {
    const schema = properties[name];
    if (schema === undefined) return `with ${name}`;
    const said = complaint(each, schema);
    if (said !== undefined) return `${name}: ${said}`;
  }
  return undefined;
}
