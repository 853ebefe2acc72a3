/** `logout`: credentials for a registry, or for all, are forgotten. */
import { fileToWrite } from "../image/auth-write.ts";
import { keyOfAccount, logOut, logOutOfAll, parseAccount } from "../image/login.ts";
import { Failure } from "../sys/failure.ts";
import { absolutePath, isSet, option, print, type Context, type Parsed } from "./context.ts";

export function run(context: Context, parsed: Parsed): number {
  const { sys } = context;
  const path = absolutePath(sys, fileToWrite(context, option(parsed, "authfile")));
  const [registry] = parsed.operands;
  if (isSet(parsed, "all")) {
    if (registry !== undefined) throw new Failure("--all and a registry exclude each other");
    logOutOfAll(context, path);
    print(sys, "Removed login credentials for all registries\n");
    return 0;
  }
  const account = parseAccount(registry ?? "docker.io");
  const key = keyOfAccount(account);
  if (!logOut(context, account, path))
    throw new Failure(`not logged in to ${key}: ${path} has no credentials for it (--authfile names another file)`);
  print(sys, `Removed login credentials for ${key}\n`);
  return 0;
}
