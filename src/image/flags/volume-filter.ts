/** --filter of `volume ls` and `volume prune`, in docker's words. Pure. */
import { quote } from "../../spec/reader.ts";
import { Failure } from "../../sys/failure.ts";
import { cutAtFirst } from "../text.ts";

/** What a filter looks at. */
export interface Filtered {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Whether a container uses it. */
  readonly used: boolean;
}

/** Whether a volume is one that `value` asks for. */
type Kind = (value: string) => (volume: Filtered) => boolean;

const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ["name", (value) => (volume) => volume.name.includes(value)],
  ["label", (value) => (volume) => hasLabel(volume, value)],
  ["label!", (value) => (volume) => !hasLabel(volume, value)],
  ["driver", (value) => () => value === "local"],
  [
    "dangling",
    (value) => {
      if (!["true", "1", "false", "0"].includes(value))
        throw new Failure(`--filter dangling must be true or false: current value is ${quote(value)}`);
      return (volume) => volume.used !== ["true", "1"].includes(value);
    },
  ],
]);

/** As docker: a volume must have all labels that are asked for, and of every other kind one. */
const ALL_OF = ["label", "label!"];

/** What passes filters such as "label=a=b", of which `kinds` are those that the command has. Throws a Failure. */
export function parseFilters(texts: readonly string[], kinds: readonly string[]): (volume: Filtered) => boolean {
  const tests = new Map<string, ((volume: Filtered) => boolean)[]>();
  for (const text of texts) {
    const [kind, value] = cutAtFirst(text, "="); // "label!=x" is of the kind "label!".
    const make = kinds.includes(kind) ? KINDS.get(kind) : undefined;
    if (make === undefined || value === undefined)
      throw new Failure(`--filter must be KIND=VALUE, of ${kinds.join(", ")}: current value is ${quote(text)}`);
    tests.set(kind, [...(tests.get(kind) ?? []), make(value)]);
  }
  return (volume) =>
    [...tests].every(([kind, own]) =>
      ALL_OF.includes(kind) ? own.every((passes) => passes(volume)) : own.some((passes) => passes(volume)),
    );
}

/** NAME, or NAME=VALUE. */
function hasLabel({ labels }: Filtered, wanted: string): boolean {
  const [name, value] = cutAtFirst(wanted, "=");
  return Object.hasOwn(labels, name) && (value === undefined || labels[name] === value);
}
