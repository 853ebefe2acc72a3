/** `login`: who asks a registry from now on. */
import { fileToWrite, type Login } from "../image/auth-write.ts";
import { keyOfAccount, knownLogin, logIn, parseAccount, tryLogin } from "../image/login.ts";
import { Failure } from "../sys/failure.ts";
import { accessIn } from "./access.ts";
import { ask, readPassword } from "./ask.ts";
import { absolutePath, isSet, option, print, type Context, type Parsed } from "./context.ts";

export function run(context: Context, parsed: Parsed): number {
  const { sys } = context;
  const account = parseAccount(parsed.operands[0] ?? "docker.io");
  const access = accessIn(parsed);
  const path = absolutePath(sys, fileToWrite(context, access.authFile));
  const isQuestion = isSet(parsed, "get-login");
  const known = isQuestion || saysNothing(parsed) ? knownLogin(context, account, access.authFile) : undefined;
  if (isQuestion) {
    if (known === undefined) throw new Failure(`not logged in to ${keyOfAccount(account)}`);
    print(sys, `${known.username}\n`);
  } else if (known !== undefined) {
    tryLogin(context, account, known, access);
    print(sys, `Already logged in to ${keyOfAccount(account)} as ${known.username}\n`);
  } else {
    logIn(context, account, readLogin(context, parsed), { access, path });
    print(sys, "Login Succeeded\n");
  }
  return 0;
}

function saysNothing(parsed: Parsed): boolean {
  return ["username", "password", "password-stdin"].every((name) => option(parsed, name) === undefined);
}

function readLogin({ sys, log }: Context, parsed: Parsed): Login {
  const [given, password] = [option(parsed, "username"), option(parsed, "password")];
  const fromInput = isSet(parsed, "password-stdin");
  if (fromInput && password !== undefined) throw new Failure("--password and --password-stdin exclude each other");
  if (fromInput && given === undefined) throw new Failure("--password-stdin needs --username");
  if (password !== undefined)
    log.warn("who lists processes sees what --password says: --password-stdin does not show it");
  const username = given ?? ask(sys, "Username: ", false);
  if (username === "" || username.includes(":")) throw new Failure('a name must not be empty, and have no ":"');
  const secret = fromInput ? readPassword(sys) : (password ?? ask(sys, "Password: ", true));
  if (secret === "") throw new Failure("the password is empty");
  return { username, password: secret };
}
