/** A registry as the user wants it asked: with whose name, trusting whom. */
import type { Context } from "../commands/context.ts";
import { parseCredentials } from "./auth-file.ts";
import { findCredentials, type Kept } from "./credentials.ts";
import type { Endpoint } from "./registries-conf.ts";
import { Registry, type RegistryOptions } from "./registry.ts";
import type { Worker } from "./worker.ts";

/** What --creds, --authfile, --cert-dir and --tls-verify say. */
export interface Access {
  /** USER:PASSWORD. */
  readonly creds?: string | undefined;
  readonly authFile?: string | undefined;
  readonly certDir?: string | undefined;
  readonly verify: boolean;
}

/** The registry of an endpoint; nothing is asked of it yet. Throws a Failure where its credentials cannot be read. */
export function accessRegistry(
  context: Context,
  worker: Worker,
  endpoint: Endpoint,
  {
    access,
    kept,
    ...purpose
  }: { readonly access: Access; readonly kept: Kept } & Pick<RegistryOptions, "actions" | "mountable">,
): Registry {
  const { creds, authFile, certDir, verify } = access;
  // A mirror has credentials of its own, under its own name.
  const credentials =
    creds === undefined ? findCredentials(context, kept, endpoint, authFile) : parseCredentials(creds);
  return new Registry(context, worker, endpoint, { credentials, certDir, verify, ...purpose });
}
