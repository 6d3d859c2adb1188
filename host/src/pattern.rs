//! Regular expressions that people give: to look for in logs, to tell readiness by.

use regex_lite::{Error, Regex, RegexBuilder};

/// The time a match takes grows with the pattern's compiled size times the line's length, and the
/// nucleus waits for it. With so many bytes the worst pattern takes a tenth of a second for the
/// longest record (the default limit would allow minutes); the patterns people write have a tenth
/// of it.
const COMPILED_BYTES_MAX: usize = 32 << 10;

pub fn compile(pattern: &str) -> Result<Regex, Error> {
    RegexBuilder::new(pattern)
        .size_limit(COMPILED_BYTES_MAX)
        .build()
}

#[cfg(test)]
mod tests {
    use super::compile;

    #[test]
    fn what_people_write_fits() {
        for pattern in [
            r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}",
            r"(?i)(error|warn|fatal|panic|exception|failed|refused|timeout)",
            r"[\w\s]{1,200}",
            r"(a+)+$",
        ] {
            assert!(compile(pattern).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn what_would_hold_up_the_supervisor_is_refused() {
        for pattern in ["(?:a{0,50}){0,50}b", "(?:(?:a?){0,200}){0,100}$b"] {
            let error = compile(pattern).unwrap_err().to_string();
            assert!(error.contains("size limit"), "{pattern}: {error}");
        }
    }
}
