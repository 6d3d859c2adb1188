//! Compiles the bundled TypeScript programs to QuickJS bytecode, which the executables embed.
//! `src/programs.json` lists them. `scripts/build.mjs` makes the bundles; without them (a plain
//! `cargo check` or `cargo test`) each program is an empty module.

use rquickjs::{CatchResultExt, Context, Module, Runtime, WriteOptions};
use serde_json::Value;
use std::{env, error::Error, fmt::Write, fs, path::Path, path::PathBuf};

/// Programs whose names end so have a twin that can be told to fail (`NAME-faults`), for
/// `oneup-faults`.
const BRAIN: &str = "brain";

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let list = root.join("src/programs.json");
    println!("cargo::rerun-if-changed={}", list.display());
    let list: Value = serde_json::from_str(&fs::read_to_string(list)?)?;
    let programs = list["programs"]
        .as_object()
        .ok_or("no programs are listed")?;
    let names: Vec<String> = programs.keys().cloned().collect();
    let brains = names.iter().filter(|name| name.ends_with(BRAIN));
    let twins = brains.map(|name| format!("{name}-faults"));
    let all: Vec<String> = names.iter().cloned().chain(twins).collect();
    for name in &all {
        compile_bundle(&root.join("build/bundles"), &out, name)?;
    }
    fs::write(out.join("programs.rs"), table(&names))?;
    fs::write(out.join("programs_with_faults.rs"), table(&all))?;
    let called = list["calledAs"].as_object().ok_or("no names are listed")?;
    let mut names = String::from("&[\n");
    for (name, program) in called {
        writeln!(names, "({name:?}, {program}),")?;
    }
    fs::write(out.join("called_as.rs"), names + "]")?;
    Ok(())
}

fn table(names: &[String]) -> String {
    let entries = names.iter().map(|name| {
        format!("({name:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.bin\"))),\n")
    });
    format!("&[\n{}]", entries.collect::<String>())
}

fn compile_bundle(bundles: &Path, out: &Path, name: &str) -> Result<(), Box<dyn Error>> {
    let path = bundles.join(format!("{name}.js"));
    println!("cargo::rerun-if-changed={}", path.display());
    let source = fs::read_to_string(&path).unwrap_or_default();
    let bytecode = compile(&format!("{name}.js"), source)?;
    fs::write(out.join(format!("{name}.bin")), bytecode)?;
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
