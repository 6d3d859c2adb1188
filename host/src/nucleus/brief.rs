//! Foreign text in a sentence of ours.

/// One line of at most so many bytes, cut between characters; what does not print is a blank.
pub fn one_line(text: &str, bytes_max: usize) -> String {
    let mut line = String::new();
    for character in text.trim().chars() {
        let shown = match character {
            control if control.is_control() => ' ',
            other => other,
        };
        if line.len() + shown.len_utf8() > bytes_max {
            break;
        }
        line.push(shown);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn text_of_others_stays_on_its_line() {
        assert_eq!(one_line(" a\nb\u{1b}[1m\r\n", 100), "a b [1m");
        assert_eq!(one_line("ééé", 5), "éé");
        assert_eq!(one_line("", 5), "");
    }
}
