/** What is made and read when images leave: manifests, accounts, lists of referrers. */
import { parseAccount, keyOfAccount } from "../../../src/image/login.ts";
import { compressionOf, formatOf, layerType, makeIndex, makeManifest } from "../../../src/image/make-manifest.ts";
import { isIndex, parseBlobs, parseIndex, parseManifest, typeOfManifest } from "../../../src/image/manifest.ts";
import { parseReferrers, pathOfNext } from "../../../src/image/referrers.ts";
import { deepEqual, equal, ok, test, throws } from "../../support/unit.ts";
import type { Digest } from "../../../src/image/digest.ts";

const DIGEST: Digest = `sha256:${"a".repeat(64)}`;
const OTHER: Digest = `sha256:${"b".repeat(64)}`;

test("a manifest of our making is read back as it was meant, in both families of media types", () => {
  for (const format of ["oci", "v2s2"] as const) {
    const layers = [{ mediaType: layerType(format, "gzip") ?? "", digest: OTHER, size: 7 }];
    const { text, mediaType } = makeManifest({ format, config: { digest: DIGEST, size: 3 }, layers });
    equal(formatOf(mediaType), format);
    equal(typeOfManifest(text), mediaType);
    const parsed = parseManifest(text, mediaType);
    deepEqual(parsed.layers, layers);
    equal(parsed.config.digest, DIGEST);
  }
});

test("an index of our making lists what it is given, in both families of media types", () => {
  const platform = { os: "linux", architecture: "arm64", variant: "v8" };
  const like = JSON.stringify({ annotations: { a: "b" } });
  for (const format of ["oci", "v2s2"] as const) {
    const manifest = makeManifest({ format, config: { digest: DIGEST, size: 3 }, layers: [] });
    const entry = { mediaType: manifest.mediaType, digest: OTHER, size: manifest.text.length, platform };
    const { text, mediaType } = makeIndex({ format, entries: [entry], like });
    ok(isIndex({ mediaType }));
    equal(formatOf(mediaType), format);
    equal(text.includes('"annotations":{"a":"b"}'), format === "oci");
    deepEqual(parseIndex(text, mediaType), [{ ...entry, names: [] }]);
  }
});

test("annotations of a manifest stay where another one takes its place, and docker's family has none", () => {
  const like = JSON.stringify({ annotations: { a: "b" }, layers: [] });
  const config = { digest: DIGEST, size: 3 };
  ok(makeManifest({ format: "oci", config, layers: [], like }).text.includes('"annotations":{"a":"b"}'));
  ok(!makeManifest({ format: "v2s2", config, layers: [], like }).text.includes("annotations"));
});

test("a layer's compression is told from its type, and docker's family has no zstd", () => {
  equal(compressionOf("application/vnd.docker.image.rootfs.diff.tar.gzip"), "gzip");
  equal(compressionOf("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"), "zstd");
  equal(compressionOf("application/vnd.oci.image.layer.v1.tar"), "none");
  equal(layerType("v2s2", "zstd"), undefined);
});

test("what is no image is copied too: its blobs are all that its manifest names", () => {
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const layer = { mediaType: "application/vnd.in-toto+json", digest: OTHER, size: 7 };
  const config = { mediaType: "application/vnd.oci.empty.v1+json", digest: DIGEST, size: 2 };
  const text = JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [layer] });
  deepEqual(parseBlobs(text, mediaType), [config, layer]);
  throws(() => parseManifest(text, mediaType), "config.mediaType");
  throws(() => parseBlobs(text.replace(OTHER, "sha256:../x"), mediaType), "must be a digest");
});

function key(text: string): string {
  return keyOfAccount(parseAccount(text));
}

test("an account is a registry, or the beginning of a name in one", () => {
  equal(key("example.com:5000"), "example.com:5000");
  equal(key("https://example.com/"), "example.com");
  equal(key("https://index.docker.io/v1/"), "docker.io");
  equal(key("example.com/team"), "example.com/team");
  for (const wrong of ["", "/x", "a b", "user@example.com", "example.com/Team", "example.com/../x"])
    throws(() => parseAccount(wrong), "registry");
});

test("a list of referrers has types and annotations, and no digest that is none", () => {
  const entry = { mediaType: "m", digest: DIGEST, size: 1, artifactType: "t", annotations: { a: "b" } };
  deepEqual(parseReferrers(JSON.stringify({ manifests: [entry] })), [entry]);
  throws(() => parseReferrers(JSON.stringify({ manifests: [{ ...entry, digest: "x" }] })), "digest");
});

test("the next page of a list is one of the same repository", () => {
  equal(pathOfNext("", "x"), undefined);
  equal(pathOfNext('</v2/x/referrers/y?n=1>; rel="next"', "x"), "referrers/y?n=1");
  equal(pathOfNext("</v2/x/referrers/y>; rel=prev", "x"), undefined);
  for (const address of ["https://evil.example/v2/x/referrers/y", "/v2/z/referrers/y", "//evil/v2/x/referrers/y"])
    throws(() => pathOfNext(`<${address}>; rel="next"`, "x"), "not in x");
});
