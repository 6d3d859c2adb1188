//! Runs a Rhai script whose functions are the program's: each call of one goes to it as data, and
//! comes back as data. What the functions are and do is the program's affair (`src/cli/rhai.ts`
//! describes this).

use rhai::{
    Dynamic, Engine, EvalAltResult, ImmutableString, Map, NativeCallContext, Position, Scope, INT,
};
use serde::Deserialize;
use serde_json::{json, Value};
use std::{
    any::TypeId,
    io,
    rc::Rc,
    sync::mpsc::{channel, Receiver, Sender},
    thread,
};

/// The script's own thread: its calls nest natively.
const STACK_BYTES: usize = 16 << 20;
const CALLS_MAX: usize = 64;
const EXPRESSION_DEPTH_MAX: usize = 64;
const STRING_MAX: usize = 64 << 20;
const ITEMS_MAX: usize = 1 << 20;
/// Of values on their way between script and program.
const DEPTH_MAX: usize = 64;

/// What marks an object of the program, or a number with a fraction, among the data.
const MARK: &str = "$";

#[derive(Deserialize)]
pub struct Script {
    text: String,
    /// Names of the program's types, at most [`TYPES_MAX`].
    types: Vec<String>,
    functions: Vec<Function>,
    /// Variables that are there from the start.
    variables: Vec<(String, Value)>,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    parameters: Vec<Parameter>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "camelCase")]
enum Parameter {
    Text,
    Whole,
    Flag,
    Any,
    /// An object of this type.
    Object(usize),
}

/// What the script's thread says.
enum Word {
    /// The number of a function in the table, and its arguments.
    Call(usize, Vec<Value>),
    /// The script has lost its last hold of the object with this number.
    Forget(u32),
    End(Result<(), Value>),
}

/// The program, as the script's calls reach it.
pub trait Callee {
    type Error;

    /// The number of a function and its arguments; the value, or the text of an error. `Err` ends
    /// the script.
    fn call(
        &mut self,
        number: usize,
        arguments: Vec<Value>,
    ) -> Result<Result<Value, String>, Self::Error>;

    /// An object is not needed any more.
    fn forget(&mut self, id: u32) -> Result<(), Self::Error>;
}

/// Runs it to its end. `null`, or `{text}`.
pub fn run<C: Callee>(script: Script, callee: &mut C) -> Result<Value, C::Error> {
    let (say, words) = channel();
    let (reply, replies) = channel();
    let started = thread::Builder::new()
        .name("rhai".into())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let end = evaluate(&script, &say, replies);
            let _ = say.send(Word::End(end));
        });
    let thread = match started {
        Ok(thread) => thread,
        Err(error) => return Ok(fault(&format!("no thread for the script: {error}"))),
    };
    let mut end = fault("the script's thread broke");
    while let Ok(word) = words.recv() {
        match word {
            Word::Call(number, arguments) => {
                let answer = callee.call(number, arguments)?;
                // A script that has ended meanwhile wants none.
                let _ = reply.send(answer);
            }
            Word::Forget(id) => callee.forget(id)?,
            Word::End(result) => end = result.err().unwrap_or(Value::Null),
        }
    }
    let _ = thread.join();
    Ok(end)
}

fn fault(text: &str) -> Value {
    json!({ "text": text })
}

fn evaluate(
    script: &Script,
    say: &Sender<Word>,
    replies: Receiver<Result<Value, String>>,
) -> Result<(), Value> {
    let mut engine = Engine::new();
    limit(&mut engine);
    name_types(&mut engine, &script.types);
    let replies = Rc::new(replies);
    for (number, function) in script.functions.iter().enumerate() {
        let (say, replies) = (say.clone(), Rc::clone(&replies));
        let types: Vec<TypeId> = function.parameters.iter().map(|one| one.id()).collect();
        engine.register_raw_fn(
            &function.name,
            &types,
            move |_: NativeCallContext, arguments: &mut [&mut Dynamic]| {
                let values: Result<Vec<Value>, String> =
                    arguments.iter().map(|one| to_data(one, 0)).collect();
                let gone = || "the program has gone".to_owned();
                values
                    .and_then(|values| say.send(Word::Call(number, values)).map_err(|_| gone()))
                    .and_then(|()| replies.recv().map_err(|_| gone())?)
                    .and_then(|value| from_data(&value, &say))
                    .map_err(|text| -> Box<EvalAltResult> {
                        EvalAltResult::ErrorRuntime(text.into(), Position::NONE).into()
                    })
            },
        );
    }
    let mut scope = Scope::new();
    for (name, value) in &script.variables {
        scope.push_dynamic(
            name.as_str(),
            from_data(value, say).map_err(|text| fault(&text))?,
        );
    }
    let result: Result<(), _> = engine.eval_with_scope(&mut scope, &script.text);
    // What the script printed comes before what is said about it.
    let _ = io::Write::flush(&mut io::stdout());
    result.map_err(|error| fault(&error.to_string()))
}

fn limit(engine: &mut Engine) {
    engine
        .set_max_call_levels(CALLS_MAX)
        .set_max_expr_depths(EXPRESSION_DEPTH_MAX, EXPRESSION_DEPTH_MAX)
        .set_max_string_size(STRING_MAX)
        .set_max_array_size(ITEMS_MAX)
        .set_max_map_size(ITEMS_MAX);
}

impl Parameter {
    fn id(self) -> TypeId {
        match self {
            Parameter::Text => TypeId::of::<ImmutableString>(),
            Parameter::Whole => TypeId::of::<INT>(),
            Parameter::Flag => TypeId::of::<bool>(),
            Parameter::Any => TypeId::of::<Dynamic>(),
            Parameter::Object(number) => type_id(number),
        }
    }
}

/// An object of one of the program's types: the script passes it on and calls its methods.
#[derive(Clone)]
struct Object<const TYPE: usize>(Rc<Kept>);

/// The program keeps it for as long as the script has it.
struct Kept {
    id: u32,
    say: Sender<Word>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.say.send(Word::Forget(self.id));
    }
}

const TYPES_MAX: usize = 6;

/// Does something for the type of a number that is known only now.
macro_rules! for_type {
    ($number:expr, $type:ident => $work:expr) => {
        match $number {
            0 => {
                type $type = Object<0>;
                $work
            }
            1 => {
                type $type = Object<1>;
                $work
            }
            2 => {
                type $type = Object<2>;
                $work
            }
            3 => {
                type $type = Object<3>;
                $work
            }
            4 => {
                type $type = Object<4>;
                $work
            }
            _ => {
                type $type = Object<5>;
                $work
            }
        }
    };
}

fn type_id(number: usize) -> TypeId {
    for_type!(number, Type => TypeId::of::<Type>())
}

fn name_types(engine: &mut Engine, names: &[String]) {
    for (number, name) in names.iter().take(TYPES_MAX).enumerate() {
        for_type!(number, Type => engine.register_type_with_name::<Type>(name));
    }
}

/// `{"$": "object", "type": NUMBER, "id": NUMBER}`; each time that one goes out it has a new number.
fn object_data(value: &Dynamic) -> Option<Value> {
    (0..TYPES_MAX).find_map(|number| {
        let id = for_type!(number, Type => value.read_lock::<Type>().map(|one| one.0.id))?;
        Some(json!({ MARK: "object", "type": number, "id": id }))
    })
}

fn to_data(value: &Dynamic, depth: usize) -> Result<Value, String> {
    if depth > DEPTH_MAX {
        return Err("a value is nested too deeply".into());
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(flag) = value.as_bool() {
        return Ok(flag.into());
    }
    if let Ok(number) = value.as_int() {
        return Ok(number.into());
    }
    if let Ok(number) = value.as_float() {
        return Ok(json!({ MARK: "float", "value": number }));
    }
    if let Ok(letter) = value.as_char() {
        return Ok(letter.to_string().into());
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Ok(text.as_str().into());
    }
    if let Some(items) = value.read_lock::<rhai::Array>() {
        return items.iter().map(|item| to_data(item, depth + 1)).collect();
    }
    if let Some(map) = value.read_lock::<Map>() {
        let entries = map
            .iter()
            .map(|(key, item)| Ok((key.to_string(), to_data(item, depth + 1)?)));
        return entries.collect::<Result<_, String>>().map(Value::Object);
    }
    object_data(value).ok_or_else(|| {
        format!(
            "a value of type {} cannot be an argument here",
            value.type_name()
        )
    })
}

fn from_data(value: &Value, say: &Sender<Word>) -> Result<Dynamic, String> {
    Ok(match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => {
            let items: Result<rhai::Array, String> =
                items.iter().map(|item| from_data(item, say)).collect();
            Dynamic::from_array(items?)
        }
        Value::Object(fields) => match fields.get(MARK).and_then(Value::as_str) {
            Some("float") => fields["value"].as_f64().unwrap_or(f64::NAN).into(),
            Some(_) => {
                let number = fields["type"].as_u64().unwrap_or(0) as usize;
                let id = fields["id"].as_u64().and_then(|id| id.try_into().ok());
                let kept = Rc::new(Kept {
                    id: id.ok_or("an object without a number")?,
                    say: say.clone(),
                });
                for_type!(number, Type => Dynamic::from(Type::from(kept)))
            }
            None => {
                let mut map = Map::new();
                for (key, item) in fields {
                    map.insert(key.as_str().into(), from_data(item, say)?);
                }
                Dynamic::from_map(map)
            }
        },
    })
}

impl<const TYPE: usize> From<Rc<Kept>> for Object<TYPE> {
    fn from(kept: Rc<Kept>) -> Self {
        Object(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn script(text: &str) -> Script {
        let parameters = |of: Value| json!({ "name": "f", "parameters": of });
        serde_json::from_value(json!({
            "text": text,
            "types": ["Thing"],
            "functions": [
                parameters(json!(["any"])),
                { "name": "make", "parameters": [] },
                { "name": "plus", "parameters": [{ "object": 0 }, "text"] },
            ],
            "variables": [["zero", 0]],
        }))
        .expect("a script")
    }

    /// `f` returns its argument, `make` a thing, `plus` a thing with one more text.
    #[derive(Default)]
    struct Things {
        alive: HashMap<u32, Vec<Value>>,
        made: u32,
        most: usize,
        seen: Vec<Value>,
    }

    impl Things {
        fn keep(&mut self, texts: Vec<Value>) -> Value {
            self.made += 1;
            self.alive.insert(self.made, texts);
            self.most = self.most.max(self.alive.len());
            json!({ MARK: "object", "type": 0, "id": self.made })
        }

        fn texts(&self, object: &Value) -> Vec<Value> {
            let id = object["id"].as_u64().expect("a number") as u32;
            self.alive[&id].clone()
        }
    }

    impl Callee for Things {
        type Error = String;

        fn call(
            &mut self,
            number: usize,
            arguments: Vec<Value>,
        ) -> Result<Result<Value, String>, String> {
            Ok(match (number, arguments.first()) {
                (1, _) => Ok(self.keep(Vec::new())),
                (2, Some(object)) => {
                    let texts = [self.texts(object), vec![arguments[1].clone()]].concat();
                    Ok(self.keep(texts))
                }
                (_, Some(Value::String(text))) if text == "bad" => Err("refused".into()),
                (_, Some(Value::String(text))) if text == "break" => return Err("enough".into()),
                (_, value) => {
                    let value = value.cloned().unwrap_or_default();
                    if value[MARK] != "object" {
                        self.seen.push(value.clone());
                        return Ok(Ok(value));
                    }
                    let texts = self.texts(&value);
                    self.seen.push(texts.clone().into());
                    Ok(self.keep(texts))
                }
            })
        }

        fn forget(&mut self, id: u32) -> Result<(), String> {
            self.alive
                .remove(&id)
                .map(drop)
                .ok_or("forgotten twice".into())
        }
    }

    /// What went wrong, and what the program knows then.
    fn played(text: &str) -> (Option<String>, Things) {
        let mut things = Things::default();
        let end = run(script(text), &mut things).expect("an end");
        (end["text"].as_str().map(str::to_owned), things)
    }

    #[test]
    fn values_go_there_and_back() {
        let text = r#"
            let v = [1, -2.5, "x", 'c', true, (), #{ a: [zero] }];
            if f(v) != [1, -2.5, "x", "c", true, (), #{ a: [0] }] { throw "changed"; }
            if type_of(f(2.0)) != "f64" { throw "no fraction any more"; }
        "#;
        assert_eq!(played(text).0, None);
    }

    #[test]
    fn objects_have_methods_and_are_forgotten() {
        let (end, things) = played(
            r#"let a = make(); let b = a.plus("x").plus("y"); f(b); f(a); f(type_of(b)); ()"#,
        );
        assert_eq!(end, None);
        assert_eq!(things.seen, [json!(["x", "y"]), json!([]), json!("Thing")]);
        assert_eq!((things.made, things.alive.len()), (5, 0));
        let (_, things) = played("for n in 0..100 { make().plus(\"x\"); }");
        assert_eq!(things.made, 200);
        assert!(things.most < 5, "{}", things.most);
    }

    #[test]
    fn errors_have_places() {
        let ends = |text, what: &str| {
            let (end, _) = played(text);
            assert_eq!(end.as_deref(), Some(what), "{text}");
        };
        ends(
            "let x = 1;\n  f(\"bad\");",
            "Runtime error: refused (line 2, position 3)",
        );
        ends(
            "let x = ;",
            "Syntax error: Unexpected ';' (line 1, position 9)",
        );
        ends(
            "make().plus(1);",
            "Function not found: plus (Thing, i64) (line 1, position 8)",
        );
        ends("1 + 1", "Output type incorrect: i64 (expecting ())");
        ends(
            "try { f(\"bad\") } catch (e) { throw e + \"!\" }",
            "Runtime error: refused! (line 1, position 30)",
        );
        ends(
            "f(|x| x)",
            "Runtime error: a value of type Fn cannot be an argument here (line 1, position 1)",
        );
    }

    #[test]
    fn runaways_end() {
        for text in [
            "fn r(n) { r(n + 1) } r(0)",
            "let s = \"x\"; loop { s += s; }",
            "let a = [1]; loop { a += a; }",
            "let m = [[]]; loop { m = [m]; f(m); }",
        ] {
            assert!(played(text).0.is_some(), "{text}");
        }
    }

    #[test]
    fn a_program_that_gives_up_ends_the_script() {
        let end = run(script("loop { f(\"break\"); }"), &mut Things::default());
        assert_eq!(end, Err("enough".into()));
    }
}
