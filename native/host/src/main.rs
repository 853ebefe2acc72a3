//! `tsrun`: runs the compiled program.

#![no_main]

use tsrun_host::{entry, sys::modules};

/// The program's modules, compiled to bytecode by `scripts/build`.
static MODULES: &[modules::Module] = include!(concat!(env!("OUT_DIR"), "/modules.rs"));

// Replaces Rust's own start-up, which costs 13 us for a stack guard and a SIGPIPE handler that nothing here wants.
entry!(MODULES);
