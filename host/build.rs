//! Compiles the bundled TypeScript programs to QuickJS bytecode, which the executables embed.
//! `src/programs.json` lists them. `scripts/build.mjs` makes the bundles; without them (a plain
//! `cargo check` or `cargo test`) each program is an empty module.

use rquickjs::{CatchResultExt, Context, Module, Runtime, WriteOptions};
use serde_json::Value;
use std::{env, error::Error, fmt::Write, fs, path::Path, path::PathBuf};

/// What runs wherever oneup does. The rest is deflated: it costs a millisecond when it is started,
/// and less than half the room.
const PLAIN: [&str; 3] = ["brain", "config", "cli"];
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
    let mut entries = Vec::new();
    for name in &all {
        entries.push(embed_bundle(&root.join("build/bundles"), &out, name)?);
    }
    let table = |entries: &[String]| format!("&[\n{}]", entries.concat());
    fs::write(out.join("programs.rs"), table(&entries[..names.len()]))?;
    fs::write(out.join("programs_with_faults.rs"), table(&entries))?;
    embed_document(&root.join("docs/openapi.json"), &out)?;
    let called = list["calledAs"].as_object().ok_or("no names are listed")?;
    let mut names = String::from("&[\n");
    for (name, program) in called {
        writeln!(names, "({name:?}, {program}),")?;
    }
    fs::write(out.join("called_as.rs"), names + "]")?;
    Ok(())
}

/// Its row in the table: name, and bytes, which may be packed.
fn embed_bundle(bundles: &Path, out: &Path, name: &str) -> Result<String, Box<dyn Error>> {
    let path = bundles.join(format!("{name}.js"));
    println!("cargo::rerun-if-changed={}", path.display());
    let source = fs::read_to_string(&path).unwrap_or_default();
    let bytecode = compile(&format!("{name}.js"), source)?;
    let is_plain = PLAIN.contains(&name.strip_suffix("-faults").unwrap_or(name));
    let (kind, bytes) = match is_plain {
        true => ("Plain".to_owned(), bytecode),
        false => (format!("Deflated({})", bytecode.len()), deflate(&bytecode)),
    };
    let file = format!("{name}.bin");
    fs::write(out.join(&file), bytes)?;
    Ok(format!(
        "({name:?}, oneup::Packing::{kind}, include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}\"))),\n"
    ))
}

/// The document without its line breaks: in JSON they lie between things, with the spaces after
/// them.
fn embed_document(path: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", path.display());
    let text = fs::read_to_string(path)?;
    let text: String = text.lines().map(str::trim_start).collect();
    fs::write(out.join("openapi.bin"), deflate(text.as_bytes()))?;
    fs::write(out.join("openapi_size.rs"), text.len().to_string())?;
    Ok(())
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec(bytes, 10)
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
