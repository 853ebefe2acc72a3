/** What registries and their files say, taken apart: RFC 9110, containers-auth.json(5), containers-registries.conf(5). */
import { parseAuthFile } from "../../../src/image/auth-file.ts";
import { decodeBase64, encodeBase64 } from "../../../src/image/base64.ts";
import { keepersIn } from "../../../src/image/credentials.ts";
import { mayHaveCredentials, parseChallenges } from "../../../src/image/challenge.ts";
import { parseReference } from "../../../src/image/reference.ts";
import {
  combine,
  endpointsOf,
  otherMeaning,
  parseRegistriesConf,
  type RegistriesConf,
} from "../../../src/image/registries-conf.ts";
import { isLoopback, parseAuthority, parseUrl, type Url } from "../../../src/image/url.ts";
import { deepEqual, equal, ok, test, throws } from "../../support/unit.ts";

function url(text: string): Url {
  const parsed = parseUrl(text);
  if (parsed === undefined) throw new Error(`no address: ${text}`);
  return parsed;
}

function may(realm: string, registry: string): boolean {
  return mayHaveCredentials(url(realm), url(registry));
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text.split("").map((each) => each.charCodeAt(0)));
}

test("an address is taken apart, and what could be read in two ways is none", () => {
  deepEqual(url("HTTPS://Auth.Docker.IO/token?a=b"), {
    scheme: "https",
    host: "auth.docker.io",
    port: 443,
    path: "/token?a=b",
  });
  deepEqual(url("http://[::1]:5000"), { scheme: "http", host: "[::1]", port: 5000, path: "/" });
  const none = [
    "https://docker.io@evil.example/",
    "https://docker.io\\.evil.example/",
    "https:///token",
    "https://a b/",
    "https://a/\n",
    "https://a:99999/",
    "https://a:/",
    "http://localhost:0/",
    "https://a/#b",
    "ftp://a/",
    "//a/",
    "file:///etc/passwd",
    "https://a..b/",
    "https://[::1/",
    "",
  ];
  for (const text of none) ok(parseUrl(text) === undefined, text);
});

test("a registry is named with a port or without", () => {
  deepEqual(parseAuthority("registry-1.docker.io", 0), { host: "registry-1.docker.io", port: 0 });
  deepEqual(parseAuthority("[::1]:5000", 0), { host: "[::1]", port: 5000 });
  for (const text of ["localhost:0", "localhost:", "localhost:65536", "localhost:1x"])
    ok(parseAuthority(text, 0) === undefined, text);
});

test("only this machine is loopback", () => {
  for (const host of ["localhost", "127.0.0.1", "127.9.8.7", "[::1]"]) ok(isLoopback(host), host);
  for (const host of ["127.0.0.1.evil.example", "localhost.evil.example", "127.1", "128.0.0.1", "1270.0.0.1", ""])
    ok(!isLoopback(host), host);
});

test("challenges are read as RFC 9110 writes them", () => {
  const [bearer, basic] = parseChallenges(
    'Bearer realm="https://a.example/token", service = "x, \\"y\\"",scope=repository:a:pull, Basic realm=z',
  );
  equal(bearer?.scheme, "bearer");
  deepEqual(
    [...(bearer?.parameters ?? [])],
    [
      ["realm", "https://a.example/token"],
      ["service", 'x, "y"'],
      ["scope", "repository:a:pull"],
    ],
  );
  equal(basic?.scheme, "basic");
  equal(basic?.parameters.get("realm"), "z");
});

test("of two realms the first counts, and what is damaged ends", () => {
  equal(parseChallenges('Bearer realm="a", realm="b"')[0]?.parameters.get("realm"), "a");
  for (const text of ["", ",,,", "=", '"', 'Bearer realm="', 'Bearer realm="\\', "Bearer =,=", "'"])
    parseChallenges(text);
});

test("credentials go to the registry's own token service and nowhere else", () => {
  ok(may("https://auth.docker.io/token", "https://registry-1.docker.io"));
  ok(may("https://registry.example.com/auth", "https://registry.example.com:5000"));
  ok(may("https://gitlab.example.com/jwt/auth", "https://registry.example.com"));
  ok(may("https://gitlab.example.co.uk/jwt/auth", "https://registry.example.co.uk"));
  ok(may("http://localhost:5001/auth", "http://localhost:5000"));
  ok(!may("https://evil.example/token", "https://registry.example.com"));
  ok(!may("https://registry.example.com.evil.example/token", "https://registry.example.com"));
  ok(!may("https://evilexample.com/token", "https://example.com"));
  ok(!may("http://registry.example.com/token", "https://registry.example.com"));
  ok(!may("https://evil.co.uk/token", "https://example.co.uk"));
  ok(!may("https://evil.azurecr.io/token", "https://mine.azurecr.io"));
  ok(!may("https://evil.s3.amazonaws.com/token", "https://1.dkr.ecr.eu-west-1.amazonaws.com"));
  ok(!may("https://10.0.0.2/token", "https://10.0.0.1"));
  ok(!may("https://evil.com/token", "https://localhost"));
});

test("base64 goes there and back", () => {
  equal(encodeBase64(bytes("user:pass")), "dXNlcjpwYXNz");
  equal(encodeBase64(bytes("a")), "YQ==");
  equal(decodeBase64("dXNlcjpww6Q="), "user:pä");
  equal(decodeBase64("YQ"), "a");
  equal(decodeBase64("Y*=="), undefined);
});

test("an auth file has passwords, tokens and helpers, under old and new names", () => {
  const { auths, helpers, store } = parseAuthFile(
    JSON.stringify({
      auths: {
        "https://index.docker.io/v1/": { auth: "aHViOnBhOnNz" },
        "quay.io/team": { auth: "dGVhbTp4" },
        "https://example.com": { identitytoken: "token" },
        "empty.example": {},
      },
      credHelpers: { "gcr.io": "gcloud" },
      credsStore: "pass",
    }),
  );
  deepEqual(auths.get("docker.io"), { username: "hub", password: "pa:ss" });
  deepEqual(auths.get("quay.io/team"), { username: "team", password: "x" });
  deepEqual(auths.get("example.com"), { identityToken: "token" });
  ok(!auths.has("empty.example"));
  equal(helpers.get("gcr.io"), "gcloud");
  equal(store, "pass");
});

test("an auth file that is wrong is refused without a word of its secrets", () => {
  throws(() => parseAuthFile('{"auths":{"a":{"auth":"c2VjcmV0"}}}'), 'auths["a"].auth must be the base64');
  throws(() => parseAuthFile('{"auths":[]}'), "auths must be an object");
});

const CONF = parseRegistriesConf({
  registry: [
    {
      prefix: "docker.io",
      location: "mirror.example",
      mirror: [{ location: "cache.example:5000/hub", insecure: true }],
    },
    { prefix: "docker.io/library/busybox", location: "own.example/box" },
    { location: "bad.example", blocked: true },
    { prefix: "*.corp.example", location: "gate.example" },
    { location: "digests.example", "mirror-by-digest-only": true, mirror: [{ location: "near.example" }] },
  ],
  aliases: { fedora: "registry.fedoraproject.org/fedora", debian: "docker.io/library/debian" },
});

function places(text: string, conf: RegistriesConf = CONF): string[] {
  return endpointsOf(conf, parseReference(text)).map(
    ({ registry, path, insecure }) => `${registry}/${path}${insecure ? " insecure" : ""}`,
  );
}

test("a repository comes from its mirrors first, and the longest prefix decides", () => {
  deepEqual(places("debian"), ["cache.example:5000/hub/library/debian insecure", "mirror.example/library/debian"]);
  deepEqual(places("busybox:1"), ["own.example/box"]);
  deepEqual(places("busyboxes"), [
    "cache.example:5000/hub/library/busyboxes insecure",
    "mirror.example/library/busyboxes",
  ]);
  deepEqual(places("a.b.corp.example/x/y"), ["gate.example/x/y"]);
  deepEqual(places("quay.io/x"), ["quay.io/x"]);
  deepEqual(places("digests.example/x:1"), ["digests.example/x"]);
  deepEqual(places(`digests.example/x@sha256:${"0".repeat(64)}`), ["near.example/x", "digests.example/x"]);
  throws(() => places("bad.example/x"), "bad.example is blocked");
  deepEqual(places("bad.example.org/x"), ["bad.example.org/x"]);
});

test("*. stands for all hosts below, with any port, and a path behind it", () => {
  const conf = parseRegistriesConf({
    registry: [
      { prefix: "*.example.com", location: "gate.example/all/" },
      { prefix: "*.example.com/team", location: "team.example" },
      { prefix: "*.insecure.example", insecure: true, mirror: [{ location: "near.example" }] },
    ],
  });
  deepEqual(places("a.b.example.com/x", conf), ["gate.example/all/x"]);
  deepEqual(places("a.example.com/team/x", conf), ["team.example/x"]);
  deepEqual(places("a.example.com/teams", conf), ["gate.example/all/teams"]);
  deepEqual(places("example.com/x", conf), ["example.com/x"]);
  deepEqual(places("a.example.com.evil.org/x", conf), ["a.example.com.evil.org/x"]);
  deepEqual(places("evil.org/a.example.com/x", conf), ["evil.org/a.example.com/x"]);
  deepEqual(places("a.insecure.example:5000/x", conf), ["near.example:5000/x", "a.insecure.example:5000/x insecure"]);
  // What follows the name of the host stays behind the location, its port too: sysregistriesv2, rewriteReference.
  const ported = parseRegistriesConf({ registry: [{ prefix: "*.example.com", location: "gate.example" }] });
  deepEqual(places("a.example.com:5000/x", ported), ["gate.example:5000/x"]);
});

test("a mirror is asked for tags, for digests, or for both", () => {
  const mirror = ["all", "digest-only", "tag-only"].map((use) => ({
    location: `${use}.example`,
    "pull-from-mirror": use,
  }));
  const conf = parseRegistriesConf({ registry: [{ location: "a.example", mirror }] });
  deepEqual(places("a.example/x:1", conf), ["all.example/x", "tag-only.example/x", "a.example/x"]);
  const digest = `sha256:${"0".repeat(64)}`;
  deepEqual(places(`a.example/x@${digest}`, conf), ["all.example/x", "digest-only.example/x", "a.example/x"]);
});

test("what is said of a mirror as a registry counts for it: blocked, insecure", () => {
  const mirror = [{ location: "one.example" }, { location: "two.example/cache" }];
  const conf = parseRegistriesConf({
    registry: [
      { location: "a.example", mirror },
      { location: "one.example", blocked: true },
      { location: "two.example", insecure: true },
      { prefix: "b.example", location: "one.example/b" },
    ],
  });
  deepEqual(places("a.example/x", conf), ["two.example/cache/x insecure", "a.example/x"]);
  throws(() => places("b.example/x", conf), "one.example is blocked in registries.conf");
});

test("a file that is dropped in replaces tables, lists and aliases of those before", () => {
  const conf = combine([
    parseRegistriesConf({
      registry: [{ location: "a.example", blocked: true }, { location: "b.example" }],
      aliases: { one: "a.example/one", two: "a.example/two" },
      "unqualified-search-registries": ["a.example"],
    }),
    parseRegistriesConf({ registry: [{ location: "a.example" }], aliases: { one: "" } }),
    parseRegistriesConf({ "unqualified-search-registries": [] }),
  ]);
  deepEqual(places("a.example/x", conf), ["a.example/x"]);
  deepEqual([...conf.aliases], [["two", "a.example/two"]]);
  deepEqual(conf.searched, []);
});

function keepers(...lists: (readonly string[] | undefined)[]): readonly string[] {
  const raw = lists.map((list) => (list === undefined ? {} : { "credential-helpers": list }));
  return keepersIn(combine(raw.map(parseRegistriesConf)));
}

test("credentials are kept by the helpers of the last file that lists any, and without a list by the auth files", () => {
  deepEqual(keepers(), ["containers-auth.json"]);
  deepEqual(keepers(["one", "containers-auth.json"], undefined), ["one", "containers-auth.json"]);
  deepEqual(keepers(["one"], ["two", "three"]), ["two", "three"]);
  deepEqual(keepers(["one"], []), ["containers-auth.json"]);
  throws(() => parseRegistriesConf({ "credential-helpers": "one" }), "credential-helpers must be an array");
  throws(() => parseRegistriesConf({ "credential-helpers": [1] }), "credential-helpers[0] must be a string");
});

function meaning(text: string): string | undefined {
  return otherMeaning(CONF, text, parseReference(text));
}

test("a short name that podman would read otherwise is told, and means Docker Hub all the same", () => {
  equal(meaning("fedora:41"), "registry.fedoraproject.org/fedora");
  equal(meaning("debian"), undefined);
  equal(meaning("docker.io/library/fedora"), undefined);
  const searching = parseRegistriesConf({ "unqualified-search-registries": ["quay.io"] });
  equal(otherMeaning(searching, "x/y", parseReference("x/y")), "quay.io/x/y");
});

function one(registry: object): () => unknown {
  return () => parseRegistriesConf({ registry: [registry] });
}

test("registries.conf is refused where it is wrong, by place", () => {
  throws(() => parseRegistriesConf({ registries: { search: { registries: [] } } }), "version 1");
  throws(() => parseRegistriesConf({ registry: [{ insecure: true }] }), "registry[0] must have a location");
  throws(one({ prefix: "a.example" }), "registry[0].location is required unless the prefix begins with *.");
  throws(one({ location: "https://a.example" }), "registry[0].location must be a name such as example.com/team");
  throws(one({ location: "a", mirror: [{ insecure: true }] }), "registry[0].mirror[0].location is required");
  throws(one({ location: "a", "pull-from-mirror": "all" }), "registry[0].pull-from-mirror belongs to a mirror");
  throws(
    one({ location: "a", "mirror-by-digest-only": true, mirror: [{ location: "b", "pull-from-mirror": "all" }] }),
    "excludes the registry's mirror-by-digest-only",
  );
  throws(
    () => parseRegistriesConf({ registry: [{ location: "a", mirror: [{ location: "b", "pull-from-mirror": "x" }] }] }),
    "registry[0].mirror[0].pull-from-mirror must be all or digest-only or tag-only",
  );
});
