//! The brain's questions (`Query`), each answered by one `Answered`.

use super::{guard::Look, handover::Leaving, monotonic_ms, Nucleus};
use crate::{
    cli::load_config,
    protocol::{Event, Query, QueryAnswer},
    Programs,
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};
use tokio::sync::mpsc::UnboundedSender;

/// The config program that knows every dialect.
const CONFIG: &str = "config-all";
/// Its thread's stack: the script's own limit and room for the engine's native frames.
const CONFIG_STACK_BYTES: usize = 2 << 20;

/// So many look at the machine at a time, each on a thread of its own.
const LOOKERS_MAX: usize = 4;
/// Folders are read, nothing recurses.
const LOOKER_STACK_BYTES: usize = 256 << 10;

/// What was found out on another thread, with the key of its `Query`.
pub type Found = (String, QueryAnswer);

/// Where questions are worked at that take longer than a look.
pub struct Queries {
    programs: Programs,
    found: UnboundedSender<Found>,
    lookers: Arc<Mutex<Lookers>>,
}

/// Who looks for obstacles, and what for. There is at most one question of each service.
#[derive(Default)]
struct Lookers {
    at_work: usize,
    waiting: VecDeque<(String, Look)>,
}

fn lock(lookers: &Mutex<Lookers>) -> MutexGuard<'_, Lookers> {
    lookers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Until there is nothing left to look for.
fn look_on(lookers: &Mutex<Lookers>, found: &UnboundedSender<Found>) {
    loop {
        let mut all = lock(lookers);
        let Some((key, look)) = all.waiting.pop_front() else {
            all.at_work -= 1;
            return;
        };
        drop(all);
        // Nobody hears it any more only when the process leaves.
        let _ = found.send((key, look.answer()));
    }
}

impl Queries {
    pub fn new(programs: Programs, found: UnboundedSender<Found>) -> Queries {
        Queries {
            programs,
            found,
            lookers: Arc::default(),
        }
    }

    fn look(&self, key: String, look: Look) {
        let mut all = lock(&self.lookers);
        all.waiting.push_back((key, look));
        if all.at_work >= LOOKERS_MAX {
            return;
        }
        let (lookers, found) = (Arc::clone(&self.lookers), self.found.clone());
        let started = thread::Builder::new()
            .name("guard".into())
            .stack_size(LOOKER_STACK_BYTES)
            .spawn(move || look_on(&lookers, &found));
        match started {
            Ok(_) => all.at_work += 1,
            Err(_) if all.at_work > 0 => {}
            Err(error) => {
                for (key, _) in all.waiting.drain(..) {
                    let message = format!("no thread to look on: {error}");
                    let _ = self.found.send((key, QueryAnswer::Failed { message }));
                }
            }
        }
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
            Query::Proxies => QueryAnswer::Proxies {
                proxies: self.proxies.facts(),
            },
            Query::Obstacles {
                ports,
                processes,
                own,
                kill,
            } => {
                let spared = self.children.spared(&own);
                let look = Look {
                    ports,
                    parts: processes,
                    kill,
                    spared,
                };
                return self.queries.look(key, look);
            }
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
