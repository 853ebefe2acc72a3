/** Names of images: distribution/reference, and containers-transports(5). */
import { canonical, familiar, familiarRepository, isSameName, parseReference } from "../../../src/image/reference.ts";
import { nameFromPath, parseOutside, parsePlace, parseTransport } from "../../../src/image/transport.ts";
import { deepEqual, equal, ok, test, throws } from "../../support/unit.ts";

const HEX = "0123456789abcdef".repeat(4);

test("a name without a registry is one of Docker Hub, and without a tag the latest", () => {
  const cases: Record<string, string> = {
    busybox: "docker.io/library/busybox:latest",
    "busybox:1.36": "docker.io/library/busybox:1.36",
    "foo/bar": "docker.io/foo/bar:latest",
    "docker.io/busybox": "docker.io/library/busybox:latest",
    "index.docker.io/foo/bar:v1": "docker.io/foo/bar:v1",
    "localhost/app": "localhost/app:latest",
    "localhost:5000/app": "localhost:5000/app:latest",
    "quay.io/a/b/c:T_1.x-y": "quay.io/a/b/c:T_1.x-y",
    "[::1]:5000/app": "[::1]:5000/app:latest",
    "EXAMPLE/app": "EXAMPLE/app:latest",
    "a__b/c--d/e.f_g": "docker.io/a__b/c--d/e.f_g:latest",
  };
  for (const [text, wanted] of Object.entries(cases)) equal(canonical(parseReference(text)), wanted, text);
});

test("a name with a digest needs no tag and may have one", () => {
  equal(canonical(parseReference(`busybox@sha256:${HEX}`)), `docker.io/library/busybox@sha256:${HEX}`);
  equal(canonical(parseReference(`busybox:1@sha256:${HEX}`)), `docker.io/library/busybox:1@sha256:${HEX}`);
});

test("people see the short form of a name", () => {
  equal(familiar(parseReference("docker.io/library/busybox:1")), "busybox:1");
  equal(familiar(parseReference("docker.io/foo/bar")), "foo/bar:latest");
  equal(familiarRepository({ registry: "docker.io", path: "library/a/b" }), "library/a/b");
  equal(familiar(parseReference("localhost:5000/app")), "localhost:5000/app:latest");
});

test("what is no name is refused", () => {
  const wrong = [
    "",
    ":",
    "/",
    "a//b",
    "/a",
    "a/",
    "-a",
    "a-",
    ".a",
    "a.",
    "a..b",
    "a___b",
    "a._b",
    "A",
    "a/B",
    "a:",
    "a:.x",
    "a:-x",
    `a:${"x".repeat(129)}`,
    "a b",
    "a\nb",
    "a\0b",
    "../a",
    "a/../b",
    "a@",
    "a@sha256:abc",
    `a@sha256:${HEX.toUpperCase()}`,
    `a@sha256:${HEX}0`,
    `a@md5:${HEX}`,
    HEX,
    "host:port/a",
    "host:123456/a",
    "ho_st.x/a",
    "-x.y/a",
    "x-.y/a",
    "[::1/a",
    "[::1]x/a",
    "[g]:1/a",
    "ä",
    "a".repeat(256),
    `a@sha256:../${HEX.slice(3)}`,
  ];
  for (const text of wrong) throws(() => parseReference(text), "invalid image name");
});

test("an error about a name shows it on one line", () => {
  let message = "";
  try {
    parseReference("a\n\u001b[31mb");
  } catch (error) {
    message = (error as Error).message;
  }
  ok(message.includes("a\\n\\u001b") && !message.includes("\n"), message);
});

test("a transport has a path, and after a second colon a name", () => {
  deepEqual(parseTransport("oci:/a/b"), { form: "oci", path: "/a/b", name: undefined });
  deepEqual(parseTransport("oci-archive:x.tar:v1"), { form: "oci-archive", path: "x.tar", name: "v1" });
  deepEqual(parseTransport("docker-archive:x.tar:busybox:1"), {
    form: "docker-archive",
    path: "x.tar",
    name: "busybox:1",
  });
  equal(parseTransport("busybox:latest"), undefined);
  throws(() => parseTransport("oci:"), "oci:PATH");
  throws(() => parseTransport("docker://busybox"), "known are");
  throws(() => parseTransport("containers-storage:busybox"), "known are");
  equal(parseTransport("docker:dind"), undefined);
});

test("for --image a path must begin like one, for `image load` anything is one", () => {
  deepEqual(parseOutside("./x"), { form: "any", path: "./x", name: undefined });
  deepEqual(parseOutside("/x:y"), { form: "any", path: "/x:y", name: undefined });
  equal(parseOutside("x"), undefined);
  deepEqual(parsePlace("x"), { form: "any", path: "x", name: undefined });
});

test("an image without a name is called like its file", () => {
  equal(nameFromPath("/tmp/demo.oci.tar", "latest"), "demo:latest");
  equal(nameFromPath("build/My-App.tar.gz", "v1"), "my-app:v1");
  equal(nameFromPath("layout/", "x"), "layout:x");
  equal(nameFromPath("/", "x"), undefined);
  equal(nameFromPath("a b.tar", "x"), undefined);
});

test("two names are the same image's where they mean the same, and what is no name means itself", () => {
  for (const name of ["busybox", "busybox:latest", "library/busybox", "docker.io/library/busybox:latest"])
    ok(isSameName(name, "index.docker.io/library/busybox:latest"));
  ok(isSameName("NO NAME", "NO NAME"));
  for (const other of ["busybox:1", "quay.io/library/busybox", "NO NAME", ""]) ok(!isSameName("busybox", other));
});
