/** --volume, --mount, --tmpfs and --shm-size: the mounts that the command line asks for, in docker's words. Pure. */
import { quote } from "../../spec/reader.ts";
import { Failure } from "../../sys/failure.ts";
import { parseMount } from "./mount.ts";
import { isVolumeName, VOLUME_NAME } from "./volume-names.ts";
import { inContainer, isHostPath, type Wish } from "./wish.ts";

/** The mounts of all three flags, in the order that they are given in. Throws a Failure that names the flag. */
export function parseMounts(flags: ReadonlyMap<string, readonly string[]>): Wish[] {
  const all = (name: string): readonly string[] => flags.get(name) ?? [];
  return [...all("volume").map(parseVolume), ...all("mount").map(parseMount), ...all("tmpfs").map(parseTmpfs)];
}

/** What every bind begins with: docker's, and nothing that is mounted on either side reaches the other. */
const BIND = ["rbind", "rprivate"];

/** Words of --volume, and the mount options they stand for. Labels of SELinux are not set here; the last three are for macOS. */
const VOLUME_OPTIONS: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ["ro", ["ro", "rro"]],
  ...["rw", "z", "Z", "nocopy", "consistent", "cached", "delegated"].map((word) => [word, []] as const),
  ["idmap", ["idmap"]],
  ...["nosuid", "nodev", "noexec", "suid", "dev", "exec"].map((word) => [word, [word, `r${word}`]] as const),
  ...["private", "rprivate", "shared", "rshared", "slave", "rslave"].map((word) => [word, [word]] as const),
]);

/** [SOURCE:]DESTINATION[:OPTIONS]: a source with a slash is of the host, another one a volume's name. */
function parseVolume(text: string): Wish {
  const parts = text.split(":");
  const [first = "", second, words = "rw", ...more] = parts;
  if (more.length > 0 || text === "") throw volumeError(text, "it must be [SOURCE:]DESTINATION[:OPTIONS]");
  const source = second === undefined ? "" : first;
  const given = words.split(",");
  const options = given.flatMap((word) => optionsOf(word, text));
  checkExclusive(given, text);
  const mount = {
    destination: inContainer(second ?? first, `--volume ${quote(text)}`),
    type: "bind",
    options: [...BIND, ...options],
  };
  if (isHostPath(source)) {
    if (given.includes("nocopy"))
      throw volumeError(text, "nocopy is for volumes: nothing is copied to the host's files");
    return { ...mount, source };
  }
  if (second !== undefined && !isVolumeName(source))
    throw volumeError(text, `${quote(source)} is no name: ${VOLUME_NAME}`);
  return { ...mount, source: "", volume: { name: source, copy: !given.includes("nocopy"), labels: {} } };
}

function optionsOf(word: string, text: string): readonly string[] {
  const known = VOLUME_OPTIONS.get(word);
  if (known === undefined) throw volumeError(text, `unknown option ${quote(word)}`);
  return known;
}

/** Words of which there may be one. */
const EXCLUSIVE = [
  ["ro", "rw"],
  ["z", "Z"],
  ["private", "rprivate", "shared", "rshared", "slave", "rslave"],
  ["consistent", "cached", "delegated"],
];

function checkExclusive(given: readonly string[], text: string): void {
  for (const words of EXCLUSIVE) {
    const [first, second] = given.filter((word) => words.includes(word));
    if (first !== undefined && second !== undefined)
      throw volumeError(text, `${quote(first)} and ${quote(second)} exclude each other`);
  }
}

function volumeError(text: string, why: string): Failure {
  return new Failure(`--volume ${quote(text)}: ${why}`);
}

/** --tmpfs PATH[:OPTIONS], with docker's defaults before the options. */
function parseTmpfs(text: string): Wish {
  const colon = text.indexOf(":");
  const words = colon < 0 ? [] : text.slice(colon + 1).split(",");
  return {
    destination: inContainer(colon < 0 ? text : text.slice(0, colon), `--tmpfs ${quote(text)}`),
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "nodev", "noexec", ...words.filter((word) => word !== "")],
  };
}
