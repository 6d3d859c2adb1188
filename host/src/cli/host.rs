//! The global `host` of the command-line and config programs (`src/cli/host.ts` describes it).

use super::{client, files, load_config, rhai, screen, Wanted};
use crate::{nucleus::users, protocol::Supervise, script::well_formed, Programs};
use rquickjs::{
    prelude::{Func, Opt},
    Ctx, Exception, Function, Object, Result, Value,
};
use serde_json::json;
use std::{
    cell::RefCell,
    env,
    io::{self, IsTerminal, Write},
    rc::Rc,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// What the config program has.
pub fn install_config<'js>(ctx: &Ctx<'js>) -> Result<()> {
    let host = files_object(ctx)?;
    host.set(
        "writeFile",
        Func::from(|ctx: Ctx<'js>, path: String, text: String, mode: u32| {
            to_script(&ctx, &files::write_file(&path, &text, mode))
        }),
    )?;
    host.set("removeFile", text_function(files::remove_file))?;
    host.set("variable", text_function(variable))?;
    host.set("currentFolder", Func::from(current_folder))
}

fn variable(name: &str) -> serde_json::Value {
    json!(env::var_os(name).map(lossy))
}

fn current_folder() -> String {
    lossy(env::current_dir().unwrap_or_else(|_| "/".into()).into())
}

fn lossy(text: std::ffi::OsString) -> String {
    text.to_string_lossy().into_owned()
}

/// What both programs have.
fn files_object<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>> {
    let host = Object::new(ctx.clone())?;
    host.set("readFile", text_function(files::read_file))?;
    host.set("readBytes", text_function(files::read_bytes))?;
    host.set("readFolder", text_function(files::read_folder))?;
    host.set("stat", text_function(files::status))?;
    host.set("realPath", text_function(files::real_path))?;
    host.set("regexError", text_function(files::regex_error))?;
    host.set(
        "userExists",
        text_function(|name| users::user_exists(name).into()),
    )?;
    host.set(
        "groupExists",
        text_function(|name| users::group_exists(name).into()),
    )?;
    host.set("uid", nix::unistd::geteuid().as_raw())?;
    ctx.globals().set("host", host.clone())?;
    Ok(host)
}

/// A function of one text that answers with data.
fn text_function<'js, F>(
    work: F,
) -> Func<impl Fn(Ctx<'js>, String) -> Result<Value<'js>> + 'js, (Ctx<'js>, String)>
where
    F: Fn(&str) -> serde_json::Value + 'js,
{
    Func::from(move |ctx: Ctx<'js>, text: String| to_script(&ctx, &work(&text)))
}

pub(super) fn to_script<'js>(ctx: &Ctx<'js>, value: &serde_json::Value) -> Result<Value<'js>> {
    ctx.json_parse(value.to_string())
}

pub(super) fn from_script<'js, T: serde::de::DeserializeOwned>(
    ctx: &Ctx<'js>,
    value: Value<'js>,
) -> Result<T> {
    let text = match ctx.json_stringify(value)? {
        Some(text) => text.to_string()?,
        None => "null".to_owned(),
    };
    serde_json::from_str(&well_formed(&text))
        .map_err(|error| Exception::throw_type(ctx, &format!("host call: {error}")))
}

/// What only the command-line program has.
pub fn install_cli<'js>(
    ctx: &Ctx<'js>,
    programs: Programs,
    arguments: &[String],
    wanted: Rc<RefCell<Wanted>>,
) -> Result<()> {
    let host = files_object(ctx)?;
    install_facts(&host, arguments)?;
    install_terminal(&host)?;
    install_calls(&host)?;
    screen::install(ctx, &host)?;
    host.set(
        "makeLink",
        Func::from(|ctx: Ctx<'js>, target: String, path: String| {
            to_script(&ctx, &files::make_link(&target, &path))
        }),
    )?;
    host.set("makeFolder", text_function(files::make_folder))?;
    host.set(
        "signal",
        Func::from(|ctx: Ctx<'js>, pid: i32, signal: String| {
            to_script(&ctx, &files::signal(pid, &signal))
        }),
    )?;
    host.set(
        "loadConfig",
        Func::from(move |ctx: Ctx<'_>, program: String, input: String| {
            programs
                .get(&program)
                .and_then(|program| load_config(program, &input))
                .map_err(|error| Exception::throw_message(&ctx, &error))
        }),
    )?;
    let become_ = Rc::clone(&wanted);
    host.set(
        "become",
        Func::from(move |arguments: Vec<String>, program: Opt<String>| {
            become_.borrow_mut().become_ = Some((arguments, program.0));
        }),
    )?;
    host.set(
        "supervise",
        Func::from(move |ctx: Ctx<'js>, options: Value<'js>| -> Result<()> {
            let options: Supervise = from_script(&ctx, options)?;
            wanted.borrow_mut().supervise = Some(Box::new(options));
            Ok(())
        }),
    )
}

fn install_facts<'js>(host: &Object<'js>, arguments: &[String]) -> Result<()> {
    let environment = Object::new(host.ctx().clone())?;
    for (name, value) in env::vars_os() {
        environment.set(lossy(name), lossy(value))?;
    }
    host.set("argv", arguments.to_vec())?;
    host.set("environment", environment)?;
    host.set("cwd", current_folder())?;
    host.set("pid", std::process::id())?;
    host.set("version", env!("CARGO_PKG_VERSION"))?;
    host.set(
        "executable",
        Func::from(|ctx: Ctx<'js>| {
            let path = std::fs::read_link("/proc/self/exe").ok();
            to_script(
                &ctx,
                &json!(path.map(|path| path.to_string_lossy().into_owned())),
            )
        }),
    )?;
    host.set(
        "now",
        Func::from(|| match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(time) => (time.as_secs_f64() * 1000.0).floor(),
            Err(_) => 0.0,
        }),
    )?;
    host.set(
        "sleep",
        Func::from(|ms: f64| thread::sleep(Duration::from_secs_f64(ms.max(0.0) / 1000.0))),
    )
}

fn install_terminal<'js>(host: &Object<'js>) -> Result<()> {
    host.set(
        "isTerminal",
        Func::from(|fd: i32| match fd {
            0 => io::stdin().is_terminal(),
            1 => io::stdout().is_terminal(),
            _ => io::stderr().is_terminal(),
        }),
    )?;
    host.set(
        "columns",
        Func::from(|ctx: Ctx<'js>| to_script(&ctx, &json!(terminal_columns()))),
    )?;
    host.set(
        "write",
        Func::from(|fd: i32, text: String| {
            let bytes = text.as_bytes();
            let result = match fd {
                1 => io::stdout()
                    .write_all(bytes)
                    .and_then(|()| io::stdout().flush()),
                _ => io::stderr().write_all(bytes),
            };
            // A reader that went away has ended us by SIGPIPE already. What is left (a full
            // disk, a closed descriptor) cannot be told to anybody but by the exit code.
            if result.is_err() && fd == 1 {
                std::process::exit(1);
            }
        }),
    )
}

nix::ioctl_read_bad!(window_size, libc::TIOCGWINSZ, libc::winsize);

fn terminal_columns() -> Option<u16> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ writes one winsize to the address given, which is ours and alive.
    unsafe { window_size(libc::STDOUT_FILENO, &mut size) }.ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}

fn install_calls<'js>(host: &Object<'js>) -> Result<()> {
    host.set(
        "request",
        Func::from(|ctx: Ctx<'js>, call: Value<'js>| {
            let call = from_script::<client::HttpCall>(&ctx, call)?;
            to_script(&ctx, &client::request(&call))
        }),
    )?;
    host.set(
        "callLine",
        Func::from(|ctx: Ctx<'js>, call: Value<'js>| {
            let call = from_script::<client::LineCall>(&ctx, call)?;
            to_script(&ctx, &client::call_line(&call))
        }),
    )?;
    host.set(
        "callMessage",
        Func::from(|ctx: Ctx<'js>, call: Value<'js>| {
            let call = from_script::<client::MessageCall>(&ctx, call)?;
            to_script(&ctx, &client::call_message(&call))
        }),
    )?;
    host.set("runRhai", Func::from(run_rhai))?;
    host.set("stream", Func::from(stream))
}

/// `call` returns `{value}` or `{error}`; what it throws ends the script, and is thrown on.
struct Program<'js> {
    ctx: Ctx<'js>,
    call: Function<'js>,
    forget: Function<'js>,
}

impl rhai::Callee for Program<'_> {
    type Error = rquickjs::Error;

    fn call(
        &mut self,
        number: usize,
        arguments: Vec<serde_json::Value>,
    ) -> Result<std::result::Result<serde_json::Value, String>> {
        let arguments = to_script(&self.ctx, &arguments.into())?;
        let answer = self.call.call((number, arguments))?;
        let mut answer: serde_json::Value = from_script(&self.ctx, answer)?;
        Ok(match answer["error"].as_str() {
            Some(text) => Err(text.to_owned()),
            None => Ok(answer["value"].take()),
        })
    }

    fn forget(&mut self, id: u32) -> Result<()> {
        self.forget.call((id,))
    }
}

fn run_rhai<'js>(
    ctx: Ctx<'js>,
    script: Value<'js>,
    call: Function<'js>,
    forget: Function<'js>,
) -> Result<Value<'js>> {
    let script = from_script(&ctx, script)?;
    let mut program = Program { ctx, call, forget };
    let end = rhai::run(script, &mut program)?;
    to_script(&program.ctx, &end)
}

fn stream<'js>(ctx: Ctx<'js>, call: Value<'js>, on_text: Function<'js>) -> Result<Value<'js>> {
    let call = from_script::<client::HttpCall>(&ctx, call)?;
    let mut thrown = None;
    let answer = client::stream(&call, &mut |text: &str| match on_text.call((text,)) {
        Ok(go_on) => go_on,
        Err(error) => {
            thrown = Some(error);
            false
        }
    });
    match thrown {
        Some(error) => Err(error),
        None => to_script(&ctx, &answer),
    }
}
