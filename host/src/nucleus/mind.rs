//! Keeps a brain: hands it batches, notices its loss, starts a fresh one from what the nucleus
//! knows.

use super::{monotonic_ms, wall_ms, BATCH_EVENTS_MAX};
use crate::{
    brain::{Answer, Brain},
    protocol::{Batch, Boot, Call, Command, Event},
    script::Program,
};
use std::{collections::VecDeque, mem};
use tokio::sync::mpsc::UnboundedSender;

/// A brain that lived this long, or digested so many batches, was well: its successor starts at
/// once. What ends each brain over again (a table, an event) ends it in its first few batches.
const WELL_AFTER_MS: f64 = 10_000.0;
const WELL_AFTER_BATCHES: u32 = 16;
const DELAY_FIRST_MS: f64 = 10.0;
const DELAY_MAX_MS: f64 = 10_000.0;
/// Of requests in one batch, unless a single one is larger.
const BATCH_BYTES_MAX: usize = 256 << 10;
/// A batch without an answer for so long: the thread hangs where no interrupt reaches it (its
/// processor time has a far smaller limit), and is left behind.
const ANSWER_MS_MAX: f64 = 60_000.0;
/// A signal that was in this many lost batches is not handed over again.
const SIGNAL_DELIVERIES_MAX: u32 = 3;
/// From so many losses in a row on, a TERM is carried out by the nucleus itself.
pub const HOPELESS_LOSSES: u32 = 5;

enum State {
    Idle(Brain),
    Busy {
        brain: Brain,
        since: f64,
    },
    /// Lost; the next one starts at this time.
    Absent {
        until: f64,
    },
}

pub struct Mind {
    program: Program,
    answers: UnboundedSender<Answer>,
    state: State,
    generation: u64,
    started: f64,
    /// Batches that this brain has digested.
    digested: u32,
    /// In a row, without a well one in between.
    pub losses: u32,
    /// The same, without those that a request may have led to.
    unprompted: u32,
    /// There is a request in the batch under way.
    prompted: bool,
    reason: Option<String>,
    pending: VecDeque<Pending>,
    /// Signals of the batch under way: the one kind of event that no table keeps.
    signals_under_way: Vec<Pending>,
}

struct Pending {
    event: Event,
    deliveries: u32,
}

/// What an answer means to the loop.
pub enum Heard {
    Commands(Vec<Command>),
    Lost(String),
    /// From a brain that was given up before.
    Stale,
}

impl Mind {
    /// No brain yet: the first starts with the first `deliver`.
    pub fn new(program: Program, answers: UnboundedSender<Answer>) -> Mind {
        Mind {
            program,
            answers,
            state: State::Absent { until: 0.0 },
            generation: 0,
            started: 0.0,
            digested: 0,
            losses: 0,
            unprompted: 0,
            prompted: false,
            reason: None,
            pending: VecDeque::new(),
            signals_under_way: Vec::new(),
        }
    }

    pub fn push(&mut self, event: Event) {
        self.pending.push_back(Pending {
            event,
            deliveries: 0,
        });
    }

    /// It works at something, or something waits for it.
    pub fn owes(&self) -> bool {
        matches!(self.state, State::Busy { .. }) || !self.pending.is_empty()
    }

    /// Before there is a brain: what happened is in the tables that it starts from.
    pub fn forget_facts(&mut self) {
        self.pending.clear();
    }

    /// Signals that no brain has digested, in order.
    pub fn signals(&self) -> Vec<(String, u32, f64)> {
        let all = self.signals_under_way.iter().chain(&self.pending);
        all.filter_map(|pending| match &pending.event {
            Event::Signal { signal, sender, at } => Some((signal.clone(), *sender, *at)),
            _ => None,
        })
        .collect()
    }

    /// When this wants to be looked at again without an event, ms.
    pub fn next_deadline(&self) -> Option<f64> {
        match self.state {
            State::Idle(_) => None,
            State::Busy { since, .. } => Some(since + ANSWER_MS_MAX),
            State::Absent { until } => Some(until),
        }
    }

    /// True while requests are answered at once by the nucleus itself.
    pub fn is_away(&self, now: f64) -> bool {
        matches!(self.state, State::Absent { until } if until > now)
    }

    /// Starts a brain if one is due, hands over a batch if it is idle and there is one.
    /// Returns the numbers of the requests that were in it, or why the brain is lost.
    pub fn deliver(
        &mut self,
        boot: impl FnOnce(Option<String>) -> Boot,
    ) -> Result<Vec<u32>, String> {
        let now = monotonic_ms();
        match &self.state {
            State::Absent { until } if *until <= now => {
                self.start(boot, now)?;
                Ok(Vec::new())
            }
            State::Busy { since, .. } if now - since >= ANSWER_MS_MAX => {
                Err("it has not answered for a minute".into())
            }
            State::Idle(_) if !self.pending.is_empty() => self.send_pending(now),
            _ => Ok(Vec::new()),
        }
    }

    fn start(&mut self, boot: impl FnOnce(Option<String>) -> Boot, now: f64) -> Result<(), String> {
        self.generation += 1;
        self.started = now;
        self.digested = 0;
        self.prompted = false;
        let brain = Brain::start(self.program, self.generation, self.answers.clone())
            .map_err(|error| format!("no thread for it: {error}"))?;
        let boot = boot(self.reason.take());
        self.send(brain, vec![Event::Boot(Box::new(boot))], now)
    }

    fn send_pending(&mut self, now: f64) -> Result<Vec<u32>, String> {
        let count = self.batch_length();
        let mut events = Vec::with_capacity(count);
        let mut requests = Vec::new();
        for pending in self.pending.drain(..count) {
            match &pending.event {
                Event::Request(request) => requests.push(request.request),
                Event::Signal { .. } => self.signals_under_way.push(Pending {
                    event: pending.event.clone(),
                    deliveries: pending.deliveries + 1,
                }),
                _ => {}
            }
            events.push(pending.event);
        }
        self.prompted = !requests.is_empty();
        let idle = State::Absent { until: f64::MAX };
        if let State::Idle(brain) = mem::replace(&mut self.state, idle) {
            self.send(brain, events, now)?;
        }
        Ok(requests)
    }

    /// How many of the pending events go together: what one batch of large requests would ask too
    /// much of the brain's memory and time would take the others down with it.
    fn batch_length(&self) -> usize {
        let mut bytes = 0;
        let fits = |pending: &&Pending| {
            bytes += request_bytes(&pending.event);
            bytes <= BATCH_BYTES_MAX
        };
        let few = self.pending.iter().take(BATCH_EVENTS_MAX);
        few.take_while(fits).count().max(1)
    }

    fn send(&mut self, brain: Brain, events: Vec<Event>, now: f64) -> Result<(), String> {
        let batch = Batch {
            now,
            wall: wall_ms(),
            events,
        };
        let text = serde_json::to_string(&batch).map_err(|error| format!("its batch: {error}"))?;
        // A thread that has ended has put its reason into the answers already.
        brain.send(text);
        self.state = State::Busy { brain, since: now };
        Ok(())
    }

    pub fn hear(&mut self, answer: Answer) -> Heard {
        if answer.generation != self.generation {
            return Heard::Stale;
        }
        match answer.outcome {
            Ok(commands) => {
                self.signals_under_way.clear();
                self.digested = self.digested.saturating_add(1);
                let absent = State::Absent { until: f64::MAX };
                if let State::Busy { brain, .. } = mem::replace(&mut self.state, absent) {
                    self.state = State::Idle(brain);
                }
                Heard::Commands(commands)
            }
            Err(reason) => Heard::Lost(reason),
        }
    }

    /// The brain is gone. What it had not digested is kept in tables, except for requests that
    /// nobody saw and signals, which are handed to its successor.
    pub fn lose(&mut self, reason: String) {
        let now = monotonic_ms();
        if now - self.started >= WELL_AFTER_MS || self.digested >= WELL_AFTER_BATCHES {
            self.losses = 0;
            self.unprompted = 0;
        }
        self.unprompted += u32::from(!self.prompted);
        let delay = match self.losses {
            0 => 0.0,
            losses => DELAY_MAX_MS.min(DELAY_FIRST_MS * f64::from(1 << (losses - 1).min(16))),
        };
        self.losses += 1;
        self.reason = Some(reason);
        // Stale answers of this generation are told apart by the next number.
        self.generation += 1;
        self.state = State::Absent { until: now + delay };
        let signals = mem::take(&mut self.signals_under_way)
            .into_iter()
            .filter(|pending| pending.deliveries < SIGNAL_DELIVERIES_MAX);
        let waiting = mem::take(&mut self.pending)
            .into_iter()
            .filter(|pending| matches!(pending.event, Event::Request(_) | Event::Signal { .. }));
        self.pending = signals.chain(waiting).collect();
    }

    /// Brain after brain is lost, and to no request: something that each of them starts from may
    /// be what ends it. The table of children is true by itself; the slate is not. True once for
    /// each row of losses.
    pub fn doubts_slate(&mut self) -> bool {
        let doubts = self.unprompted >= HOPELESS_LOSSES;
        if doubts {
            self.unprompted = 0;
        }
        doubts
    }
}

fn request_bytes(event: &Event) -> usize {
    match event {
        Event::Request(request) => match &request.call {
            Call::Http {
                path, query, body, ..
            } => path.len() + query.len() + body.len(),
            Call::JsonRpc { text } => text.len(),
            Call::Message { bytes } => bytes.len(),
        },
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Request;
    use tokio::sync::mpsc::unbounded_channel;

    fn request(bytes: usize) -> Event {
        Event::Request(Request {
            request: 1,
            uid: 0,
            pid: 0,
            call: Call::JsonRpc {
                text: "x".repeat(bytes),
            },
        })
    }

    fn mind() -> Mind {
        Mind::new(Program::default(), unbounded_channel().0)
    }

    /// A brain that digests so many batches and is then lost, to a request or by itself.
    fn lose(mind: &mut Mind, digested: u32, prompted: bool) {
        mind.started = monotonic_ms();
        mind.digested = digested;
        mind.prompted = prompted;
        mind.lose("a test".into());
    }

    #[test]
    fn a_slate_that_ends_every_brain_is_doubted() {
        let mut mind = mind();
        for _ in 1..HOPELESS_LOSSES {
            lose(&mut mind, 1, false);
            assert!(!mind.doubts_slate());
        }
        lose(&mut mind, 1, false);
        assert!(mind.doubts_slate());
        assert!(!mind.doubts_slate(), "the next ones write their own");
    }

    #[test]
    fn requests_and_brains_that_were_well_speak_for_the_slate() {
        let mut mind = mind();
        for _ in 0..4 * HOPELESS_LOSSES {
            lose(&mut mind, 1, true);
            assert!(!mind.doubts_slate());
        }
        for _ in 0..4 * HOPELESS_LOSSES {
            lose(&mut mind, WELL_AFTER_BATCHES, false);
            assert!(!mind.doubts_slate());
        }
    }

    #[test]
    fn large_requests_do_not_share_a_batch() {
        let program = Program::default();
        let mut mind = Mind::new(program, unbounded_channel().0);
        let mut lengths = |sizes: &[usize]| {
            mind.pending.clear();
            sizes.iter().for_each(|size| mind.push(request(*size)));
            let mut lengths = Vec::new();
            while !mind.pending.is_empty() {
                let length = mind.batch_length();
                mind.pending.drain(..length);
                lengths.push(length);
            }
            lengths
        };
        assert_eq!(lengths(&[1 << 20, 1 << 20, 10, 10]), [1, 1, 2]);
        assert_eq!(lengths(&[10, 10, 1 << 20]), [2, 1]);
        assert_eq!(lengths(&[0; BATCH_EVENTS_MAX + 1]), [BATCH_EVENTS_MAX, 1]);
    }
}
