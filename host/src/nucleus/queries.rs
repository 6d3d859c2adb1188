//! The brain's questions (`Query`), each answered by one `Answered`.

use super::{handover::Leaving, monotonic_ms, Nucleus};
use crate::{
    cli::load_config,
    protocol::{Event, Query, QueryAnswer},
    Programs,
};
use std::thread;
use tokio::sync::mpsc::UnboundedSender;

/// The config program that knows every dialect.
const CONFIG: &str = "config-all";
/// Its thread's stack: the script's own limit and room for the engine's native frames.
const CONFIG_STACK_BYTES: usize = 2 << 20;

/// What was found out on another thread, with the key of its `Query`.
pub type Found = (String, QueryAnswer);

/// Where questions are worked at that take longer than a look.
pub struct Queries {
    programs: Programs,
    found: UnboundedSender<Found>,
}

impl Queries {
    pub fn new(programs: Programs, found: UnboundedSender<Found>) -> Queries {
        Queries { programs, found }
    }

    fn configure(&self, key: String, input: String) {
        let (programs, found) = (self.programs, self.found.clone());
        let name = key.clone();
        let started = thread::Builder::new()
            .name("config".into())
            .stack_size(CONFIG_STACK_BYTES)
            .spawn(move || {
                let output = programs
                    .get(CONFIG)
                    .and_then(|program| load_config(program, &input));
                let answer = match output {
                    Ok(output) => QueryAnswer::Configured { output },
                    Err(message) => QueryAnswer::Failed { message },
                };
                // Nobody hears it any more only when the process leaves.
                let _ = found.send((name, answer));
            });
        if let Err(error) = started {
            let message = format!("no thread to read the configuration on: {error}");
            let _ = self.found.send((key, QueryAnswer::Failed { message }));
        }
    }
}

impl Nucleus {
    pub(super) fn query(&mut self, key: String, query: Query) {
        let answer = match query {
            Query::Configure { input } => return self.queries.configure(key, input),
            Query::HandOver { path, state } => {
                self.leaving = Some(Leaving::Keep {
                    key,
                    path: path.into(),
                    state,
                });
                return;
            }
            Query::Processes { ids } => QueryAnswer::Processes {
                sets: self.children.facts(&ids),
            },
            Query::Proxies | Query::Obstacles { .. } => QueryAnswer::Failed {
                message: "not supported yet".into(),
            },
        };
        self.on_found((key, answer));
    }

    pub(super) fn on_found(&mut self, (key, answer): Found) {
        self.mind.push(Event::Answered {
            key,
            at: monotonic_ms(),
            answer,
        });
    }
}
