//! `zinit-client-driver async|blocking SOCKET`: reads one call a line from stdin, as a JSON array
//! of the method's name and its arguments, makes it with zinit's own client library, and writes one
//! line: `{"ok": RESULT}` or `{"error": TEXT}`.

use anyhow::{bail, Context, Result};
use serde::{de::DeserializeOwned, Serialize};
use serde_json::{json, Value};
use std::io::{stdin, stdout, BufRead, Write};
use zinit::client::client::{LogLevel, ServiceConfig, XinetConfig};
use zinit::{ZinitClient, ZinitHandle};

/// The arguments of a call, in order.
struct Arguments(Vec<Value>);

impl Arguments {
    fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T> {
        let value = self.0.get(index).cloned().unwrap_or(Value::Null);
        serde_json::from_value(value).with_context(|| format!("argument {index}"))
    }

    fn text(&self, index: usize) -> Result<String> {
        self.get(index)
    }
}

fn plain<T: Serialize>(result: Result<T>) -> Result<Value> {
    Ok(serde_json::to_value(result?)?)
}

/// One match for both clients: they have the same methods, the async ones are awaited.
macro_rules! call {
    ($client:expr, $name:expr, $arguments:expr, $($wait:tt)*) => {{
        let (client, a) = ($client, $arguments);
        match $name {
            "discover" => plain(client.discover()$($wait)*),
            "ping" => plain(client.ping()$($wait)*),
            "test_connection" => plain(client.test_connection()$($wait)*),
            "shutdown" => plain(client.shutdown()$($wait)*),
            "reboot" => plain(client.reboot()$($wait)*),
            "prepare_restart" => plain(client.prepare_restart()$($wait)*),
            "service_get" => plain(client.service_get(&a.text(0)?)$($wait)*),
            "service_delete" => plain(client.service_delete(&a.text(0)?)$($wait)*),
            "list" => plain(client.list()$($wait)*),
            "list_full" => plain(client.list_full()$($wait)*),
            "start" => plain(client.start(&a.text(0)?)$($wait)*),
            "stop" => plain(client.stop(&a.text(0)?)$($wait)*),
            "restart" => plain(client.restart(&a.text(0)?)$($wait)*),
            "kill" => {
                let signal: Option<String> = a.get(1)?;
                plain(client.kill(&a.text(0)?, signal.as_deref())$($wait)*)
            }
            "status" => plain(client.status(&a.text(0)?)$($wait)*),
            "status_full" => plain(client.status_full(&a.text(0)?)$($wait)*),
            "stats" => plain(client.stats(&a.text(0)?)$($wait)*),
            "children" => plain(client.children(&a.text(0)?)$($wait)*),
            "is_running" => plain(client.is_running(&a.text(0)?)$($wait)*),
            "why" => plain(client.why(&a.text(0)?)$($wait)*),
            "tree" => plain(client.tree()$($wait)*),
            "logs" => {
                let name: Option<String> = a.get(0)?;
                plain(client.logs(name.as_deref(), a.get(1)?)$($wait)*)
            }
            "logs_tail" => {
                let name: Option<String> = a.get(0)?;
                plain(client.logs_tail(name.as_deref(), a.get(1)?)$($wait)*)
            }
            "logs_filter" => {
                let (name, stream): (Option<String>, Option<String>) = (a.get(0)?, a.get(1)?);
                plain(client.logs_filter(name.as_deref(), stream.as_deref(), a.get(2)?, a.get(3)?)$($wait)*)
            }
            "debug_state" => plain(client.debug_state()$($wait)*),
            "debug_process_tree" => plain(client.debug_process_tree(&a.text(0)?)$($wait)*),
            "xinet_delete" => plain(client.xinet_delete(&a.text(0)?)$($wait)*),
            "xinet_list" => plain(client.xinet_list()$($wait)*),
            "xinet_status" => plain(client.xinet_status(&a.text(0)?)$($wait)*),
            "xinet_status_all" => plain(client.xinet_status_all()$($wait)*),
            other => bail!("there is no call {other}"),
        }
    }};
}

fn blocking(client: &ZinitHandle, name: &str, a: &Arguments) -> Result<Value> {
    match name {
        "service_set" => plain(client.service_set(a.get::<ServiceConfig>(0)?)),
        "xinet_set" => plain(client.xinet_set(a.get::<XinetConfig>(0)?)),
        name => call!(client, name, a,),
    }
}

async fn awaited(client: &ZinitClient, name: &str, a: &Arguments) -> Result<Value> {
    match name {
        "service_set" => plain(client.service_set(&a.get::<ServiceConfig>(0)?).await),
        "xinet_set" => plain(client.xinet_set(&a.get::<XinetConfig>(0)?).await),
        name => call!(client, name, a, .await),
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, way, socket] = arguments.as_slice() else {
        bail!("usage: zinit-client-driver async|blocking SOCKET");
    };
    let perform: Box<dyn Fn(&str, &Arguments) -> Result<Value>> = match way.as_str() {
        "async" => {
            let runtime = tokio::runtime::Runtime::new()?;
            let client = ZinitClient::unix(socket).with_log_level(LogLevel::Silent);
            Box::new(move |name, a| runtime.block_on(awaited(&client, name, a)))
        }
        "blocking" => {
            let client = ZinitHandle::with_socket(socket)?.with_log_level(LogLevel::Silent);
            Box::new(move |name, a| blocking(&client, name, a))
        }
        other => bail!("{other} is neither async nor blocking"),
    };
    for line in stdin().lock().lines() {
        let mut words: Vec<Value> = serde_json::from_str(&line?)?;
        let name: String = serde_json::from_value(words.remove(0))?;
        let answer = match perform(&name, &Arguments(words)) {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": format!("{error:#}") }),
        };
        writeln!(stdout(), "{answer}")?;
    }
    Ok(())
}
