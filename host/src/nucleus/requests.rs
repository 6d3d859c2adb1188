//! Requests that wait for the brain's answer.

use super::http::{Incoming, ReplyData};
use crate::protocol::{Event, Part, Request};
use std::collections::{BTreeMap, HashMap};
use tokio::sync::oneshot;

#[derive(Default)]
pub struct Requests {
    open: HashMap<u32, Open>,
    next: u32,
}

struct Open {
    reply: oneshot::Sender<ReplyData>,
    /// The brain has it; what is not handed over yet survives a loss.
    delivered: bool,
}

impl Requests {
    /// Takes a request in, as the event for the brain.
    pub fn accept(&mut self, incoming: Incoming) -> Event {
        self.next = self.next.wrapping_add(1);
        let request = self.next;
        let open = Open {
            reply: incoming.reply,
            delivered: false,
        };
        self.open.insert(request, open);
        Event::Request(Request {
            request,
            uid: incoming.uid,
            pid: incoming.pid,
            call: incoming.call,
        })
    }

    pub fn delivered(&mut self, request: u32) {
        if let Some(open) = self.open.get_mut(&request) {
            open.delivered = true;
        }
    }

    pub fn reply(&mut self, request: u32, data: ReplyData) {
        if let Some(open) = self.open.remove(&request) {
            // A client that has gone wants no answer.
            let _ = open.reply.send(data);
        }
    }

    /// The clients that went away, as events for the brain. `http` wakes the loop when one goes.
    pub fn gone(&mut self) -> Vec<Event> {
        let gone: Vec<u32> = self
            .open
            .iter()
            .filter(|(_, open)| open.reply.is_closed())
            .map(|(request, _)| *request)
            .collect();
        gone.into_iter()
            .map(|request| {
                self.open.remove(&request);
                Event::Gone { request }
            })
            .collect()
    }

    /// Nobody is there to answer any more: a clean 503 for each.
    pub fn fail_all(&mut self) {
        for (_, open) in self.open.drain() {
            let _ = open.reply.send(unavailable());
        }
    }

    /// The brain that had them is lost: those it was given get a clean 503.
    pub fn fail_delivered(&mut self) {
        let lost: Vec<u32> = self
            .open
            .iter()
            .filter(|(_, open)| open.delivered)
            .map(|(request, _)| *request)
            .collect();
        for request in lost {
            self.reply(request, unavailable());
        }
    }
}

/// What a client hears while there is no brain.
pub fn unavailable() -> ReplyData {
    let text = concat!(
        r#"{"type":"about:blank","title":"Service Unavailable","status":503,"#,
        r#""detail":"the supervisor's brain is starting anew; services go on; ask again in a second"}"#
    );
    ReplyData {
        status: 503,
        content_type: "application/problem+json".into(),
        headers: BTreeMap::from([("Retry-After".into(), "1".into())]),
        parts: vec![Part::Text { text: text.into() }],
    }
}
