/** buildah, with tsrun as its runtime: what it leaks into a container, and how it drives one, is its own. */

import assert from "node:assert/strict";
import { after } from "node:test";
import { rootfsTar, testsIn, TSRUN, World } from "../support/world.ts";

const { test, end } = testsIn(async () => {
  const world = await World.create("buildah");
  const settings = world.file(
    "containers.conf",
    '[containers]\npids_limit = 0\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n[engine]\ncgroup_manager = "cgroupfs"\n',
  );
  const policy = '{"default":[{"type":"insecureAcceptAnything"}]}';
  world.prints("sh", "-c", `cp ${settings} /etc/containers/; echo '${policy}' > /etc/containers/policy.json`);
  const tar = rootfsTar(world);
  world.prints(
    "sh",
    "-c",
    `cd ${world.dir}
    c=$(buildah from scratch) && buildah add --quiet $c ${tar} / && buildah config --cmd sh --env PATH=/bin $c && buildah commit --quiet $c base`,
  );
  return world;
}, ["tool:buildah"]);

after(end);

test("run in a working container prints what the program prints, and ends with its code", (world) => {
  const id = world.prints("buildah", "from", "base").trim();
  const run = (...program: string[]) =>
    world.run(["buildah", "run", "--runtime", TSRUN, "--network", "none", id, "--", ...program]);
  const { stdout, stderr } = run("sh", "-c", "echo hello; echo made > /made");
  assert.equal(stdout, "hello\n", stderr);
  assert.equal(run("cat", "/made").stdout, "made\n");
  assert.equal(run("sh", "-c", "exit 7").status, 7);
  world.prints("buildah", "rm", id);
});

test("RUN steps of a Containerfile run in it", (world) => {
  const file = world.file(
    "Containerfile",
    "FROM base\nRUN echo built > /file\nRUN cat /file && test $(id -u) = 0\nCMD cat /file\n",
  );
  const args = [
    "buildah",
    "build",
    "--runtime",
    TSRUN,
    "--network",
    "none",
    "--isolation",
    "oci",
    "-t",
    "made",
    "-f",
    file,
    world.dir,
  ];
  const { status, stdout, stderr } = world.run(args);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^built$/m);
  assert.notEqual(
    world.run(args.map((arg) => (arg === file ? world.file("Failing", "FROM base\nRUN false\n") : arg))).status,
    0,
  );
});

test("nothing is left", (world) => {
  assert.equal(world.prints(TSRUN, "list", "-q"), "");
});
