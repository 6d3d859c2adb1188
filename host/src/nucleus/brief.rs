//! Foreign text in a sentence of ours.

/// One line of at most so many bytes, cut between characters; what does not print, or turns the
/// direction of what follows, is a blank.
pub fn one_line(text: &str, bytes_max: usize) -> String {
    let mut line = String::new();
    let is_blank = |character: char| character.is_control() || character.is_whitespace();
    for character in text.trim_start_matches(is_blank).chars() {
        let shown = match character {
            turning if is_turning(turning) => ' ',
            control if control.is_control() => ' ',
            other => other,
        };
        if line.len() + shown.len_utf8() > bytes_max {
            break;
        }
        line.push(shown);
    }
    line.truncate(line.trim_end().len());
    line
}

/// Line separators, and the marks that let a text look like another one.
fn is_turning(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn text_of_others_stays_on_its_line() {
        assert_eq!(one_line(" \n\u{7} a\nb\u{1b}[1m\r\n\u{7}", 100), "a b [1m");
        assert_eq!(
            one_line("a\u{202e}b\u{2028}c\u{2067}\u{9b}d", 100),
            "a b c  d"
        );
        assert_eq!(one_line("ééé", 5), "éé");
        assert_eq!(one_line("", 5), "");
    }
}
