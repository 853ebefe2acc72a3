/** How far layers are, in lines on standard error: for people, and for logs. */
import type { Sys } from "../sys/sys.ts";
import { hexOf, type Digest } from "./digest.ts";
import type { Told } from "./layers.ts";
import { sizeText } from "./words.ts";

/** A line for each tenth of a layer. */
export function progressTo(sys: Sys): Told {
  const told = new Map<Digest, number>();
  return {
    waits: (diffId) => say(sys, `layer ${short(diffId)}: waiting for another command that is unpacking it`),
    moves: (diffId, bytes, total) => {
      const tenth = total === 0 ? 10 : Math.floor((10 * bytes) / total);
      if (told.get(diffId) === tenth) return;
      told.set(diffId, tenth);
      say(sys, `layer ${short(diffId)}: ${sizeText(bytes)} of ${sizeText(total)}`);
    },
  };
}

function short(diffId: Digest): string {
  return hexOf(diffId).slice(0, 12);
}

function say(sys: Sys, line: string): void {
  const errors = sys.inherited(2);
  sys.writeText(errors, `${line}\n`);
  errors.take();
}
