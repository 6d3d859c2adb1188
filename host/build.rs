//! Compiles the bundled TypeScript programs to QuickJS bytecode, which the executables embed.
//! `src/programs.json` lists them. `scripts/build.mjs` makes the bundles; without them (a plain
//! `cargo check` or `cargo test`) each program is an empty module.

use rquickjs::{CatchResultExt, Context, Module, Runtime, WriteOptions};
use serde_json::Value;
use std::{
    collections::BTreeSet, env, error::Error, fmt::Write, fs, path::Path, path::PathBuf,
    process::Command,
};

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
    if env::var("CARGO_CFG_TARGET_FEATURE")?.contains("crt-static") {
        let names = symbols()?;
        fs::write(out.join("symbols.rs"), symbol_table(&names)?)?;
        // Some are weak elsewhere in the host, and a weak reference alone links nothing in.
        let needed = out.join("symbols.args");
        let lines = names.iter().map(|name| format!("--undefined={name}\n"));
        fs::write(&needed, lines.collect::<String>())?;
        println!("cargo::rustc-link-arg-bins=-Wl,@{}", needed.display());
    }
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

/// The listed names that the C library of this build has.
fn symbols() -> Result<Vec<String>, Box<dyn Error>> {
    const LIST: &str = "src/lua/symbols.txt";
    println!("cargo::rerun-if-changed={LIST}");
    let list = fs::read_to_string(LIST)?;
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let wanted: BTreeSet<&str> = lines.flat_map(str::split_whitespace).collect();
    let mut there = BTreeSet::new();
    for library in ["libc.a", "libm.a"] {
        collect_symbols(&library_path(library)?, &mut there)?;
    }
    let found = wanted.iter().filter(|name| there.contains(**name));
    Ok(found.map(|name| (*name).to_owned()).collect())
}

/// Names and addresses of C functions, for who has only a name: a script's `ffi.C`.
fn symbol_table(names: &[String]) -> Result<String, Box<dyn Error>> {
    let mut code = format!("static NAMES: [&str; {}] = {names:?};\n", names.len());
    // In assembler, where a name is an address and nothing else: the host has types of its own for
    // many of them.
    code += "std::arch::global_asm!(r#\"\n.pushsection .data.rel.ro.oneup_symbols,\"aw\"\n";
    code += ".balign 8\n.globl oneup_symbols\n.hidden oneup_symbols\noneup_symbols:\n";
    for name in names {
        writeln!(code, ".quad {name}")?;
    }
    Ok(code + ".popsection\n\"#);\n")
}

fn library_path(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let ask = format!("-print-file-name={name}");
    let answer = Command::new(compiler).arg(ask).output()?;
    Ok(String::from_utf8(answer.stdout)?.trim().into())
}

/// The names that a static library defines, as its first member lists them; or those of the
/// libraries that a script of the linker names in its place.
fn collect_symbols(path: &Path, all: &mut BTreeSet<String>) -> Result<(), Box<dyn Error>> {
    const MAGIC: &[u8] = b"!<arch>\n";
    const HEADER: usize = 60;
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let Some(member) = bytes.strip_prefix(MAGIC) else {
        let script = String::from_utf8(bytes)?;
        let others = script
            .split_whitespace()
            .filter(|word| word.ends_with(".a"));
        return others
            .map(Path::new)
            .try_for_each(|other| collect_symbols(other, all));
    };
    // A count, as many offsets, as many names that end with a null byte each.
    let index = member.get(HEADER..).ok_or("no index of symbols")?;
    let count = index.first_chunk().ok_or("no count of symbols")?;
    let count = u32::from_be_bytes(*count) as usize;
    let names = index.get(4 * (count + 1)..).ok_or("no names of symbols")?;
    for name in names.split(|byte| *byte == 0).take(count) {
        all.insert(String::from_utf8(name.to_vec())?);
    }
    Ok(())
}
