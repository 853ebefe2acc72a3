/** Logging in and out: who is asked, what is written down, and who gets to see it. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { test, type Box } from "../support/box.ts";
import type { Result } from "../support/runtime.ts";
import { dirname } from "node:path";
import { command, DockerRegistry, selfSigned } from "./docker-registry.ts";
import { refusal } from "./fake-registry.ts";
import { Store } from "./images.ts";

const NEEDS = ["tool:docker-registry", "tool:htpasswd", "tool:openssl", "tool:skopeo"] as const;

/** A registry over TLS that knows alice. */
async function strict(box: Box): Promise<{ registry: DockerRegistry; trust: string }> {
  const { cert, key } = selfSigned(box);
  const passwords = box.file("htpasswd", command("htpasswd", "-Bbn", "alice", "s3cret"));
  const auth = `auth: {htpasswd: {realm: x, path: "${passwords}"}}\n`;
  const registry = await DockerRegistry.start(box, `  tls: {certificate: "${cert}", key: "${key}"}\n${auth}`);
  return { registry, trust: dirname(cert) };
}

/** The environment of a user of the test's own. */
function user(box: Box, more: Record<string, string> = {}): Record<string, string> {
  return { HOME: box.file("home"), XDG_RUNTIME_DIR: box.file("run"), ...more };
}

function tsrun(box: Box, env: Record<string, string>, args: readonly string[], input = ""): Result {
  return box.tsrun(args, { env, input });
}

test("who logs in is known afterwards, and not after logging out", NEEDS, async (box) => {
  const { registry, trust } = await strict(box);
  using _registry = registry;
  const store = new Store(box);
  await store.load();
  const env = user(box);
  const name = `${registry.host}/x:1`;
  const push = ["--store", store.path, "image", "push", "-q", "--cert-dir", trust, "it", name];
  assert.match(refusal(tsrun(box, env, push)), /wants a name and a password \(tsrun login/);

  const login = ["login", "--cert-dir", trust, "-u", "alice", "--password-stdin", registry.host];
  const wrong = refusal(tsrun(box, env, login, "n0\n"));
  assert.match(wrong, /cannot log in to localhost:\d+: .*with these credentials/);
  assert.ok(!existsSync(`${box.path("run")}/containers/auth.json`));
  const done = tsrun(box, env, login, "s3cret\n");
  assert.equal(`${done.status} ${done.stdout}`, "0 Login Succeeded\n", done.stderr);
  const path = `${box.path("run")}/containers/auth.json`;
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const auth = Buffer.from("alice:s3cret").toString("base64");
  assert.deepEqual(JSON.parse(readFileSync(path, "utf8")), { auths: { [registry.host]: { auth } } });
  assert.equal(tsrun(box, env, ["login", "--get-login", registry.host]).stdout, "alice\n");
  assert.match(tsrun(box, env, ["login", "--cert-dir", trust, registry.host]).stdout, /^Already logged in .* as alice/);

  const pushed = tsrun(box, env, push);
  assert.equal(pushed.status, 0, pushed.stderr);
  const skopeo = ["inspect", "--authfile", path, "--cert-dir", trust, "--raw", `docker://${name}`];
  assert.match(command("skopeo", ...skopeo), /"schemaVersion"/);

  assert.equal(tsrun(box, env, ["logout", registry.host]).status, 0);
  assert.deepEqual(JSON.parse(readFileSync(path, "utf8")), { auths: {} });
  assert.match(refusal(tsrun(box, env, push)), /wants a name and a password/);
  assert.match(refusal(tsrun(box, env, ["logout", registry.host])), /not logged in to/);
});

test("what else is in the file stays, and a link stays a link", NEEDS, async (box) => {
  const { registry, trust } = await strict(box);
  using _registry = registry;
  const before = { auths: { "a.example": { auth: "YTpi" } }, HttpHeaders: { a: "b" }, detachKeys: "ctrl-x" };
  const real = box.file("real.json", JSON.stringify(before));
  const link = box.path("config.json");
  symlinkSync(real, link);
  const login = ["login", "--authfile", link, "--cert-dir", trust, "-u", "alice", "--password-stdin", registry.host];
  assert.equal(tsrun(box, user(box), login, "s3cret").status, 0);
  const after = JSON.parse(readFileSync(real, "utf8")) as { auths: object };
  assert.deepEqual({ ...after, auths: before.auths }, before);
  assert.deepEqual(Object.keys(after.auths), ["a.example", registry.host]);
  assert.equal(tsrun(box, user(box), ["logout", "--all", "--authfile", link]).status, 0);
  assert.deepEqual(JSON.parse(readFileSync(real, "utf8")), { ...before, auths: {} });
});

test("a credential helper keeps the password, and the file has none", NEEDS, async (box) => {
  const { registry, trust } = await strict(box);
  using _registry = registry;
  const bin = box.file("bin");
  const kept = box.path("kept");
  const script = `#!/bin/sh
printf '%s %s\\n' "$1" "$#" >> ${box.path("calls")}
case $1 in
store) cat > ${kept} ;;
get) [ -s ${kept} ] && cat ${kept} || { echo "credentials not found in native keychain"; exit 1; } ;;
erase) rm -f ${kept} ;;
esac
`;
  command("chmod", "+x", box.file("bin/docker-credential-box", script));
  const file = box.file("auth.json", JSON.stringify({ credHelpers: { [registry.host]: "box" } }));
  const env = user(box, { PATH: `${bin}:${process.env["PATH"] ?? ""}`, REGISTRY_AUTH_FILE: file });
  const login = ["login", "--cert-dir", trust, "-u", "alice", "--password-stdin", registry.host];
  const { status, stderr } = tsrun(box, env, login, "s3cret\n");
  assert.equal(status, 0, stderr);
  assert.deepEqual(JSON.parse(readFileSync(kept, "utf8")), {
    ServerURL: registry.host,
    Username: "alice",
    Secret: "s3cret",
  });
  assert.ok(!readFileSync(file, "utf8").includes(Buffer.from("alice:s3cret").toString("base64")));
  assert.equal(tsrun(box, env, ["login", "--get-login", registry.host]).stdout, "alice\n");
  assert.equal(tsrun(box, env, ["logout", registry.host]).status, 0);
  assert.ok(!existsSync(kept));
  // No secret was an argument.
  for (const line of readFileSync(box.path("calls"), "utf8").trim().split("\n"))
    assert.match(line, /^(store|get|erase) 1$/);
});

test("a password is asked for on a terminal only", [], (box) => {
  const said = refusal(tsrun(box, user(box), ["login", "localhost:1"]));
  assert.match(said, /there is no terminal to ask on: give --username and --password-stdin/);
});

test("a file that is none is refused, and left as it is", [], (box) => {
  const file = box.file("auth.json", '{"auths": []}');
  const said = refusal(tsrun(box, user(box), ["logout", "--all", "--authfile", file]));
  assert.match(said, /auth\.json: auths must be an object/);
  assert.equal(readFileSync(file, "utf8"), '{"auths": []}');
  const pipe = box.path("pipe");
  command("mkfifo", pipe);
  assert.match(
    refusal(tsrun(box, user(box), ["logout", "--all", "--authfile", pipe])),
    /cannot write .*pipe: it is there already, and no regular file/,
  );
});
