//! A look back for a match that a lost brain waited for.

use super::Logs;

impl Logs {
    /// Whether the ring still holds a line of this process that the pattern matches.
    pub fn has_matched(&self, log: &str, pid: u32, pattern: &str) -> Result<bool, String> {
        let pattern = crate::pattern::compile(pattern).map_err(|error| error.to_string())?;
        let slot = self.names.get(log).map(|slot| *slot as usize);
        let log = slot.and_then(|slot| self.slots[slot].as_ref());
        let Some(ring) = log.and_then(|log| log.ring.as_ref()) else {
            return Ok(false);
        };
        let mut cursor = ring.oldest();
        while let Some(record) = ring.peek(cursor) {
            cursor = ring.after(cursor, &record);
            if record.pid == pid && record.is_match(&pattern) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
