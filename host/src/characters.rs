//! Bytes where only text can pass: a character from U+0000 to U+00FF for each byte.

pub fn of_bytes(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// `None`: there is a character that stands for no byte.
pub fn to_bytes(text: &str) -> Option<Vec<u8>> {
    text.chars()
        .map(|character| u8::try_from(character).ok())
        .collect()
}

/// Characters that stand for no byte are left out.
pub fn to_bytes_lossy(text: &str) -> Vec<u8> {
    text.chars()
        .filter_map(|character| u8::try_from(character).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(to_bytes(&of_bytes(&all)), Some(all));
        assert_eq!(to_bytes("a\u{100}"), None);
        assert_eq!(to_bytes_lossy("a\u{100}\u{ff}"), b"a\xff");
    }
}
