//! Writes the list of the program's compiled modules, which `scripts/build` has put into `$TSRUN_BYTECODE`.
//! Without it the list is empty: the host still compiles, for clippy and its own tests.

use std::{env, error::Error, fmt::Write, fs, path::PathBuf};

/// Where the engine's arena lies: above the program, whose own addresses its contents must not move.
const ARENA_ADDRESS: &str = "0x20000000";
/// The modules lie at the end: where the heap is stored nobody reads them.
const BYTECODE_ADDRESS: &str = "0x28000000";
/// How much heap the program makes of its bytecode: 42 bytes of each ten, and some room.
const HEAP_FOR_EACH_TEN_BYTES: u64 = 46;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rustc-link-arg-bins=-Wl,--section-start=.arena={ARENA_ADDRESS}");
    println!("cargo::rustc-link-arg-bins=-Wl,--section-start=.bytecode={BYTECODE_ADDRESS}");
    let hot = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("hot.ld");
    println!("cargo::rustc-link-arg-bins=-Wl,-T,{}", hot.display());
    println!("cargo::rerun-if-changed={}", hot.display());
    println!("cargo::rerun-if-env-changed=TSRUN_BYTECODE");
    let mut modules: Vec<PathBuf> = Vec::new();
    if let Some(folder) = env::var_os("TSRUN_BYTECODE") {
        println!("cargo::rerun-if-changed={}", PathBuf::from(&folder).display());
        for entry in fs::read_dir(folder)? {
            modules.push(entry?.path());
        }
    }
    modules.sort();
    let sizes = modules.iter().map(fs::metadata).map(|file| Ok(file?.len())).sum::<Result<u64, std::io::Error>>()?;
    println!("cargo::rustc-env=TSRUN_HEAP_ROOM={}", (sizes * HEAP_FOR_EACH_TEN_BYTES / 10).next_multiple_of(1 << 16));
    let mut list = String::from("&[\n");
    for path in &modules {
        let name = path.file_stem().and_then(|name| name.to_str()).ok_or("a module without a name")?;
        let path = path.to_str().ok_or("a path that is not UTF-8")?;
        let size = fs::metadata(path)?.len();
        writeln!(list, "    ({name:?}, {{")?;
        writeln!(list, "        #[unsafe(link_section = \".bytecode\")]")?;
        writeln!(list, "        static CODE: [u8; {size}] = *include_bytes!({path:?});")?;
        writeln!(list, "        &CODE")?;
        writeln!(list, "    }}),")?;
        println!("cargo::rerun-if-changed={path}");
    }
    list.push_str("]\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("modules.rs"), list)?;
    Ok(())
}
