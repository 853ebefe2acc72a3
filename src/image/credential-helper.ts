/**
 * Programs that keep credentials: `docker-credential-NAME get` reads a server's name and writes JSON, `store` reads such JSON,
 * `erase` a name, and `list` writes the names that it has. All secrets go by pipes.
 */
import { variable, type Context } from "../commands/context.ts";
import { readDocument } from "../spec/document.ts";
import { quote, stringIn, stringMapIn } from "../spec/reader.ts";
import { Failure } from "../sys/failure.ts";
import { runProgram } from "../sys/spawn.ts";
import { everyCharacter } from "./text.ts";
import type { Credentials } from "./auth-file.ts";
import { decodeUtf8 } from "./utf8.ts";

const PREFIX = "docker-credential-";

/** Some ask a person. */
const PATIENCE = 120_000;

/** The user name that stands for an identity token. */
const TOKEN_USER = "<token>";

/** What the helper has for a server; undefined where it has nothing. Throws a Failure. */
export function askHelper(context: Context, name: string, server: string): Credentials | undefined {
  const { path, output } = tell(context, { name, verb: "get", input: `${server}\n` });
  return output === undefined ? undefined : parseAnswer(path, decodeUtf8(output));
}

/** Has the helper keep a name and password for a server. Throws a Failure. */
export function storeWithHelper(
  context: Context,
  name: string,
  { server, username, password }: { readonly server: string; readonly username: string; readonly password: string },
): void {
  const input = JSON.stringify({ ServerURL: server, Username: username, Secret: password });
  tell(context, { name, verb: "store", input });
}

/** Has the helper forget a server; false where it knows of none. Throws a Failure. */
export function eraseWithHelper(context: Context, name: string, server: string): boolean {
  return tell(context, { name, verb: "erase", input: `${server}\n` }).output !== undefined;
}

/** The servers that the helper knows. Throws a Failure. */
export function listOfHelper(context: Context, name: string): string[] {
  const { path, output = "{}" } = tell(context, { name, verb: "list", input: "" });
  try {
    return readDocument(decodeUtf8(output), (answer) => Object.keys(stringMapIn({ servers: answer }, "servers", "")));
  } catch {
    throw new Failure(`${path} list answers with something that is no JSON of servers and names`);
  }
}

interface Told {
  readonly name: string;
  readonly verb: "get" | "store" | "erase" | "list";
  readonly input: string;
}

/** What the helper writes; undefined where it has nothing for that server. */
function tell({ sys, env }: Context, { name, verb, input }: Told): { path: string; output: string | undefined } {
  const path = findHelper({ sys, env }, name);
  const { code, output, errors } = runProgram(sys, { path, args: [path, verb], env, input, timeout: PATIENCE });
  if (code === 0) return { path, output };
  // The protocol has no other sign for it: credentials.NewErrCredentialsNotFound.
  if (output.includes("credentials not found") || errors.includes("credentials not found"))
    return { path, output: undefined };
  const said = verb === "store" ? "" : `: ${quote((output.trim() || errors.trim()).split("\n")[0] ?? "")}`;
  throw new Failure(`${path} ${verb} failed${said}`);
}

function parseAnswer(path: string, text: string): Credentials | undefined {
  try {
    return readDocument(text, (answer) => {
      const [username, password] = [stringIn(answer, "Username", ""), stringIn(answer, "Secret", "")];
      // Nothing is its word for "not here" in some: containers/image takes it so.
      if (username === "" && password === "") return undefined;
      return username === TOKEN_USER ? { identityToken: password } : { username, password };
    });
  } catch {
    // The answer may hold a secret: it is not quoted.
    throw new Failure(`${path} get answers with something that is no JSON of Username and Secret`);
  }
}

/** The program in PATH; a helper's name never is a path itself. */
function findHelper({ sys, env }: Pick<Context, "sys" | "env">, name: string): string {
  const isPlain = everyCharacter(name, (each) => isWord(each.toLowerCase()) || "-_.".includes(each)) && name !== "";
  if (!isPlain) throw new Failure(`${quote(name)} cannot be the name of a credential helper`);
  for (const folder of variable(env, "PATH").split(":")) {
    const path = `${folder}/${PREFIX}${name}`;
    if (folder.startsWith("/") && sys.statxIfAny(null, path, 0) !== undefined) return path;
  }
  throw new Failure(`cannot find the credential helper ${PREFIX}${name} in PATH`);
}

function isWord(character: string): boolean {
  return (character >= "a" && character <= "z") || (character >= "0" && character <= "9");
}
