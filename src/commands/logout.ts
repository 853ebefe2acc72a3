/** `logout`: credentials for a registry, or for all, are forgotten. */
import { eraseAllCredentials, eraseCredentials, fileToWrite } from "../image/auth-write.ts";
import { keyOfAccount, parseAccount } from "../image/login.ts";
import { Failure } from "../sys/failure.ts";
import { absolutePath, isSet, option, print, type Context, type Parsed } from "./context.ts";

export function run(context: Context, parsed: Parsed): number {
  const { sys } = context;
  const path = absolutePath(sys, fileToWrite(context, option(parsed, "authfile")));
  const [registry] = parsed.operands;
  if (isSet(parsed, "all")) {
    if (registry !== undefined) throw new Failure("--all and a registry exclude each other");
    eraseAllCredentials(context, path);
    print(sys, "Removed login credentials for all registries\n");
    return 0;
  }
  const key = keyOfAccount(parseAccount(registry ?? "docker.io"));
  if (!eraseCredentials(context, path, key))
    throw new Failure(`not logged in to ${key}: ${path} has no credentials for it (--authfile names another file)`);
  print(sys, `Removed login credentials for ${key}\n`);
  return 0;
}
