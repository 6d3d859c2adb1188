//! A QuickJS engine with limits, running one of the embedded programs. The programs speak to the
//! host through one global function that takes and returns text, so that only data crosses.

use crate::{inflate, Packing};
use rquickjs::{
    CatchResultExt, CaughtError, Context, Ctx, FromJs, Function, Module, Runtime, Value,
};
use std::{borrow::Cow, cell::Cell, rc::Rc, time::Duration};

/// An embedded program.
#[derive(Clone, Copy, Default)]
pub struct Program {
    pub bytes: &'static [u8],
    pub packing: Packing,
}

impl Program {
    fn bytecode(&self) -> Result<Cow<'static, [u8]>, String> {
        match self.packing {
            Packing::Plain => Ok(self.bytes.into()),
            Packing::Deflated(size) => Ok(inflate(self.bytes, size)?.into()),
        }
    }
}

pub struct Limits {
    pub memory_bytes: usize,
    pub stack_bytes: usize,
    /// Processor time of one call; `None`: no limit. It is the thread's own time, so that a
    /// loaded machine ends nobody.
    pub call_budget: Option<Duration>,
}

pub struct Engine {
    // Dropped in this order: the context before the runtime it lives in.
    context: Context,
    _runtime: Runtime,
    deadline: Rc<Cell<Duration>>,
    call_budget: Option<Duration>,
}

impl Engine {
    /// A fresh engine in which `prepare` has set globals and `program` has run.
    pub fn start(
        program: Program,
        limits: &Limits,
        prepare: impl FnOnce(&Ctx<'_>) -> rquickjs::Result<()>,
    ) -> Result<Engine, String> {
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        runtime.set_memory_limit(limits.memory_bytes);
        runtime.set_max_stack_size(limits.stack_bytes);
        let deadline = Rc::new(Cell::new(Duration::MAX));
        let watched = Rc::clone(&deadline);
        runtime.set_interrupt_handler(Some(Box::new(move || thread_time() > watched.get())));
        let context = Context::full(&runtime).map_err(|error| error.to_string())?;
        let engine = Engine {
            context,
            _runtime: runtime,
            deadline,
            call_budget: limits.call_budget,
        };
        let bytecode = program.bytecode()?;
        engine.within_budget(|ctx| {
            prepare(ctx)?;
            // SAFETY: the bytecode was written by this build's own build script with the same
            // engine version and is embedded in this executable; it comes from nowhere else.
            let module = unsafe { Module::load(ctx.clone(), &bytecode) }?;
            let (_module, promise) = module.eval()?;
            promise.finish::<()>()
        })?;
        Ok(engine)
    }

    /// Calls the program's global function `name`.
    pub fn call<T>(&self, name: &str, argument: &str) -> Result<T, String>
    where
        T: for<'js> FromJs<'js>,
    {
        self.within_budget(|ctx| {
            let function: Function = ctx.globals().get(name)?;
            function.call((argument,))
        })
    }

    fn within_budget<T>(
        &self,
        work: impl FnOnce(&Ctx<'_>) -> rquickjs::Result<T>,
    ) -> Result<T, String> {
        let limit = self.call_budget.map(|budget| thread_time() + budget);
        self.deadline.set(limit.unwrap_or(Duration::MAX));
        let result = self
            .context
            .with(|ctx| work(&ctx).catch(&ctx).map_err(|error| describe(&error)));
        match (result, limit) {
            (Err(error), Some(limit)) if thread_time() > limit => {
                Err(format!("its time for one batch ran out ({error})"))
            }
            (result, _) => result,
        }
    }
}

/// JSON that a script wrote, with U+FFFD for half characters (lone surrogates): scripts may have
/// them in their texts, as a client or a file can send them, but they are no text elsewhere.
pub fn well_formed(json: &str) -> Cow<'_, str> {
    /// How scripts write one; a whole character is never written in two halves.
    const HALF: &str = "\\ud";
    const HALF_LENGTH: usize = "\\ud800".len();
    if !json.contains(HALF) {
        return json.into();
    }
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let escape = &rest[at..];
        let is_half =
            escape.starts_with(HALF) && !matches!(escape.as_bytes().get(3), Some(b'0'..=b'7'));
        // Behind the backslash stands a letter, or another backslash.
        let length = if is_half { HALF_LENGTH } else { 2 };
        let (escape, behind) = escape.split_at_checked(length).unwrap_or((escape, ""));
        out.push_str(&rest[..at]);
        out.push_str(if is_half { "\u{fffd}" } else { escape });
        rest = behind;
    }
    out.push_str(rest);
    out.into()
}

fn describe(error: &CaughtError<'_>) -> String {
    match error {
        CaughtError::Exception(exception) => {
            let message = exception.message().unwrap_or_default();
            let stack = exception.stack().unwrap_or_default();
            let first = stack.lines().next().unwrap_or_default().trim().to_owned();
            match first.is_empty() {
                true => message,
                false => format!("{message} {first}"),
            }
        }
        CaughtError::Value(value) => describe_value(value),
        CaughtError::Error(error) => error.to_string(),
    }
}

fn describe_value(value: &Value<'_>) -> String {
    match value.as_string().and_then(|text| text.to_string().ok()) {
        Some(text) => text,
        None => format!("a thrown {}", value.type_name()),
    }
}

/// Processor time of the calling thread.
fn thread_time() -> Duration {
    match nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID) {
        Ok(time) => Duration::from(time),
        // Without this clock there is no budget; every kernel oneup runs on has it.
        Err(_) => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rquickjs::WriteOptions;

    fn program(source: &str) -> Program {
        let runtime = Runtime::new().unwrap();
        let context = Context::full(&runtime).unwrap();
        let bytecode = context.with(|ctx| {
            let module = Module::declare(ctx, "test.js", source).unwrap();
            module.write(WriteOptions::default()).unwrap()
        });
        Program {
            bytes: bytecode.leak(),
            packing: Packing::Plain,
        }
    }

    fn outcome(body: &str) -> Result<String, String> {
        let limits = Limits {
            memory_bytes: 8 << 20,
            stack_bytes: 256 << 10,
            call_budget: Some(Duration::from_millis(200)),
        };
        let source = format!("globalThis.work = (text) => {{ {body} }};");
        Engine::start(program(&source), &limits, |_| Ok(()))?.call("work", "words")
    }

    #[test]
    fn half_characters_do_not_leave() {
        let is = |json: &str, wanted: &str| assert_eq!(well_formed(json), wanted, "{json}");
        is(r#"["a","😀\n\\"]"#, r#"["a","😀\n\\"]"#);
        is(r#"["\ud800"]"#, "[\"\u{fffd}\"]");
        is(
            r#"["x\udfffy\udbff","\ud7ff"]"#,
            "[\"x\u{fffd}y\u{fffd}\",\"\\ud7ff\"]",
        );
        is(r#"["\\ud800\\\ud800"]"#, "[\"\\\\ud800\\\\\u{fffd}\"]");
        is("\\ud80", "\u{fffd}");
        is("\\", "\\");
        // As it is written by the engine.
        let json = outcome("return JSON.stringify(['\\ud83d\\ude00'.slice(0, 1), '\\\\ud800']);");
        let json = json.expect("a text");
        let texts: Vec<String> = serde_json::from_str(&well_formed(&json)).expect("JSON");
        assert_eq!(texts, ["\u{fffd}", "\\ud800"]);
    }

    #[test]
    fn a_call_takes_and_returns_text() {
        assert_eq!(outcome("return text.toUpperCase();"), Ok("WORDS".into()));
    }

    #[test]
    fn an_uncaught_error_names_itself_and_its_place() {
        let error = outcome("throw new Error('no such state');").unwrap_err();
        assert!(
            error.starts_with("no such state at <anonymous> (test.js:1:"),
            "{error}"
        );
    }

    #[test]
    fn an_endless_loop_ends_even_if_the_script_catches_everything() {
        let error = outcome("for (;;) { try { for (;;); } catch {} }").unwrap_err();
        assert!(
            error.starts_with("its time for one batch ran out"),
            "{error}"
        );
    }

    #[test]
    fn memory_is_limited() {
        let error = outcome("const all = []; for (;;) all.push('x'.repeat(1000) + all.length);");
        assert!(error.unwrap_err().contains("out of memory"));
    }

    #[test]
    fn recursion_is_limited() {
        let error = outcome("const deep = (n) => deep(n + 1) + 1; return String(deep(0));");
        assert!(error.unwrap_err().contains("stack"));
    }

    #[test]
    fn a_program_that_fails_to_load_says_why() {
        let limits = Limits {
            memory_bytes: 8 << 20,
            stack_bytes: 256 << 10,
            call_budget: None,
        };
        let result = Engine::start(program("missing();"), &limits, |_| Ok(()));
        assert!(result.err().unwrap().contains("missing is not defined"));
    }
}
