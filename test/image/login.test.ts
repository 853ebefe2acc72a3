/** Logging in and out: who is asked, what is written down, and who gets to see it. */
import assert from "node:assert/strict";
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
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

function variables(env: Record<string, string>): string[] {
  return Object.entries(env).map(([name, value]) => `${name}=${value}`);
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

/** A program that keeps what it is given in a folder, a file for each server, and fails in what `fails` names. */
function helper(box: Box, name: string, fails = "none"): string {
  box.file("bin");
  const kept = box.file(`kept-${name}`);
  const script = `#!/bin/sh
echo "${name} $1" >> ${box.path("asked")}
case $1 in
${fails}) echo "${name} is locked"; exit 1 ;;
store) cat > ${kept}/new; mv ${kept}/new "${kept}/$(sed 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/' ${kept}/new)" ;;
get) read -r server; cat "${kept}/$server" 2>&- || { echo "credentials not found in native keychain"; exit 1; } ;;
erase) read -r server; rm "${kept}/$server" 2>&- || { echo "credentials not found in native keychain"; exit 1; } ;;
list) cd ${kept}; for each in *; do set -- "$@" "\\"$each\\":\\"x\\""; done; shift; IFS=,; echo "{$*}" ;;
esac
`;
  command("chmod", "+x", box.file(`bin/docker-credential-${name}`, script));
  return kept;
}

/** A user whose registries.conf has this list, and what his commands have asked the helpers since the last look. */
function keeping(box: Box, helpers: readonly string[]): { env: Record<string, string>; asked: () => string[] } {
  const conf = box.file("registries.conf", `credential-helpers = ${JSON.stringify(helpers)}\n`);
  const path = `${box.path("bin")}:${process.env["PATH"] ?? ""}`;
  const env = user(box, { PATH: path, CONTAINERS_REGISTRIES_CONF: conf });
  const asked = (): string[] => {
    const lines = existsSync(box.path("asked")) ? readFileSync(box.path("asked"), "utf8").trim().split("\n") : [];
    rmSync(box.path("asked"), { force: true });
    return lines;
  };
  return { env, asked };
}

test("credential helpers of registries.conf are asked in their order, as skopeo asks them", NEEDS, async (box) => {
  const { registry, trust } = await strict(box);
  using _registry = registry;
  const [one, two] = [helper(box, "one"), helper(box, "two")];
  const { env, asked } = keeping(box, ["one", "containers-auth.json", "two"]);
  const login = ["login", "--cert-dir", trust, "-u", "alice", "--password-stdin", registry.host];
  const done = tsrun(box, env, login, "s3cret\n");
  assert.equal(`${done.status} ${done.stderr}`, "0 ");
  assert.deepEqual(asked(), ["one store"]);
  assert.deepEqual(readdirSync(one), [registry.host]);
  assert.ok(!existsSync(`${box.path("run")}/containers/auth.json`));
  assert.equal(tsrun(box, env, ["login", "--get-login", registry.host]).stdout, "alice\n");
  assert.deepEqual(asked(), ["one get"]);

  // What the first has not, the files may have, and the last.
  const named = ["--registries-conf", env["CONTAINERS_REGISTRIES_CONF"] ?? ""];
  const skopeo = [...named, "login", "--cert-dir", trust, "-u", "alice", "-p", "s3cret", registry.host];
  renameSync(`${one}/${registry.host}`, `${two}/${registry.host}`);
  assert.equal(tsrun(box, env, ["login", "--get-login", registry.host]).stdout, "alice\n");
  assert.deepEqual(asked(), ["one get", "two get"]);
  assert.match(command("env", ...variables(env), "skopeo", ...skopeo), /Login Succeeded/);
  assert.deepEqual(readdirSync(one), [registry.host]);
  asked();

  // They are forgotten wherever they are.
  assert.equal(tsrun(box, env, ["logout", registry.host]).status, 0);
  assert.deepEqual(asked(), ["one erase", "two erase"]);
  assert.deepEqual([...readdirSync(one), ...readdirSync(two)], []);
  assert.match(refusal(tsrun(box, env, ["logout", registry.host])), /not logged in to/);
  command("env", ...variables(env), "skopeo", ...skopeo);
  writeFileSync(`${two}/other.example`, "{}");
  const all = tsrun(box, env, ["logout", "--all"]);
  assert.equal(`${all.status} ${all.stderr}`, "0 ");
  assert.deepEqual([...readdirSync(one), ...readdirSync(two)], []);
});

test("a helper that fails lets the next one try, and is told of", NEEDS, async (box) => {
  const { registry, trust } = await strict(box);
  using _registry = registry;
  helper(box, "locked", "*");
  const { env } = keeping(box, ["missing", "locked", "containers-auth.json"]);
  const login = ["login", "--cert-dir", trust, "-u", "alice", "--password-stdin", registry.host];
  const done = tsrun(box, env, login, "s3cret\n");
  assert.equal(done.status, 0, done.stderr);
  assert.match(done.stderr, /cannot find the credential helper docker-credential-missing in PATH/);
  assert.match(done.stderr, /docker-credential-locked store failed/);
  const known = tsrun(box, env, ["login", "--get-login", registry.host]);
  assert.equal(known.stdout, "alice\n");
  assert.match(known.stderr, /docker-credential-locked get failed: \\?"locked is locked/);
  // Where nobody has them, it may be the one that failed.
  const said = refusal(tsrun(box, env, ["login", "--get-login", "other.example"]));
  assert.match(said, /docker-credential-missing in PATH; .*docker-credential-locked get failed/);
  assert.match(refusal(tsrun(box, env, ["logout", registry.host])), /docker-credential-locked erase failed/);
  assert.deepEqual(JSON.parse(readFileSync(`${box.path("run")}/containers/auth.json`, "utf8")), { auths: {} });
});

test("a part of a registry is kept by the files alone", NEEDS, async (box) => {
  const { registry, trust } = await strict(box);
  using _registry = registry;
  helper(box, "one");
  const account = `${registry.host}/team`;
  const login = ["login", "--cert-dir", trust, "-u", "alice", "--password-stdin", account];
  const alone = refusal(tsrun(box, keeping(box, ["one"]).env, login, "s3cret\n"));
  assert.match(alone, /docker-credential-one cannot keep what is for localhost:\d+\/team alone/);
  const { env, asked } = keeping(box, ["one", "containers-auth.json"]);
  assert.equal(tsrun(box, env, login, "s3cret\n").status, 0);
  assert.equal(tsrun(box, env, ["logout", account]).status, 0);
  assert.deepEqual(asked(), []);
});

test("a helper's name is no path, and its answer is not believed", [], (box) => {
  helper(box, "one");
  const question = ["login", "--get-login", "a.example"];
  for (const name of ["../one", "/bin/sh", "one;x", "", "a\nb"])
    assert.match(refusal(tsrun(box, keeping(box, [name]).env, question)), /cannot be the name of a credential helper/);
  for (const [answer, said] of [
    ["s3cret", "is no JSON of Username and Secret"],
    ['{"Username": 1, "Secret": "s3cret"}', "is no JSON of Username and Secret"],
    ["{}", "not logged in to a.example"],
  ] as const) {
    writeFileSync(`${box.path("kept-one")}/a.example`, answer);
    const { env } = keeping(box, ["one"]);
    const refused = refusal(tsrun(box, env, question));
    assert.ok(refused.includes(said) && !refused.includes("s3cret"), refused);
  }
  command("chmod", "+x", box.file("bin/docker-credential-odd", "#!/bin/sh\necho '[\"s3cret\"]'\n"));
  const all = refusal(tsrun(box, keeping(box, ["odd"]).env, ["logout", "--all"]));
  assert.ok(all.includes("list answers with something that is no JSON") && !all.includes("s3cret"), all);
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
