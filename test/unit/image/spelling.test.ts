/** How flags may be written, and what of them goes into resolv.conf. */
import { parseArguments } from "../../../src/commands/parse.ts";
import { IMAGE_FLAGS } from "../../../src/commands/image-flags.ts";
import { parseOptions, type Options } from "../../../src/image/flags/options.ts";
import { resolvConf } from "../../../src/image/flags/resolver.ts";
import { deepEqual, equal, test, throws } from "../../support/unit.ts";

function options(...args: string[]): Options {
  return parseOptions(parseArguments(args, { flags: IMAGE_FLAGS, greedy: false }));
}

test("what docker's users write as one is several options", () => {
  const { interactive, terminal, env, user, cwd } = options("-ite", "A=b", "-e_B=c", "-u1000", "-w/x");
  deepEqual([interactive, terminal, env, user, cwd], [true, true, ["A=b", "_B=c"], "1000", "/x"]);
  equal(options("-m64m").limits.memory, 64 << 20);
  throws(() => options("-entrypint", "x"), "flag provided but not defined: -entrypint");
  throws(() => options("-itx"), "flag provided but not defined: -itx");
  throws(() => options("-ie"), "flag needs an argument");
});

test("a name server, a domain or an option takes the place of all that the host has of its kind", () => {
  const host = "# made by hand\nnameserver 1.1.1.1\nsearch a\ndomain\tb\noptions ndots:1\n";
  const made = (...args: string[]): string => resolvConf(host, options(...args).resolver);
  equal(made(), host);
  equal(
    made("--dns", "::1", "--dns=2.2.2.2"),
    "# made by hand\nsearch a\ndomain\tb\noptions ndots:1\nnameserver ::1\nnameserver 2.2.2.2\n",
  );
  equal(
    made("--dns-search", "c", "--dns-search", "d", "--dns-opt", "rotate"),
    "# made by hand\nnameserver 1.1.1.1\nsearch c d\noptions rotate\n",
  );
  equal(made("--dns-search", "."), "# made by hand\nnameserver 1.1.1.1\noptions ndots:1\n");
  throws(() => options("--dns", "one"), "--dns must be an address");
  throws(() => options("--dns-search", "a b"), "--dns-search must be a word");
  throws(() => options("--dns-option", "a\nnameserver 9.9.9.9"), "--dns-option must be a word");
});

test("words of --volume that exclude each other are refused, and a sysctl without a value", () => {
  for (const words of ["ro,rw", "z,Z", "shared,rslave", "ro,ro"])
    throws(() => options("-v", `/a:/b:${words}`), "exclude each other");
  throws(() => options("--sysctl", "net.ipv4.ip_forward"), "--sysctl must be NAME=VALUE");
});
