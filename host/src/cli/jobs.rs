//! Requests on threads of their own, for a program that goes on meanwhile.

use super::{client, screen::News};
use serde::Deserialize;
use serde_json::{json, Value};
use std::{sync::mpsc::Sender, thread};

/// At a time; more are refused.
const JOBS_MAX: usize = 16;
const STACK_BYTES: usize = 256 << 10;

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Call {
    Http(client::HttpCall),
    Line(client::LineCall),
}

impl Call {
    fn answer(&self) -> Value {
        match self {
            Call::Http(call) => client::request(call),
            Call::Line(call) => client::call_line(call),
        }
    }
}

pub struct Jobs {
    tell: Sender<News>,
    running: usize,
}

impl Jobs {
    pub fn new(tell: Sender<News>) -> Jobs {
        Jobs { tell, running: 0 }
    }

    /// False: there are too many already.
    pub fn submit(&mut self, ticket: u32, call: Call) -> bool {
        if self.running >= JOBS_MAX {
            return false;
        }
        let tell = self.tell.clone();
        let started = thread::Builder::new()
            .name("request".into())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let answer = call.answer();
                // Nobody hears it any more only when the screen is closed.
                let _ = tell.send(json!({"type": "answer", "ticket": ticket, "answer": answer}));
            });
        self.running += usize::from(started.is_ok());
        started.is_ok()
    }

    /// Counts the answers among the news.
    pub fn note(&mut self, news: &News) {
        if news["type"] == "answer" {
            self.running = self.running.saturating_sub(1);
        }
    }
}
