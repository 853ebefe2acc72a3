/** Indexes, manifests and configurations: what is right is read, and what could mean two things is not. */
import { hexOf, isDigest, pathOfDigest } from "../../../src/image/digest.ts";
import { parseImageConfig } from "../../../src/image/image-config.ts";
import { checkLayout, parseIndex, parseManifest, parseSaved } from "../../../src/image/manifest.ts";
import { choosePlatform } from "../../../src/image/platform.ts";
import { deepEqual, equal, ok, test, throws } from "../../support/unit.ts";

const HEX = "0123456789abcdef".repeat(4);
const DIGEST = `sha256:${HEX}`;
const OCI = "application/vnd.oci.image";
const MANIFEST = `${OCI}.manifest.v1+json`;
const INDEX = `${OCI}.index.v1+json`;

const config = { mediaType: `${OCI}.config.v1+json`, digest: DIGEST, size: 2 };
const layer = { mediaType: `${OCI}.layer.v1.tar+gzip`, digest: DIGEST, size: 3 };

function manifest(change: object = {}): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [layer], ...change });
}

function index(change: object = {}): string {
  return JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType: MANIFEST, digest: DIGEST, size: 4 }], ...change });
}

test("a digest is an algorithm, a colon and the exact number of lower-case digits", () => {
  for (const text of [DIGEST, `sha384:${HEX}${HEX.slice(0, 32)}`, `sha512:${HEX}${HEX}`]) ok(isDigest(text), text);
  const wrong = [
    "",
    ":",
    HEX,
    `sha256:${HEX}0`,
    `sha256:${HEX.slice(1)}`,
    `sha512:${HEX}`,
    `SHA256:${HEX}`,
    `sha256:${HEX.toUpperCase()}`,
    `md5:${HEX}`,
    `sha256:../../${HEX.slice(6)}`,
    `sha256:${HEX}\n`,
    ` ${DIGEST}`,
    `sha256::${HEX.slice(1)}`,
    `toString:${HEX}`,
    `__proto__:${HEX}`,
  ];
  for (const text of wrong) ok(!isDigest(text), text);
  equal(hexOf(DIGEST as `sha256:${string}`), HEX);
  equal(pathOfDigest(DIGEST as `sha256:${string}`), `sha256/${HEX}`);
});

test("a manifest gives its configuration and layers in their order", () => {
  deepEqual<object>(parseManifest(manifest(), MANIFEST), { config, layers: [layer] });
});

test("docker's media types are as good", () => {
  const type = "application/vnd.docker.distribution.manifest.v2+json";
  const docker = {
    mediaType: type,
    config: { ...config, mediaType: "application/vnd.docker.container.image.v1+json" },
    layers: [{ ...layer, mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip" }],
  };
  equal(parseManifest(manifest(docker), type).layers.length, 1);
});

test("a document that could be read as another is refused", () => {
  throws(() => parseManifest(manifest({ manifests: [] }), MANIFEST), "manifests must not be");
  throws(() => parseIndex(index({ layers: [] }), undefined), "layers must not be");
  throws(() => parseIndex(index({ config }), undefined), "config must not be");
  throws(() => parseManifest(manifest({ mediaType: INDEX }), MANIFEST), "mediaType must be");
  throws(
    () => parseManifest(manifest({ mediaType: "application/vnd.docker.distribution.manifest.v2+json" }), MANIFEST),
    "as its descriptor says",
  );
  throws(() => parseIndex(index({ mediaType: MANIFEST }), undefined), "mediaType must be");
});

test("images of the first schema are refused", () => {
  throws(() => parseManifest(manifest({ schemaVersion: 1 }), MANIFEST), "schemaVersion must be 2");
  throws(() => parseManifest(manifest({ fsLayers: [] }), MANIFEST), "fsLayers must not be");
  throws(() => parseManifest(manifest({ schemaVersion: undefined }), MANIFEST), "schemaVersion must be 2");
});

test("a digest of a descriptor is checked before it is used", () => {
  for (const digest of ["sha256:../../../etc/passwd", `sha256:${HEX}/..`, "", 5, null, `${DIGEST}\u0000`]) {
    throws(() => parseManifest(manifest({ config: { ...config, digest } }), MANIFEST), "");
    throws(() => parseIndex(index({ manifests: [{ mediaType: MANIFEST, digest, size: 1 }] }), undefined), "");
  }
});

test("sizes are numbers that can be sizes", () => {
  for (const size of [-1, 1.5, "1", 2 ** 60, undefined])
    throws(() => parseManifest(manifest({ layers: [{ ...layer, size }] }), MANIFEST), "layers[0].size");
});

test("an image has no more layers than overlayfs can stack, and only layers", () => {
  throws(
    () => parseManifest(manifest({ layers: Array.from({ length: 500 }, () => layer) }), MANIFEST),
    "more than 499",
  );
  throws(
    () => parseManifest(manifest({ layers: [{ ...layer, mediaType: "application/x-evil" }] }), MANIFEST),
    "layers[0].mediaType",
  );
  throws(
    () =>
      parseManifest(
        manifest({ config: { ...config, mediaType: "application/vnd.cncf.helm.config.v1+json" } }),
        MANIFEST,
      ),
    "config.mediaType",
  );
});

test("what is no document at all is an error with a place", () => {
  throws(() => parseIndex("", undefined), "JSON is malformed");
  throws(() => parseIndex("[]", undefined), "must be an object");
  throws(() => parseIndex('{"schemaVersion":2}', undefined), "manifests is required");
  throws(() => parseIndex("[".repeat(100_000), undefined), "nesting");
});

test("an index names its images by annotations, the fullest name first", () => {
  const annotations = { "org.opencontainers.image.ref.name": "1", "io.containerd.image.name": "docker.io/library/x:1" };
  const [entry] = parseIndex(
    index({ manifests: [{ mediaType: MANIFEST, digest: DIGEST, size: 4, annotations }] }),
    undefined,
  );
  deepEqual(entry?.names, ["docker.io/library/x:1", "1"]);
});

function imageFor(architecture: string, variant = "", os = "linux") {
  return { platform: { os, architecture, variant } };
}

test("the image for this machine is chosen, the best variant of it", () => {
  const [arm, amd, windows, attestation] = [
    imageFor("arm64", "v8"),
    imageFor("amd64"),
    imageFor("amd64", "", "windows"),
    imageFor("unknown", "", "unknown"),
  ];
  equal(choosePlatform([arm, windows, attestation, amd], "x86_64"), amd);
  equal(choosePlatform([amd, arm], "aarch64"), arm);
  equal(choosePlatform([amd, attestation], "aarch64"), amd, "the only one");
  equal(choosePlatform([{ platform: undefined }], "x86_64").platform, undefined);
  throws(() => choosePlatform([arm, windows], "x86_64"), "linux/arm64/v8, windows/amd64");
  throws(() => choosePlatform([], "x86_64"), "for nothing");
});

test("docker save's manifest.json is an array of images", () => {
  const saved = parseSaved(
    JSON.stringify([
      { Config: "a.json", RepoTags: ["x:1", "x:2"], Layers: ["1/layer.tar"] },
      { Config: "b.json", RepoTags: null, Layers: [] },
    ]),
  );
  deepEqual(saved, [
    { config: "a.json", names: ["x:1", "x:2"], layers: ["1/layer.tar"] },
    { config: "b.json", names: [], layers: [] },
  ]);
  throws(() => parseSaved('[{"Layers":[]}]'), "images[0].Config is required");
  throws(() => parseSaved("{}"), "must be an array");
});

test("a layout is one of the version that is known", () => {
  checkLayout('{"imageLayoutVersion":"1.0.0"}');
  throws(() => checkLayout('{"imageLayoutVersion":"2.0.0"}'), "1.0.0");
});

const IMAGE = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [DIGEST] } };

test("a configuration may leave out everything but platform and layers", () => {
  const read = parseImageConfig(JSON.stringify(IMAGE));
  deepEqual(read.diffIds as readonly string[], [DIGEST]);
  deepEqual(read.process.env, []);
  equal(parseImageConfig(JSON.stringify({ ...IMAGE, config: null, created: null })).process.user, "");
});

test("a configuration of the wrong form is refused with the place", () => {
  const wrong: [object, string][] = [
    [{ ...IMAGE, rootfs: undefined }, "rootfs is required"],
    [{ ...IMAGE, rootfs: { type: "layers", diff_ids: ["sha256:../x"] } }, "rootfs.diff_ids[0]"],
    [{ ...IMAGE, rootfs: { type: "layers", diff_ids: [5] } }, "rootfs.diff_ids[0]"],
    [{ ...IMAGE, rootfs: { type: "other", diff_ids: [] } }, "rootfs.type"],
    [{ ...IMAGE, config: { Env: "A=1" } }, "config.Env must be an array"],
    [{ ...IMAGE, config: { Env: [5] } }, "config.Env[0]"],
    [{ ...IMAGE, config: { Labels: { a: 1 } } }, 'config.Labels["a"]'],
    [{ ...IMAGE, config: { User: 0 } }, "config.User"],
    [
      {
        ...IMAGE,
        config: { Volumes: Object.fromEntries(Array.from({ length: 101 }, (_, number) => [`/${number}`, {}])) },
      },
      "more than 100",
    ],
    [{ ...IMAGE, config: [] }, "config must be an object"],
  ];
  for (const [document, says] of wrong) throws(() => parseImageConfig(JSON.stringify(document)), says);
  throws(() => parseImageConfig(JSON.stringify({ ...IMAGE, config: { Env: ["A=\0"] } })), "NUL");
});
