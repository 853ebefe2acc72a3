/** The files by which a container finds names: a copy of the host's where it has the host's network, else its own. */
import { attempt } from "../sys/failure.ts";
import { readFile, readFileIfAny } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import { isWithin } from "../spec/paths.ts";
import { isHosts } from "./flags/namespaces.ts";
import type { Options } from "./flags/options.ts";

/** More is no such file. */
const LIMIT = 1 << 20;

const OWN_HOSTS =
  "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

/** By their names in /etc: what they say. Those that the caller mounts something over are not among them. */
export function nameFiles(sys: Sys, options: Options, hostname: string): ReadonlyMap<string, string> {
  const { namespaces, mounts, hosts, domainname } = options;
  const files = new Map([["hostname", `${hostname}\n`]]);
  const more = hosts.map((line) => `${line}\n`).join("");
  if (isHosts(namespaces, "network")) {
    files.set("hosts", ofHost(sys, "/etc/hosts") + more);
    files.set("resolv.conf", ofHost(sys, "/etc/resolv.conf"));
  } else {
    const own = domainname === undefined ? hostname : `${hostname}.${domainname} ${hostname}`;
    files.set("hosts", `${OWN_HOSTS}127.0.1.1\t${own}\n${more}`);
  }
  for (const name of files.keys())
    if (mounts.some(({ destination }) => isWithin(`/etc/${name}`, destination))) files.delete(name);
  return files;
}

/** As docker: the beginning of the id, unless the caller wants another; the host's where it has the host's network or name. */
export function hostnameOf(sys: Sys, { hostname, namespaces }: Options, id: string): string {
  if (hostname !== undefined) return hostname;
  const isHost = isHosts(namespaces, "network") || isHosts(namespaces, "uts");
  return isHost ? readFile(sys, null, "/proc/sys/kernel/hostname").trim() : id.slice(0, 12);
}

function ofHost(sys: Sys, path: string): string {
  return attempt(`read ${path}`, () => readFileIfAny(sys, null, path, LIMIT) ?? "");
}
