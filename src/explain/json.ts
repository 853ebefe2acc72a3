/**
 * The story for programs: an array, in order, of what schema.ts describes (`tsrun explain --format schema` prints it).
 * Integers that need more than 53 bits, and so all that the specification has as 64, are strings; what is undefined is left out.
 */
import type { Told } from "./acts.ts";

/** Ends in a newline. */
export function toJson(story: Iterable<Told>): string {
  const steps = [...story].map(({ topic, who, verb, with: options, because, says, details }, index) => ({
    number: index + 1,
    phase: topic,
    who,
    verb,
    with: options ?? null,
    because,
    says,
    details,
  }));
  return `${JSON.stringify(steps, exact, 2)}\n`;
}

/** JSON has no bigint, and who reads it may have only doubles. */
function exact(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
