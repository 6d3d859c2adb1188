//! The ring of published events, and those who follow it.

use super::bell::Bell;
use super::log::{json_string, time_text, Progress};
use crate::protocol::{EventQuery, StreamFormat};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::rc::Rc;

const KEPT: usize = 1000;
/// A stop receipt of a thousand processes is an event too.
const KEPT_BYTES: usize = 4 << 20;

/// The ring on its way to a successor.
#[derive(Serialize, Deserialize)]
pub struct SavedEvents {
    ring: Vec<(u32, String)>,
    gone: u64,
    next_seq: u32,
}

#[derive(Default)]
pub struct Events {
    ring: VecDeque<(u32, Box<str>)>,
    bytes: usize,
    /// How many have gone.
    gone: u64,
    next_seq: u32,
    bell: Rc<Bell>,
}

impl Events {
    pub fn new() -> Events {
        Events {
            next_seq: 1,
            ..Events::default()
        }
    }

    pub fn save(&self) -> SavedEvents {
        let ring = self.ring.iter();
        SavedEvents {
            ring: ring.map(|(seq, text)| (*seq, text.to_string())).collect(),
            gone: self.gone,
            next_seq: self.next_seq,
        }
    }

    /// Into a ring that is empty.
    pub fn restore(&mut self, saved: SavedEvents) {
        self.gone = saved.gone;
        for (seq, text) in saved.ring {
            self.publish(seq, text);
        }
        self.next_seq = self.next_seq.max(saved.next_seq);
    }

    /// Rings when events have come.
    pub fn bell(&self) -> Rc<Bell> {
        self.bell.clone()
    }

    pub fn publish(&mut self, seq: u32, text: String) {
        self.next_seq = self.next_seq.max(seq.saturating_add(1));
        self.bytes += text.len();
        self.ring.push_back((seq, text.into_boxed_str()));
        while self.ring.len() > KEPT || (self.bytes > KEPT_BYTES && self.ring.len() > 1) {
            if let Some((_, old)) = self.ring.pop_front() {
                self.bytes -= old.len();
                self.gone += 1;
            }
        }
        self.bell.ring();
    }

    fn get(&self, index: u64) -> Option<&(u32, Box<str>)> {
        let at = index.checked_sub(self.gone)?;
        self.ring.get(usize::try_from(at).ok()?)
    }

    fn end(&self) -> u64 {
        self.gone + self.ring.len() as u64
    }
}

/// A place in the ring; it holds no events.
pub struct EventReader {
    format: StreamFormat,
    follow: bool,
    next: u64,
    end: u64,
    begun: bool,
    wrote: bool,
    ended: bool,
}

impl EventReader {
    pub fn new(events: &Events, query: &EventQuery, format: StreamFormat) -> EventReader {
        let after = query.after_seq.unwrap_or(0);
        let behind = events.ring.partition_point(|(seq, _)| *seq <= after);
        let mut next = events.gone + behind as u64;
        // Who goes on from a number is told what is missing behind it.
        let oldest = events.ring.front().map_or(events.next_seq, |(seq, _)| *seq);
        if query.after_seq.is_some() {
            let missing = oldest.saturating_sub(after.saturating_add(1));
            next = next.saturating_sub(u64::from(missing));
        }
        if let Some(lines) = query.lines {
            next = next.max(events.end().saturating_sub(u64::from(lines)));
        }
        EventReader {
            format,
            follow: query.follow,
            next,
            end: events.end(),
            begun: false,
            wrote: false,
            ended: false,
        }
    }

    /// Appends what is next to `out`, stopping soon after it has `most` bytes.
    pub fn step(&mut self, events: &Events, out: &mut Vec<u8>, most: usize, now: f64) -> Progress {
        if self.ended {
            return Progress::Done;
        }
        self.begin(out);
        if self.next < events.gone {
            let lost = lost_event(events.gone - self.next, now);
            self.next = events.gone;
            self.write_one(out, &lost);
        }
        while self.follow || self.next < self.end {
            let Some((_, text)) = events.get(self.next) else {
                break;
            };
            self.next += 1;
            self.write_one(out, text);
            if out.len() >= most {
                return Progress::More;
            }
        }
        if self.follow {
            return Progress::Wait;
        }
        self.end(out);
        Progress::Done
    }

    /// Ends the answer where it is.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        if !self.ended && self.format.is_array() {
            out.push(b']');
        }
        self.ended = true;
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !self.begun && self.format.is_array() {
            out.push(b'[');
        }
        self.begun = true;
    }

    fn write_one(&mut self, out: &mut Vec<u8>, text: &str) {
        match self.format {
            StreamFormat::Sse => {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(text.as_bytes());
                out.extend_from_slice(b"\n\n");
            }
            StreamFormat::Array | StreamFormat::Entries | StreamFormat::Lines => {
                if std::mem::replace(&mut self.wrote, true) {
                    out.push(b',');
                }
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

/// In the form of an event, so that readers need to know only one form.
fn lost_event(count: u64, now: f64) -> String {
    let mut cause = Vec::new();
    let s = if count == 1 { "" } else { "s" };
    json_string(
        &mut cause,
        format!("{count} event{s} no longer kept").as_bytes(),
    );
    format!(
        r#"{{"seq":null,"time":"{}","service":null,"event":"lost","from":null,"to":null,"cause":{}}}"#,
        time_text(now),
        String::from_utf8_lossy(&cause)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(count: u32) -> Events {
        let mut events = Events::new();
        for seq in 1..=count {
            events.publish(seq, format!("{{\"seq\":{seq}}}"));
        }
        events
    }

    fn all(events: &Events, query: &EventQuery) -> Vec<Option<u64>> {
        let mut reader = EventReader::new(events, query, StreamFormat::Array);
        let mut out = Vec::new();
        while reader.step(events, &mut out, 100, 0.0) != Progress::Done {}
        let list: Vec<serde_json::Value> = serde_json::from_slice(&out).unwrap();
        list.iter().map(|event| event["seq"].as_u64()).collect()
    }

    #[test]
    fn keeps_the_last_thousand() {
        let events = filled(1500);
        let found = all(&events, &EventQuery::default());
        assert_eq!((found.len(), found[0]), (1000, Some(501)));
        let last = EventQuery {
            lines: Some(2),
            ..EventQuery::default()
        };
        assert_eq!(all(&events, &last), [Some(1499), Some(1500)]);
        assert_eq!(all(&Events::new(), &EventQuery::default()), []);
    }

    #[test]
    fn who_goes_on_from_a_number_is_told_of_a_gap() {
        let events = filled(1500);
        let after = |seq| EventQuery {
            after_seq: Some(seq),
            ..EventQuery::default()
        };
        assert_eq!(all(&events, &after(1499)), [Some(1500)]);
        assert_eq!(all(&events, &after(500))[0], Some(501));
        let found = all(&events, &after(400));
        assert_eq!((found.len(), found[0], found[1]), (1001, None, Some(501)));
        assert_eq!(all(&events, &after(u32::MAX)), []);
    }

    #[test]
    fn a_follower_that_was_overrun_gets_one_loss() {
        let mut events = filled(3);
        let follow = EventQuery {
            follow: true,
            ..EventQuery::default()
        };
        let mut reader = EventReader::new(&events, &follow, StreamFormat::Sse);
        let mut out = Vec::new();
        assert_eq!(reader.step(&events, &mut out, 1 << 20, 0.0), Progress::Wait);
        assert_eq!(
            out,
            b"data: {\"seq\":1}\n\ndata: {\"seq\":2}\n\ndata: {\"seq\":3}\n\n"
        );
        for seq in 4..=1203 {
            events.publish(seq, format!("{{\"seq\":{seq}}}"));
        }
        out.clear();
        assert_eq!(reader.step(&events, &mut out, 1 << 20, 0.0), Progress::Wait);
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("\"cause\":\"200 events no longer kept\""),
            "{text}"
        );
        assert!(text.contains("{\"seq\":204}") && !text.contains("{\"seq\":203}"));
        assert_eq!(text.matches("data: ").count(), 1001);
    }

    #[test]
    fn large_events_are_bounded_in_bytes() {
        let mut events = Events::new();
        for seq in 1..=100 {
            events.publish(seq, "x".repeat(1 << 20));
        }
        assert!(events.bytes <= KEPT_BYTES);
        assert_eq!(events.ring.len(), 4);
    }
}
