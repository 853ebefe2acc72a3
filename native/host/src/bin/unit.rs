//! `tsrun-unit FILE.qbc ARG...`: runs a compiled bundle of unit tests in the engine that ships.

use std::{env, fs, process::ExitCode};
use tsrun_host::sys::{engine, modules::Module, text::Text};

fn main() -> ExitCode {
    let Some(path) = env::args().nth(1) else {
        eprintln!("usage: tsrun-unit FILE.qbc");
        return ExitCode::from(2);
    };
    match fs::read(&path) {
        Ok(code) => {
            let modules: &'static [Module] = Box::leak(Box::new([("main", &*Box::leak(code.into_boxed_slice()))]));
            ExitCode::from(engine::run(modules, env::args_os().skip(1).map(Text::from).collect(), Vec::new()))
        }
        Err(error) => {
            eprintln!("tsrun-unit: cannot read {path}: {error}");
            ExitCode::from(2)
        }
    }
}
