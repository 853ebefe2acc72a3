/** Which of an image's variants runs here. */
import { quote } from "../spec/reader.ts";
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
  const fitting = entries.filter(
    ({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
  );
  const exact = fitting.find(({ platform }) => platform?.variant === wanted.variant);
  return exact ?? (wanted.variant === "" ? fitting[0] : undefined);
}

/** "linux/arm64/v8", or "arm64" alone. Throws a Failure. */
export function parsePlatform(text: string): Platform {
  const parts = text.split("/");
  const [os = "", architecture = "", variant = ""] = parts.length === 1 ? ["linux", ...parts] : parts;
  if (parts.length > 3 || parts.includes(""))
    throw new Failure(`--platform must be OS/ARCHITECTURE[/VARIANT]: current value is ${JSON.stringify(text)}`);
  return { os, architecture, variant };
}

function listed(entries: readonly { readonly platform: Platform | undefined }[]): string {
  const names = entries.map(({ platform }) => (platform === undefined ? "an unknown platform" : nameOf(platform)));
  return [...new Set(names)].slice(0, 20).join(", ");
}

/** "linux/arm64/v8". */
export function nameOf({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter((part) => part !== "").join("/");
}

/** Throws a Failure where the image is not for the platform that --platform names: "linux/amd64", "linux/arm64/v8". */
export function checkPlatform(platform: Platform, wanted: string | undefined): void {
  if (wanted === undefined) return;
  const [os = "", architecture = "", variant = "", ...more] = wanted.split("/");
  if (os === "" || architecture === "" || more.length > 0)
    throw new Failure(`--platform must be such as linux/amd64: current value is ${quote(wanted)}`);
  const fits = platform.os === os && platform.architecture === architecture;
  if (fits && (variant === "" || variant === platform.variant)) return;
  throw new Failure(`the image is for ${nameOf(platform)}, and --platform asks for ${wanted}`);
}
