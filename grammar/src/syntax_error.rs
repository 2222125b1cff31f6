//! The wording of what can be wrong with the syntax of a text.

use std::collections::BTreeSet;

use lalrpop_util::ParseError;

use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::lexer::Located;
use crate::span::Span;
use crate::structure::{Delimiter, MAX_NESTING, Role, Structured};

pub(crate) fn unterminated_string(span: Span) -> Diagnostic {
    Diagnostic::error(Code::E0110, "this string does not end")
        .label(span, "no closing quote on this line")
        .hint(r#"close it with `"`; a line break within a string is written `\n`"#)
}

pub(crate) fn single_quotes(span: Span) -> Diagnostic {
    Diagnostic::error(Code::E0110, "strings are written with double quotes").label(span, "single quotes")
}

pub(crate) fn malformed_number(slice: &str, span: Span) -> Diagnostic {
    let problem = Diagnostic::error(Code::E0111, format!("`{}` is not a number", shorten(slice)))
        .label(span, "malformed");
    let digits = slice.trim_end_matches(|c: char| c.is_ascii_alphanumeric() && !c.is_ascii_digit());
    if slice.starts_with('.') {
        problem.hint(format!("write `0{}`", shorten(slice)))
    } else if !digits.is_empty() && digits.len() < slice.len() && digits.bytes().all(|b| b.is_ascii_digit()) {
        problem.hint(format!("for a product write `{}*{}`", shorten(digits), shorten(&slice[digits.len()..])))
    } else {
        problem
    }
}

pub(crate) fn number_too_large(slice: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::E0104, format!("the number `{}` is too large", shorten(slice)))
        .label(span, "does not fit 64 bits")
}

pub(crate) fn foreign_comment(span: Span) -> Diagnostic {
    Diagnostic::error(Code::E0114, "comments begin with `//`").label(span, "not a comment here")
}

/// The diagnostic about a piece of text that no token fits.
pub(crate) fn not_a_token(slice: &str, span: Span) -> Diagnostic {
    // Of numbers the lexer refuses only those that do not fit.
    if slice.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit()) {
        return number_too_large(slice, span);
    }
    let problem = Diagnostic::error(Code::E0109, format!("unexpected `{}`", shorten(slice)))
        .label(span, "not part of the language");
    match slice {
        "&" => problem.hint("for the logical operator write `&&`"),
        "|" => problem.hint("for the logical operator write `||`, for a pipe `|>`"),
        "\u{201c}" | "\u{201d}" | "\u{201e}" | "\u{2018}" | "\u{2019}" | "'" => {
            problem.hint("strings stand between straight double quotes, `\"`")
        }
        "\u{d7}" | "\u{22c5}" | "\u{b7}" => problem.hint("multiplication is written `*`"),
        "\u{2212}" | "\u{2013}" | "\u{2014}" => problem.hint("the minus sign is the hyphen, `-`"),
        _ => problem,
    }
}

pub(crate) fn nested_too_deeply(span: Span) -> Diagnostic {
    Diagnostic::error(Code::E0113, "this is nested too deeply")
        .label(span, format!("more than {MAX_NESTING} brackets and operators are pending here"))
        .hint("give names to parts of it")
}

pub(crate) fn missing_semicolon(end: u32) -> Diagnostic {
    Diagnostic::error(Code::E0102, "missing `;`").label(Span::at(end), "a `;` belongs here")
}

pub(crate) fn unclosed(delimiter: Delimiter, opener: Span, noticed: Span) -> Diagnostic {
    let (open, close) = (delimiter.opener(), delimiter.closer());
    Diagnostic::error(Code::E0103, format!("unclosed `{open}`"))
        .label(opener, "opened here")
        .secondary(noticed, format!("`{close}` expected before this"))
}

/// A closing bracket that closes nothing, or another than was opened.
pub(crate) fn unmatched(delimiter: Delimiter, span: Span, open: Option<(Delimiter, Span)>) -> Diagnostic {
    let close = delimiter.closer();
    match open {
        Some((meant, opener)) => {
            Diagnostic::error(Code::E0106, format!("expected `{}`, found `{close}`", meant.closer()))
                .label(span, format!("does not close `{}`", meant.opener()))
                .secondary(opener, "opened here")
        }
        None => Diagnostic::error(Code::E0106, format!("`{close}` closes nothing"))
            .label(span, format!("no `{}` is open here", delimiter.opener()))
            .hint("remove it"),
    }
}

pub(crate) fn too_large() -> Diagnostic {
    Diagnostic::error(Code::E0117, "the text is too large")
        .note(format!("a source file has less than {} bytes", u32::MAX))
}

/// The mended tokens, by which a parser's error is put into words.
pub(crate) struct Context<'a, T> {
    pub(crate) text: &'a str,
    pub(crate) tokens: &'a [Located<T>],
    /// See [`Mended`](crate::structure::Mended).
    pub(crate) reported: &'a BTreeSet<u32>,
    /// Where the text ends that is being parsed.
    pub(crate) end: u32,
}

impl<T: Structured> Context<'_, T> {
    /// The diagnostic about a parser's error, unless it has been reported before.
    pub(crate) fn unexpected(&self, error: ParseError<u32, T, ()>) -> Option<Diagnostic> {
        let (start, end, token, expected) = match error {
            ParseError::UnrecognizedToken { token: (start, token, end), expected } => {
                (start, end, Some(token), expected)
            }
            ParseError::ExtraToken { token: (start, token, end) } => (start, end, Some(token), Vec::new()),
            ParseError::UnrecognizedEof { location, expected } => (location, location, None, expected),
            ParseError::InvalidToken { location } => (location, location, None, Vec::new()),
            ParseError::User { error: () } => return None,
        };
        let inserted = token.is_some() && start == end;
        if token.is_some_and(Structured::is_error) || (inserted && self.reported.contains(&start)) {
            return None;
        }
        // Of what was inserted nobody knows: speak of what stands there instead.
        let real = if token.is_some() && !inserted {
            token.map(|token| (start, token, end))
        } else {
            self.real_token_from(start)
        };
        let span = real.map_or(Span::at(self.end), |(start, _, end)| Span::new(start, end));
        let found = if real.is_some() {
            format!("`{}`", shorten(span.text(self.text)))
        } else if self.text.len() == self.end as usize {
            "the end of the file".to_owned()
        } else {
            "the end of the interpolation".to_owned()
        };
        Some(self.put_into_words(span, real.map(|token| token.1), &found, &expected))
    }

    fn real_token_from(&self, start: u32) -> Option<Located<T>> {
        let first = self.tokens.partition_point(|token| token.0 < start);
        self.tokens.iter().skip(first).find(|token| token.2 > token.0).copied()
    }

    /// Where the last token ends that begins before `start`.
    fn end_before(&self, start: u32) -> u32 {
        let first = self.tokens.partition_point(|token| token.0 < start);
        first.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(0, |token| token.2)
    }

    fn put_into_words(&self, span: Span, token: Option<T>, found: &str, expected: &[String]) -> Diagnostic {
        let expected = Expected::new(expected);
        if expected.only_name && token.is_some_and(Structured::is_keyword) {
            return Diagnostic::error(Code::E0105, format!("{found} is a keyword and cannot be a name"))
                .label(span, "expected a name")
                .hint(format!("another name will do, such as `{}_`", span.text(self.text)));
        }
        if expected.semicolon && token.is_some_and(|token| !matches!(token.role(), Role::Operator)) {
            let end = self.end_before(span.start);
            if Span::new(end, span.start).text(self.text).contains('\n') {
                return missing_semicolon(end);
            }
        }
        let message = match expected.list.as_slice() {
            [] => format!("unexpected {found}"),
            [one] => format!("expected {one}, found {found}"),
            [many @ .., last] => format!("expected {} or {last}, found {found}", many.join(", ")),
        };
        let problem = Diagnostic::error(Code::E0101, message).label(span, "unexpected");
        if expected.pipe && !expected.operator && token.is_some_and(|token| token.role() == Role::Operator) {
            problem.hint("`|>` binds weakest: put the whole pipe in parentheses")
        } else {
            problem
        }
    }
}

/// The terminals that a parser would have taken, in words.
struct Expected {
    list: Vec<String>,
    only_name: bool,
    semicolon: bool,
    operator: bool,
    pipe: bool,
}

impl Expected {
    /// `terminals` are as LALRPOP gives them: `"let"` with its quotes, or a bare name
    /// for a class of tokens.
    fn new(terminals: &[String]) -> Self {
        let has = |terminal: &str| terminals.iter().any(|other| other.trim_matches('"') == terminal);
        // Classes of what may begin, each recognised by what no other has.
        let class = if has("reference") && has("integer") {
            Some((
                "a value",
                ["word", "integer", "float", "string", "reference", "tensor", "-", "(", "["].as_slice(),
            ))
        } else if has("integer") && has("[") {
            let starts =
                ["name", "integer", "float", "string", "true", "false", "(", "[", "-", "!"].as_slice();
            Some(("an expression", starts))
        } else if has("integer") && has("-") {
            Some(("a dimension", ["name", "word", "integer", "(", "-"].as_slice()))
        } else {
            None
        };
        let operator = has("*");
        let mut list = Vec::new();
        for terminal in terminals {
            let terminal = terminal.trim_matches('"');
            if class.is_some_and(|(_, starts)| starts.contains(&terminal)) {
                continue;
            }
            list.push(match terminal {
                // What a name may be followed by says nothing.
                "(" if operator || has("|>") => continue,
                // Taken only to say that it should be a colon.
                "=" if has(":") => continue,
                "+" | "-" | "*" | "/" | "%" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "&&" | "||" | "|>"
                    if operator =>
                {
                    continue;
                }
                "<file>" | "<expression>" | "<value>" | "<error>" => continue,
                "name" | "word" => "a name".to_owned(),
                "integer" => "a whole number".to_owned(),
                "float" => "a number".to_owned(),
                "string" => "a string".to_owned(),
                "reference" => "a reference".to_owned(),
                "tensor" => "a type".to_owned(),
                other => format!("`{other}`"),
            });
        }
        if operator {
            list.push("an operator".to_owned());
        }
        list.extend(class.map(|(name, _)| name.to_owned()));
        Self {
            only_name: list.len() == 1 && (has("name") || has("word")),
            semicolon: has(";"),
            operator,
            pipe: has("|>"),
            list,
        }
    }
}

/// A piece of source text, fit to stand in a message.
fn shorten(slice: &str) -> String {
    const LONGEST: usize = 32;
    let mut short = String::new();
    for c in slice.chars().take(LONGEST) {
        if c.is_control() { short.extend(c.escape_debug()) } else { short.push(c) }
    }
    if slice.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}
