/** Who keeps credentials: the auth files and helpers that containers-registries.conf(5) lists are asked, in its order. */
import type { Context } from "../commands/context.ts";
import { Failure } from "../sys/failure.ts";
import { findInFiles, type Credentials } from "./auth-file.ts";
import { askHelper } from "./credential-helper.ts";
import type { Reference } from "./reference.ts";
import type { RegistriesConf } from "./registries-conf.ts";

/** The name that stands for the files of containers-auth.json(5); all others are of programs. */
export const FILES = "containers-auth.json";

/** What is said of those who keep credentials. */
export type Kept = Pick<RegistriesConf, "helpers">;

/** Who keeps credentials, in the order of asking: without a list, or with an empty one, the files alone. */
export function keepersIn({ helpers = [] }: Kept): readonly string[] {
  return helpers.length === 0 ? [FILES] : helpers;
}

/**
 * The credentials for a repository, from the first keeper that has any; undefined where there are none. A keeper that fails keeps
 * nobody from asking the next (containers/image, getCredentialsWithHomeDir). Throws a Failure where one failed and no other has any.
 */
export function findCredentials(
  context: Context,
  kept: Kept,
  reference: Pick<Reference, "registry" | "path">,
  given: string | undefined,
): Credentials | undefined {
  return firstThatCan(context, keepersIn(kept), (keeper) =>
    // Podman calls a registry by its own name there, Docker Hub too.
    keeper === FILES ? findInFiles(context, reference, given) : askHelper(context, keeper, reference.registry),
  );
}

/**
 * What the first keeper gives that has something to give: undefined where none has. Those before it that failed are warned of.
 * Throws a Failure with all that went wrong where nothing came of it.
 */
export function firstThatCan<T>(
  { log }: Context,
  keepers: readonly string[],
  ask: (keeper: string) => T | undefined,
): T | undefined {
  const failures: string[] = [];
  for (const keeper of keepers) {
    try {
      const given = ask(keeper);
      if (given === undefined) continue;
      for (const failure of failures) log.warn(failure);
      return given;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failures.push(error.message);
    }
  }
  if (failures.length > 0) throw new Failure(failures.join("; "));
  return undefined;
}
