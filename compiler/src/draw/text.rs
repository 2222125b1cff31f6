//! Texts in drawings: how wide they are, how they are shortened, what must be escaped.

/// Width of a text in a sans-serif font of the given size. Fonts differ: this is on the wide side.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(em).sum::<f64>() * size
}

/// Width of a character in units of the font's size.
fn em(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.32,
        'f' | 'r' | 't' | 'I' | '(' | ')' | '[' | ']' | '/' | '\\' | '-' | '"' | '·' => 0.4,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '→' | '▾' | '▴' => 0.95,
        'A'..='Z' | '+' | '=' | '<' | '>' | '~' | '×' | '#' | '&' => 0.75,
        _ if c.is_ascii() => 0.62,
        // Ideographs and the like are square.
        '\u{1100}'.. => 1.05,
        _ => 0.7,
    }
}

/// The text, or its beginning and an ellipsis where it is longer than `chars`.
pub(super) fn shorten(text: &str, chars: usize) -> String {
    let mut kept: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if kept.len() > chars {
        kept.truncate(chars.saturating_sub(1));
        kept.push('…');
    }
    kept.into_iter().collect()
}

/// The text within XML or HTML, between tags or quotes. Characters that XML does not have become U+FFFD.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(c),
            '\0'..'\u{20}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_a_text() {
        assert_eq!(
            escape("<a href=\"x\">'&\u{1}\r"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(shorten("conv\n0", 6), "conv 0");
        assert_eq!(shorten("überlang", 5), "über…");
    }
}
