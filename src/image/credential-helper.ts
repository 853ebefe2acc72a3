/** Programs that keep credentials: `docker-credential-NAME get` reads a server's name and writes JSON. */
import { variable, type Context } from "../commands/context.ts";
import { readDocument } from "../spec/document.ts";
import { quote, stringIn } from "../spec/reader.ts";
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
export function askHelper({ sys, env }: Context, name: string, server: string): Credentials | undefined {
  const path = findHelper({ sys, env }, name);
  const asked = { path, args: [path, "get"], env, input: `${server}\n`, timeout: PATIENCE };
  const { code, output, errors } = runProgram(sys, asked);
  if (code !== 0) {
    // The protocol has no other sign for it: credentials.NewErrCredentialsNotFound.
    if (output.includes("credentials not found") || errors.includes("credentials not found")) return undefined;
    throw new Failure(`${path} get failed: ${quote((output.trim() || errors.trim()).split("\n")[0] ?? "")}`);
  }
  return parseAnswer(path, decodeUtf8(output));
}

function parseAnswer(path: string, text: string): Credentials {
  try {
    return readDocument(text, (answer) => {
      const [username, password] = [stringIn(answer, "Username", ""), stringIn(answer, "Secret", "")];
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
