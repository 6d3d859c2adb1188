//! The brain: the supervisor's TypeScript on a thread of its own. It gets a batch of events as
//! text and answers with commands as text. Whatever ends it is reported as data too; the nucleus
//! then starts a fresh one.

use crate::{
    protocol::{Batch, Command},
    script::{well_formed, Engine, Limits, Program},
};
use std::{io, sync::mpsc, thread, time::Duration};
use tokio::sync::mpsc::UnboundedSender;

const LIMITS: Limits = Limits {
    memory_bytes: 128 << 20,
    stack_bytes: 512 << 10,
    call_budget: Some(Duration::from_secs(1)),
};
/// The thread's stack: the script's own limit and room for the engine's native frames.
const THREAD_STACK_BYTES: usize = LIMITS.stack_bytes + (512 << 10);

/// What comes back for one batch.
pub struct Answer {
    /// Which brain it is from; a brain that was given up may still speak.
    pub generation: u64,
    /// The commands, or why the brain is lost. A lost brain's thread has ended.
    pub outcome: Result<Vec<Command>, String>,
    /// How long it was as text.
    pub bytes: usize,
}

/// The nucleus's end of a running brain.
pub struct Brain {
    batches: mpsc::Sender<String>,
}

impl Brain {
    pub fn start(
        program: Program,
        generation: u64,
        answers: UnboundedSender<Answer>,
    ) -> io::Result<Brain> {
        let (batches, inbox) = mpsc::channel::<String>();
        thread::Builder::new()
            .name("brain".into())
            .stack_size(THREAD_STACK_BYTES)
            .spawn(move || think(program, generation, &inbox, &answers))?;
        Ok(Brain { batches })
    }

    /// Hands over a batch. False: the thread is gone (its last answer says why).
    pub fn send(&self, batch: String) -> bool {
        self.batches.send(batch).is_ok()
    }
}

/// Whether a brain of this program can start so: it is given the batch, and its answer is thrown
/// away.
pub fn try_out(program: Program, batch: &Batch) -> Result<(), String> {
    let text = serde_json::to_string(batch).map_err(|error| error.to_string())?;
    let answer: String = Engine::start(program, &LIMITS, |_| Ok(()))?.call("batch", &text)?;
    let commands: Result<Vec<Command>, _> = serde_json::from_str(&well_formed(&answer));
    commands.map(drop).map_err(|error| error.to_string())
}

fn think(
    program: Program,
    generation: u64,
    inbox: &mpsc::Receiver<String>,
    answers: &UnboundedSender<Answer>,
) {
    let engine = match Engine::start(program, &LIMITS, |_| Ok(())) {
        Ok(engine) => engine,
        Err(error) => {
            let _ = answers.send(Answer {
                generation,
                outcome: Err(error),
                bytes: 0,
            });
            return;
        }
    };
    // Ends when the nucleus drops its end.
    while let Ok(batch) = inbox.recv() {
        let mut bytes = 0;
        let outcome = engine.call("batch", &batch).and_then(|text: String| {
            bytes = text.len();
            serde_json::from_str(&well_formed(&text))
                .map_err(|error| format!("its answer is no command: {error}"))
        });
        let lost = outcome.is_err();
        let answer = Answer {
            generation,
            outcome,
            bytes,
        };
        if answers.send(answer).is_err() || lost {
            return;
        }
    }
}
