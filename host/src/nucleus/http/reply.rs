//! Bodies of replies, whose parts are written from where they are: logs and events from their rings.

use super::adapters::TokioSleep;
use super::Shared;
use crate::characters;
use crate::nucleus::bell::Waiter;
use crate::nucleus::events::EventReader;
use crate::nucleus::log::{LogReader, Progress};
use crate::nucleus::wall_ms;
use crate::protocol::Part;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{ready, Context, Poll};
use std::time::{Duration, Instant};

/// How much of a log is written in one piece.
const PIECE: usize = 32 << 10;
/// A step through a log that took so long is followed by as long a time without another, or many
/// slow readers together would leave none to the supervisor.
pub(super) const SLOW: Duration = Duration::from_millis(20);
const OPENAPI: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.bin"));
const OPENAPI_SIZE: usize = include!(concat!(env!("OUT_DIR"), "/openapi_size.rs"));

/// A reply's body, written as its parts can give it.
pub struct ReplyBody {
    shared: Rc<Shared>,
    pieces: VecDeque<Piece>,
    waiter: Option<Box<Waiter>>,
    rest: Option<TokioSleep>,
}

enum Piece {
    Text(Bytes),
    /// Its text is made when its turn has come: one request may ask for many.
    OpenApi,
    Logs(Box<LogReader>),
    Events(EventReader),
}

impl ReplyBody {
    /// Fails with a sentence about what is wrong with a query.
    pub fn new(shared: &Rc<Shared>, parts: Vec<Part>) -> Result<ReplyBody, String> {
        let mut pieces = VecDeque::new();
        for part in parts {
            pieces.push_back(match part {
                Part::Text { text } if text.is_empty() => continue,
                Part::Text { text } => Piece::Text(text.into()),
                Part::Bytes { bytes } => Piece::Text(characters::to_bytes_lossy(&bytes).into()),
                Part::Logs { query, format } => {
                    let logs = shared.logs.borrow();
                    Piece::Logs(Box::new(LogReader::new(&logs, query, format)?))
                }
                Part::Events { query, format } => {
                    let events = shared.events.borrow();
                    Piece::Events(EventReader::new(&events, &query, format))
                }
                // The main loop has put a text in its place; if not, there is nothing known.
                Part::Processes { .. } | Part::Usage { .. } => {
                    Piece::Text(Bytes::from_static(b"[]"))
                }
                Part::OpenApi => Piece::OpenApi,
            });
        }
        Ok(ReplyBody {
            shared: shared.clone(),
            pieces,
            waiter: None,
            rest: None,
        })
    }

    /// The next bytes of the body; `None` at its end.
    pub async fn next(&mut self) -> Option<Bytes> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            let Some(piece) = self.pieces.front_mut() else {
                return Poll::Ready(None);
            };
            if let Piece::Text(text) = piece {
                let text = std::mem::take(text);
                self.pieces.pop_front();
                return Poll::Ready(Some(text));
            }
            if let Piece::OpenApi = piece {
                self.pieces.pop_front();
                // A test unpacks what is embedded.
                let text = crate::inflate(OPENAPI, OPENAPI_SIZE).unwrap_or_default();
                return Poll::Ready(Some(text.into()));
            }
            if self.shared.is_to_rest(piece, &mut self.rest, cx) {
                return Poll::Pending;
            }
            let mut out = Vec::new();
            let progress = self.shared.step(piece, &mut out);
            if progress == Progress::Done {
                self.pieces.pop_front();
                self.waiter = None;
            }
            if !out.is_empty() {
                return Poll::Ready(Some(out.into()));
            }
            match progress {
                Progress::Done => {}
                Progress::More => {
                    // Others first.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Progress::Wait => {
                    self.wait(cx);
                    return Poll::Pending;
                }
            }
        }
    }

    fn wait(&mut self, cx: &Context<'_>) {
        let bell = match self.pieces.front() {
            Some(Piece::Events(_)) => self.shared.events.borrow().bell(),
            _ => self.shared.logs.borrow().bell(),
        };
        self.waiter
            .get_or_insert_with(|| Waiter::new(&bell))
            .wait(cx);
    }
}

impl Shared {
    /// True if the piece is to wait until others have had their time; the task is woken then.
    fn is_to_rest(
        &self,
        piece: &Piece,
        rest: &mut Option<TokioSleep>,
        cx: &mut Context<'_>,
    ) -> bool {
        let may_be_slow = matches!(piece, Piece::Logs(reader) if reader.may_be_slow());
        let quiet = self.quiet_until.get().filter(|_| may_be_slow);
        *rest = quiet
            .filter(|until| *until > Instant::now())
            .map(|until| TokioSleep(Box::pin(tokio::time::sleep_until(until.into()))));
        rest.as_mut()
            .is_some_and(|rest| rest.0.as_mut().poll(cx).is_pending())
    }

    pub(super) fn note_step(&self, began: Instant) {
        let now = Instant::now();
        let took = now - began;
        if took >= SLOW {
            self.quiet_until.set(Some(now + took));
        }
    }

    fn step(&self, piece: &mut Piece, out: &mut Vec<u8>) -> Progress {
        let now = wall_ms();
        match piece {
            Piece::Text(_) | Piece::OpenApi => Progress::Done,
            Piece::Logs(reader) => {
                let began = Instant::now();
                let progress = reader.step(&self.logs.borrow(), out, PIECE, now);
                self.note_step(began);
                if progress == Progress::Wait && self.closing.get() {
                    reader.end(out);
                    return Progress::Done;
                }
                progress
            }
            Piece::Events(reader) => {
                let progress = reader.step(&self.events.borrow(), out, PIECE, now);
                if progress == Progress::Wait && self.closing.get() {
                    reader.end(out);
                    return Progress::Done;
                }
                progress
            }
        }
    }
}

impl Drop for ReplyBody {
    fn drop(&mut self) {
        let is_log = |piece: &Piece| matches!(piece, Piece::Logs(_));
        if self.pieces.iter().any(is_log) {
            self.pieces.clear();
            // What rings held for a follower they need not hold any longer.
            if let Ok(mut logs) = self.shared.logs.try_borrow_mut() {
                logs.trim();
            }
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = ready!(self.poll_next(cx));
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let mut size = 0;
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => size += text.len() as u64,
                Piece::OpenApi => size += OPENAPI_SIZE as u64,
                _ => return SizeHint::default(),
            }
        }
        SizeHint::with_exact(size)
    }
}
