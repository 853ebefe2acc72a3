/** The files by which a container finds names: a copy of the host's where it has the host's network, else its own. */
import { attempt } from "../sys/failure.ts";
import { readFileIfAny } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import { isWithin } from "../spec/paths.ts";
import type { Options } from "./options.ts";

/** More is no such file. */
const LIMIT = 1 << 20;

const OWN_HOSTS =
  "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

/** By their names in /etc: what they say. Those that the caller mounts something over are not among them. */
export function nameFiles(sys: Sys, { hostNetwork, mounts }: Options, hostname: string): ReadonlyMap<string, string> {
  const files = new Map([["hostname", `${hostname}\n`]]);
  if (hostNetwork) {
    files.set("hosts", ofHost(sys, "/etc/hosts"));
    files.set("resolv.conf", ofHost(sys, "/etc/resolv.conf"));
  } else {
    files.set("hosts", `${OWN_HOSTS}127.0.1.1\t${hostname}\n`);
  }
  for (const name of files.keys())
    if (mounts.some(({ destination }) => isWithin(`/etc/${name}`, destination))) files.delete(name);
  return files;
}

function ofHost(sys: Sys, path: string): string {
  return attempt(`read ${path}`, () => readFileIfAny(sys, null, path, LIMIT) ?? "");
}
