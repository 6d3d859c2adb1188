//! The brain's timers: a key and a time each, at most one per key.

use std::collections::{BTreeSet, HashMap};

#[derive(Default)]
pub struct Timers {
    by_key: HashMap<String, u64>,
    by_time: BTreeSet<(u64, String)>,
}

/// Whole microseconds, so that times can be ordered and compared exactly.
fn micros(ms: f64) -> u64 {
    (ms.max(0.0) * 1000.0) as u64
}

impl Timers {
    pub fn arm(&mut self, key: String, at: f64) {
        self.cancel(&key);
        let at = micros(at);
        self.by_time.insert((at, key.clone()));
        self.by_key.insert(key, at);
    }

    pub fn cancel(&mut self, key: &str) {
        if let Some(at) = self.by_key.remove(key) {
            self.by_time.remove(&(at, key.to_owned()));
        }
    }

    pub fn clear(&mut self) {
        *self = Timers::default();
    }

    /// When the next one is due, ms.
    pub fn next(&self) -> Option<f64> {
        let (at, _) = self.by_time.first()?;
        Some(*at as f64 / 1000.0)
    }

    /// Takes out a timer that is due.
    pub fn pop_due(&mut self, now: f64) -> Option<String> {
        if self.by_time.first()?.0 > micros(now) {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_time_and_due_ones_come_in_order() {
        let mut timers = Timers::default();
        timers.arm("b".into(), 20.0);
        timers.arm("a".into(), 10.5);
        timers.arm("c".into(), 5.0);
        timers.arm("c".into(), 30.0);
        assert_eq!(timers.next(), Some(10.5));
        assert_eq!(timers.pop_due(10.4), None);
        assert_eq!(timers.pop_due(25.0), Some("a".into()));
        timers.cancel("b");
        assert_eq!(timers.pop_due(25.0), None);
        assert_eq!(timers.pop_due(30.0), Some("c".into()));
        assert_eq!(timers.next(), None);
    }
}
