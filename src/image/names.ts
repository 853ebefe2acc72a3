/** The files by which a container finds names: copies of the host's, but for /etc/hosts where it has not the host's network. */
import { attempt } from "../sys/failure.ts";
import { readFile, readFileIfAny } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import { isWithin } from "../spec/paths.ts";
import { isHosts } from "./flags/namespaces.ts";
import type { Options } from "./flags/options.ts";
import { resolvConf } from "./flags/resolver.ts";

/** More is no such file. */
const LIMIT = 1 << 20;

const OWN_HOSTS = [
  "127.0.0.1\tlocalhost",
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::0\tip6-localnet",
  "ff00::0\tip6-mcastprefix",
  "ff02::1\tip6-allnodes",
  "ff02::2\tip6-allrouters",
];

/** By their names in /etc: what they say. Those that the caller mounts something over are not among them. */
export function nameFiles(sys: Sys, options: Options, hostname: string): ReadonlyMap<string, string> {
  const { namespaces, mounts, hosts, domainname, resolver } = options;
  const files = new Map([["hostname", `${hostname}\n`]]);
  const more = hosts.map((line) => `${line}\n`).join("");
  if (isHosts(namespaces, "network")) {
    files.set("hosts", ofHost(sys, "/etc/hosts") + more);
  } else {
    const own = domainname === undefined ? hostname : `${hostname}.${domainname} ${hostname}`;
    files.set("hosts", `${OWN_HOSTS.join("\n")}\n127.0.1.1\t${own}\n${more}`);
  }
  files.set("resolv.conf", resolvConf(ofHost(sys, "/etc/resolv.conf"), resolver));
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
