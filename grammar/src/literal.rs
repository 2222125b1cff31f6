//! Numbers and strings, as both languages write them.

use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::problems::Problems;
use crate::span::Span;

/// The value of a whole number with optional underscores, where it fits.
pub(crate) fn small_int(slice: &str) -> Option<i64> {
    large_int(slice).and_then(|value| i64::try_from(value).ok())
}

/// Like [`small_int`], for numbers up to 2⁶⁴ − 1.
pub(crate) fn large_int(slice: &str) -> Option<u64> {
    without_underscores(slice).parse().ok()
}

/// The value of a decimal fraction with optional underscores, where it is finite.
pub(crate) fn float(slice: &str) -> Option<f64> {
    without_underscores(slice).parse().ok().filter(|value: &f64| value.is_finite())
}

fn without_underscores(slice: &str) -> String {
    slice.chars().filter(|&c| c != '_').collect()
}

/// A piece of a string.
#[derive(Debug, PartialEq)]
pub(crate) enum RawPiece {
    /// Text, its escapes resolved.
    Text(String),
    /// What stands between the braces of an interpolation.
    Braces(Span),
}

/// Resolves the escapes of a string whose content is the text at `content`, and finds
/// its interpolations where the language has them.
pub(crate) fn string_pieces(
    text: &str,
    content: Span,
    interpolate: bool,
    problems: &mut Problems,
) -> Vec<RawPiece> {
    let mut reader = Reader { rest: content.text(text), offset: content.start };
    let mut pieces = Vec::new();
    let mut run = String::new();
    while let Some((c, at)) = reader.next() {
        match c {
            '\\' => match escape(&mut reader) {
                Ok(c) => run.push(c),
                Err(message) => problems.push(
                    Diagnostic::error(Code::E0112, message)
                        .label(Span::new(at, reader.offset), "not an escape")
                        .hint(
                            r#"the escapes are `\\`, `\"`, `\n`, `\t`, `\r`, `\0`, `\{`, `\}` and `\u{…}`"#,
                        ),
                ),
            },
            '{' if interpolate => {
                if !run.is_empty() {
                    pieces.push(RawPiece::Text(std::mem::take(&mut run)));
                }
                match reader.rest.find('}') {
                    Some(length) => {
                        let start = reader.offset;
                        reader.skip(length);
                        pieces.push(RawPiece::Braces(Span::new(start, reader.offset)));
                        reader.next();
                    }
                    None => {
                        problems.push(
                            Diagnostic::error(Code::E0112, "this interpolation does not end")
                                .label(Span::new(at, content.end), "no `}` before the string ends")
                                .hint(r"a brace that means itself is written `\{`"),
                        );
                        reader.skip(reader.rest.len());
                    }
                }
            }
            c => run.push(c),
        }
    }
    if !run.is_empty() {
        pieces.push(RawPiece::Text(run));
    }
    pieces
}

/// Resolves the escapes of a string that has no interpolations.
pub(crate) fn plain_string(text: &str, content: Span, problems: &mut Problems) -> String {
    let mut whole = String::new();
    for piece in string_pieces(text, content, false, problems) {
        if let RawPiece::Text(run) = piece {
            whole.push_str(&run);
        }
    }
    whole
}

struct Reader<'s> {
    rest: &'s str,
    offset: u32,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<(char, u32)> {
        let c = self.rest.chars().next()?;
        let at = self.offset;
        self.skip(c.len_utf8());
        Some((c, at))
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or("");
        self.offset = self.offset.saturating_add(bytes as u32);
    }
}

fn escape(reader: &mut Reader<'_>) -> Result<char, String> {
    match reader.next() {
        Some(('n', _)) => Ok('\n'),
        Some(('t', _)) => Ok('\t'),
        Some(('r', _)) => Ok('\r'),
        Some(('0', _)) => Ok('\0'),
        Some((c @ ('\\' | '"' | '{' | '}'), _)) => Ok(c),
        Some(('u', _)) => unicode_escape(reader),
        Some((c, _)) => Err(format!("unknown escape `\\{}`", c.escape_debug())),
        None => Err("the string ends in the middle of an escape".to_owned()),
    }
}

fn unicode_escape(reader: &mut Reader<'_>) -> Result<char, String> {
    let digits = reader
        .rest
        .strip_prefix('{')
        .and_then(|rest| rest.split_once('}'))
        .map(|(digits, _)| digits)
        .ok_or_else(|| r"`\u` needs a code in braces, as in `\u{e9}`".to_owned())?;
    let parsed = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
    let message = format!(r"`\u{{{digits}}}` is not a character");
    reader.skip(digits.len() + 2);
    parsed.ok_or(message)
}

/// Writes a string so that [`plain_string`] reads it back.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str, interpolate: bool) -> (Vec<RawPiece>, usize) {
        let mut problems = Problems::default();
        let pieces = string_pieces(content, Span::new(0, content.len() as u32), interpolate, &mut problems);
        (pieces, problems.finish().len())
    }

    #[test]
    fn escapes_and_interpolations() {
        let (pieces, problems) = read(r"a\tb{i}c\{d\}\u{e9}", true);
        assert_eq!(problems, 0);
        assert_eq!(
            pieces,
            [
                RawPiece::Text("a\tb".to_owned()),
                RawPiece::Braces(Span::new(5, 6)),
                RawPiece::Text("c{d}é".to_owned()),
            ]
        );
        assert_eq!(read("conv{i}", false).0, [RawPiece::Text("conv{i}".to_owned())]);
    }

    #[test]
    fn bad_escapes_are_reported() {
        for bad in [r"\q", r"\u", r"\u{110000}", r"\u{zz}", r"\é", "{i", "\\"] {
            assert_eq!(read(bad, true).1, 1, "{bad}");
        }
    }

    #[test]
    fn quoting_reads_back() {
        for text in ["", "a b", "\"\\\n\t\r\0\u{7f}\u{9b}", "{x} π"] {
            let quoted = quote(text);
            let content = Span::new(1, quoted.len() as u32 - 1);
            assert_eq!(plain_string(&quoted, content, &mut Problems::default()), text);
        }
    }

    #[test]
    fn numbers_keep_within_bounds() {
        assert_eq!(small_int("9_223_372_036_854_775_807"), Some(i64::MAX));
        assert_eq!(small_int("9223372036854775808"), None);
        assert_eq!(large_int("18446744073709551615"), Some(u64::MAX));
        assert_eq!(float("1e309"), None);
    }
}
