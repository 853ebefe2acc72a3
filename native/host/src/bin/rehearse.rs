//! `tsrun-rehearse SCENARIOS.qbc [LAYOUT]`, for `scripts/build`: see `sys/rehearsal`.

use std::process::ExitCode;
use tsrun_host::sys::{modules::Module, rehearsal};

/// The program's modules, compiled to bytecode by `scripts/build`.
static MODULES: &[Module] = include!(concat!(env!("OUT_DIR"), "/modules.rs"));

fn main() -> ExitCode {
    rehearsal::main(MODULES)
}
