/** The options about registries that several commands share. */
import type { Access } from "../image/access.ts";
import { option, type Parsed } from "./context.ts";

/** What --creds, --authfile, --cert-dir and --tls-verify say; `side` is "src-" or "dest-" where there are two registries. */
export function accessIn(parsed: Parsed, side = ""): Access {
  return {
    creds: option(parsed, `${side}creds`),
    authFile: option(parsed, `${side}authfile`) ?? option(parsed, "authfile"),
    certDir: option(parsed, `${side}cert-dir`),
    verify: option(parsed, `${side}tls-verify`) !== "false",
  };
}
