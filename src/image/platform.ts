/** Which of an image's variants runs here. */
import { Failure } from "../sys/failure.ts";

/** In the words of Go, as the image specification has them; `variant` is "" where there is none. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
}

/** uname(2)'s word for the machine, Go's, and its variants from the best one on. */
const MACHINES = {
  x86_64: { architecture: "amd64", variants: ["", "v1"] },
  aarch64: { architecture: "arm64", variants: ["v8", ""] },
} as const satisfies Record<string, { architecture: string; variants: readonly string[] }>;

export type Machine = keyof typeof MACHINES;

/** `machine` as a machine that images are made for here. Throws a Failure. */
export function asMachine(machine: string): Machine {
  if (machine === "x86_64" || machine === "aarch64") return machine;
  throw new Failure(`images cannot be run on a machine of type ${machine}`);
}

/** Whether an image of this platform runs on the machine. */
export function runsOn({ os, architecture }: Platform, machine: Machine): boolean {
  return os === "linux" && architecture === MACHINES[machine].architecture;
}

/**
 * The entry of an index for this machine: the best variant, the first of its kind. The only image is taken whatever it is for:
 * the kernel may have an emulator (binfmt_misc). Throws a Failure that lists what there is.
 */
export function choosePlatform<T extends { readonly platform: Platform | undefined }>(
  entries: readonly T[],
  machine: Machine,
): T {
  // What BuildKit adds to an image about its making has no platform of this world.
  const images = entries.filter(({ platform }) => platform?.os !== "unknown");
  const [first] = images;
  if (first !== undefined && images.length === 1) return first;
  const fitting = images.filter(({ platform }) => platform !== undefined && runsOn(platform, machine));
  for (const variant of MACHINES[machine].variants) {
    const best = fitting.find(({ platform }) => platform?.variant === variant);
    if (best !== undefined) return best;
  }
  throw new Failure(
    `the image is not for linux/${MACHINES[machine].architecture}: it is for ${listed(images) || "nothing"}`,
  );
}

/** The entry for `wanted`, whose variant may be left out. Throws a Failure that lists what there is. */
export function chooseNamed<T extends { readonly platform: Platform | undefined }>(
  entries: readonly T[],
  wanted: Platform,
): T {
  const best = findNamed(entries, wanted);
  if (best !== undefined) return best;
  const images = entries.filter(({ platform }) => platform?.os !== "unknown");
  throw new Failure(`the image is not for ${nameOf(wanted)}: it is for ${listed(images) || "nothing"}`);
}

/** The same; undefined where there is none. */
export function findNamed<T extends { readonly platform: Platform | undefined }>(
  entries: readonly T[],
  wanted: Platform,
): T | undefined {
  const fitting = entries.filter(({ platform }) => platform !== undefined && isForMachine(platform, wanted));
  const exact = fitting.find(({ platform }) => platform !== undefined && levelOf(platform) === levelOf(wanted));
  return exact ?? (wanted.variant === "" ? fitting[0] : undefined);
}

/** Names that architectures have elsewhere, and that docker understands: [architecture, variant]. */
const ALIASES: ReadonlyMap<string, readonly [architecture: string, variant: string]> = new Map([
  ["x86_64", ["amd64", ""]],
  ["x86-64", ["amd64", ""]],
  ["i386", ["386", ""]],
  ["aarch64", ["arm64", ""]],
  ["armhf", ["arm", "v7"]],
  ["armel", ["arm", "v6"]],
]);

/** "linux/arm64/v8", or "arm64" alone, in letters of either case. Throws a Failure. */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split("/");
  const [os = "", name = "", named = ""] = parts.length === 1 ? ["linux", ...parts] : parts;
  if (parts.length > 3 || parts.includes("") || text === "linux")
    throw new Failure(`--platform must be OS/ARCHITECTURE[/VARIANT]: current value is ${JSON.stringify(text)}`);
  const [architecture, implied] = ALIASES.get(name) ?? [name, ""];
  return { os, architecture, variant: named === "" ? implied : named };
}

function isForMachine({ os, architecture }: Platform, wanted: Platform): boolean {
  return os === wanted.os && architecture === wanted.architecture;
}

/** The variants that an architecture begins with: many images do not name them. */
const FIRST_VARIANTS: ReadonlyMap<string, string> = new Map([
  ["amd64", "v1"],
  ["arm64", "v8"],
]);

function levelOf({ architecture, variant }: Platform): string {
  return variant === FIRST_VARIANTS.get(architecture) ? "" : variant;
}

function listed(entries: readonly { readonly platform: Platform | undefined }[]): string {
  const names = entries.map(({ platform }) => (platform === undefined ? "an unknown platform" : nameOf(platform)));
  return [...new Set(names)].slice(0, 20).join(", ");
}

/** "linux/arm64/v8". */
export function nameOf({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter((part) => part !== "").join("/");
}

/** Whether an image of this platform is what is `wanted`, whose variant may be left out; undefined is any. */
export function isFor(platform: Platform, wanted: Platform | undefined): boolean {
  return wanted === undefined || findNamed([{ platform }], wanted) !== undefined;
}

/** Throws a Failure where the image is not for the platform that is `wanted`, whose variant may be left out. */
export function checkPlatform(platform: Platform, wanted: Platform | undefined): void {
  if (wanted === undefined || isFor(platform, wanted)) return;
  throw new Failure(`the image is for ${nameOf(platform)}, and --platform asks for ${nameOf(wanted)}`);
}
