//! Writes the list of the program's compiled modules, which `scripts/build` has put into `$TSRUN_BYTECODE`.
//! Without it the list is empty: the host still compiles, for clippy and its own tests.

use std::{env, error::Error, fmt::Write, fs, path::PathBuf};

/// Where the engine's arena lies: above the program, whose own addresses its contents must not move.
const ARENA_ADDRESS: &str = "0x20000000";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rustc-link-arg-bins=-Wl,--section-start=.arena={ARENA_ADDRESS}");
    println!("cargo::rerun-if-env-changed=TSRUN_BYTECODE");
    let mut modules: Vec<PathBuf> = Vec::new();
    if let Some(folder) = env::var_os("TSRUN_BYTECODE") {
        println!("cargo::rerun-if-changed={}", PathBuf::from(&folder).display());
        for entry in fs::read_dir(folder)? {
            modules.push(entry?.path());
        }
    }
    modules.sort();
    let mut list = String::from("&[\n");
    for path in &modules {
        let name = path.file_stem().and_then(|name| name.to_str()).ok_or("a module without a name")?;
        let path = path.to_str().ok_or("a path that is not UTF-8")?;
        writeln!(list, "    ({name:?}, include_bytes!({path:?})),")?;
        println!("cargo::rerun-if-changed={path}");
    }
    list.push_str("]\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("modules.rs"), list)?;
    Ok(())
}
