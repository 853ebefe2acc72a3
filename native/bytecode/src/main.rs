//! `bytecode OUT FILE.js...`: compiles ES modules to the engine's bytecode, one `OUT/NAME.qbc` for each `NAME.js`.
//! Source text is stripped, line numbers are kept. A module's name is its file's name, which is what imports say.

use rquickjs::{
    CatchResultExt, Context, Ctx, Module, Runtime, WriteOptions,
    loader::{ImportAttributes, Loader, Resolver},
    module::Declared,
};
use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let out = arguments.next().ok_or("usage: bytecode OUT FILE.js...")?;
    fs::create_dir_all(&out)?;
    for file in arguments {
        let source = fs::read(&file)?;
        let name = file.file_stem().and_then(|name| name.to_str()).ok_or("a file without a name")?;
        let code = compile(name, source).map_err(|error| format!("{}: {error}", file.display()))?;
        fs::write(out.join(name).with_extension("qbc"), code)?;
    }
    Ok(())
}

fn compile(name: &str, source: Vec<u8>) -> Result<Vec<u8>, String> {
    let runtime = Runtime::new().map_err(|error| error.to_string())?;
    runtime.set_loader(Elsewhere, Elsewhere);
    let context = Context::full(&runtime).map_err(|error| error.to_string())?;
    context.with(|context| {
        Module::declare(context.clone(), name, source)
            .and_then(|module| module.write(WriteOptions { strip_source: true, ..WriteOptions::default() }))
            .catch(&context)
            .map_err(|error| error.to_string())
    })
}

/// Imports are linked in the product. The compiler only wants each of them to exist.
struct Elsewhere;

impl Resolver for Elsewhere {
    fn resolve<'js>(
        &mut self,
        _: &Ctx<'js>,
        _base: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<String> {
        Ok(name.to_owned())
    }
}

impl Loader for Elsewhere {
    fn load<'js>(
        &mut self,
        context: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<Module<'js, Declared>> {
        Module::declare(context.clone(), name, "")
    }
}
