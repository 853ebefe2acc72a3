/** The modules that only some commands load. scripts/bundle.ts makes one file of each. */
export interface Modules {
  "commands-create": typeof import("../commands/create.ts");
  "commands-run": typeof import("../commands/run.ts");
  "commands-start": typeof import("../commands/start.ts");
  "commands-exec": typeof import("../commands/exec.ts");
  "commands-kill": typeof import("../commands/kill.ts");
  "commands-delete": typeof import("../commands/delete.ts");
  "commands-state": typeof import("../commands/state.ts");
  "commands-list": typeof import("../commands/list.ts");
  "commands-ps": typeof import("../commands/ps.ts");
  "commands-spec": typeof import("../commands/spec.ts");
  "commands-features": typeof import("../commands/features.ts");
  "commands-explain": typeof import("../commands/explain.ts");
  "explain-failure": typeof import("../explain/failure.ts");
  "commands-help": typeof import("../commands/help.ts");
  "commands-image-load": typeof import("../commands/image-load.ts");
  "commands-image-pull": typeof import("../commands/image-pull.ts");
  "commands-image-ls": typeof import("../commands/image-ls.ts");
  "commands-image-inspect": typeof import("../commands/image-inspect.ts");
  "commands-image-rm": typeof import("../commands/image-rm.ts");
  "commands-image-unpack": typeof import("../commands/image-unpack.ts");
  "commands-volume-create": typeof import("../commands/volume-create.ts");
  "commands-volume-ls": typeof import("../commands/volume-ls.ts");
  "commands-volume-inspect": typeof import("../commands/volume-inspect.ts");
  "commands-volume-rm": typeof import("../commands/volume-rm.ts");
  "commands-volume-prune": typeof import("../commands/volume-prune.ts");
  "image-pull-for-run": typeof import("../image/pull-for-run.ts");
  "commands-inspect": typeof import("../commands/inspect.ts");
  "commands-diff": typeof import("../commands/diff.ts");
  "commands-cp": typeof import("../commands/cp.ts");
  "image-prepare": typeof import("../image/prepare.ts");
  phases: typeof import("../commands/phases.ts");
  trace: typeof import("../commands/trace.ts");
  seccomp: typeof import("../mechanisms/seccomp-compile.ts");
}
