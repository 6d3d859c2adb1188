//! Compiles the bundled TypeScript programs to QuickJS bytecode, which the executables embed.
//! `scripts/build.mjs` makes the bundles; without them (a plain `cargo check` or `cargo test`)
//! each program is an empty module.

use rquickjs::{CatchResultExt, Context, Module, Runtime, WriteOptions};
use std::{env, error::Error, fs, path::PathBuf};

const PROGRAMS: [&str; 4] = ["cli", "config", "brain", "brain-faults"];

fn main() -> Result<(), Box<dyn Error>> {
    let bundles = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../build/bundles");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for program in PROGRAMS {
        let path = bundles.join(format!("{program}.js"));
        println!("cargo::rerun-if-changed={}", path.display());
        let source = fs::read_to_string(&path).unwrap_or_default();
        let bytecode = compile(&format!("{program}.js"), source)?;
        fs::write(out.join(format!("{program}.bin")), bytecode)?;
    }
    Ok(())
}

fn compile(name: &str, source: String) -> Result<Vec<u8>, Box<dyn Error>> {
    let runtime = Runtime::new()?;
    let context = Context::full(&runtime)?;
    context.with(|ctx| {
        let module = Module::declare(ctx.clone(), name, source)
            .catch(&ctx)
            .map_err(|error| error.to_string())?;
        // Positions stay, so that a stack names function and line of the bundle.
        Ok(module.write(WriteOptions {
            strip_source: true,
            ..Default::default()
        })?)
    })
}
