/** A container's config.json as image and flags make it, and what the runtime understands of it. */
import { parseImageConfig, type ImageConfig } from "../../src/image/image-config.ts";
import { parseOptions, type Options } from "../../src/image/flags/options.ts";
import { parseArguments } from "../../src/commands/parse.ts";
import { IMAGE_FLAGS } from "../../src/commands/image-flags.ts";
import { toConfig } from "../../src/image/to-config.ts";
import { NO_EDITS, type Edits } from "../../src/image/cdi-edits.ts";
import type { Devices } from "../../src/image/devices.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import type { Spec } from "../../src/spec/spec.ts";

const DIFF_ID = `sha256:${"0".repeat(64)}`;

function image(process: object, more: object = {}): ImageConfig {
  const config = {
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: [DIFF_ID] },
    config: { Cmd: ["/bin/sh"], ...process },
    ...more,
  };
  return parseImageConfig(JSON.stringify(config));
}

function options(...args: string[]): Options {
  return parseOptions(parseArguments(args, { flags: IMAGE_FLAGS, greedy: false }));
}

export interface Made {
  readonly spec: Spec;
  readonly warnings: readonly string[];
}

export function make(
  process: object,
  args: readonly string[] = [],
  around: { env?: string[]; uid?: number; more?: object; devices?: Devices; edits?: Edits } = {},
): Made {
  const warnings: string[] = [];
  const uid = around.uid ?? 0;
  const text = toConfig(image(process, around.more), options(...args), {
    id: "0123456789abcdef",
    hostname: "0123456789ab",
    machine: "x86_64",
    hasSwap: true,
    user: { uid, gid: uid, additionalGids: [uid] },
    rootfs: "/store/rootfs",
    store: "/store",
    volumes: "/store/own",
    etc: { path: "/store/etc", names: ["hosts"] },
    idmap: undefined,
    inUserNamespace: false,
    hasTerminalGroup: true,
    init: "/store/init",
    edits: around.edits ?? NO_EDITS,
    devices: around.devices ?? { nodes: [], rules: [] },
    callerEnv: around.env ?? [],
    seccomp: undefined,
    warn: (message) => warnings.push(message),
  });
  return { spec: parseSpec(text, "/store"), warnings };
}
