//! The tokens of `.zir` files.

use logos::Logos;

use crate::lexer::Located;
use crate::literal::{float, large_int};
use crate::problems::Problems;
use crate::span::Span;
use crate::structure::{Delimiter, Role, Start, Structured};
use crate::syntax_error;

/// A token of the IR's text. There are no reserved words.
#[derive(Logos, Clone, Copy, Debug, PartialEq)]
#[logos(skip r"[ \t\r\n\x0C\u{FEFF}]+", skip(r"//[^\n]*", allow_greedy = true))]
pub(crate) enum Token<'s> {
    /// Put before the tokens of a whole file, for the parser.
    File,
    /// Put before the tokens of a lone value, for the parser.
    Value,

    #[regex(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*", priority = 3)]
    Word(&'s str),
    /// `%name` or `@name`, sigil included; the name may be quoted.
    #[regex(r"[%@]/?[A-Za-z0-9_.\-]+(/[A-Za-z0-9_.\-]+)*")]
    #[regex(r#"[%@]"([^"\\\n]|\\[^\n])*""#)]
    Reference(&'s str),
    #[regex("[0-9][0-9_]*", |lexer| large_int(lexer.slice()), priority = 6)]
    Int(u64),
    #[regex(r"[0-9][0-9_]*\.[0-9][0-9_]*([eE][+-]?[0-9]+)?f?", |lexer| fraction(lexer.slice()), priority = 6)]
    #[regex("[0-9][0-9_]*[eE][+-]?[0-9]+f?", |lexer| fraction(lexer.slice()), priority = 6)]
    Float(f64),
    /// What stands between the quotes, escapes unresolved.
    #[regex(r#""([^"\\\n]|\\[^\n])*""#, |lexer| between_quotes(lexer.slice()))]
    Str(&'s str),
    /// `f32[`: a word with the bracket close by it; the bracket is not part of the slice.
    #[regex(r"[A-Za-z_][A-Za-z0-9_]*\[", |lexer| before_bracket(lexer.slice()))]
    TypeOpen(&'s str),

    #[token("..")]
    DotDot,
    #[token("+")]
    Plus,
    #[token("-")]
    Minus,
    #[token("*")]
    Star,
    #[token("/")]
    Slash,
    #[token("=")]
    Equals,
    #[token(",")]
    Comma,
    #[token(";")]
    Semi,
    #[token(":")]
    Colon,
    #[token("(")]
    LeftParen,
    #[token(")")]
    RightParen,
    #[token("[")]
    LeftBracket,
    #[token("]")]
    RightBracket,
    #[token("{")]
    LeftBrace,
    #[token("}")]
    RightBrace,

    // Recognised so that they can be named. Neither leaves the lexer.
    #[regex(r#""([^"\\\n]|\\[^\n])*"#, |lexer| after_quote(lexer.slice()), priority = 1)]
    UnterminatedStr(&'s str),
    #[regex(r"[0-9][0-9_]*(\.[0-9][0-9_]*)?([eE][+-]?[0-9]+)?[A-Za-z_][A-Za-z0-9_]*", priority = 4)]
    BadNumber,

    /// Something that is no token; the lexer has said so.
    Error,
}

fn between_quotes(slice: &str) -> &str {
    slice.get(1..slice.len() - 1).unwrap_or("")
}

fn after_quote(slice: &str) -> &str {
    slice.get(1..).unwrap_or("")
}

fn before_bracket(slice: &str) -> &str {
    slice.strip_suffix('[').unwrap_or(slice)
}

/// A fraction; with the suffix `f` the nearest `f32`.
fn fraction(slice: &str) -> Option<f64> {
    match slice.strip_suffix('f') {
        Some(digits) => {
            let digits: String = digits.chars().filter(|&c| c != '_').collect();
            digits.parse().ok().filter(|value: &f32| value.is_finite()).map(f64::from)
        }
        None => float(slice),
    }
}

/// The tokens of a `.zir` text. What is no token becomes [`Token::Error`] with a diagnostic.
pub(crate) fn lex<'s>(text: &'s str, problems: &mut Problems) -> Vec<Located<Token<'s>>> {
    let mut tokens = Vec::new();
    for (token, range) in Token::lexer(text).spanned() {
        // The caller has refused texts of 4 GiB and more.
        let span = Span::new(range.start as u32, range.end as u32);
        let token = match token {
            Ok(Token::UnterminatedStr(content)) => {
                problems.push(syntax_error::unterminated_string(span));
                Token::Str(content)
            }
            Ok(Token::BadNumber) => {
                problems.push(syntax_error::malformed_number(span.text(text), span));
                Token::Error
            }
            Ok(token) => token,
            Err(()) => {
                problems.push(syntax_error::not_a_token(span.text(text), span));
                Token::Error
            }
        };
        tokens.push((span.start, token, span.end));
    }
    tokens
}

impl Structured for Token<'_> {
    // A minus before a number is no level of the tree, and nothing else stands there.
    const OPERATORS_OUTSIDE_BRACKETS: bool = false;
    const SEMICOLON: Self = Self::Semi;

    fn closer(delimiter: Delimiter) -> Self {
        match delimiter {
            Delimiter::Paren => Self::RightParen,
            Delimiter::Bracket => Self::RightBracket,
            Delimiter::Brace => Self::RightBrace,
        }
    }

    fn role(self) -> Role {
        match self {
            Self::LeftParen => Role::Open(Delimiter::Paren),
            Self::LeftBracket | Self::TypeOpen(_) => Role::Open(Delimiter::Bracket),
            Self::LeftBrace => Role::Open(Delimiter::Brace),
            Self::RightParen => Role::Close(Delimiter::Paren),
            Self::RightBracket => Role::Close(Delimiter::Bracket),
            Self::RightBrace => Role::Close(Delimiter::Brace),
            Self::Semi => Role::Semicolon,
            Self::Comma => Role::Comma,
            Self::Word(_) | Self::Reference(_) | Self::Int(_) | Self::Float(_) | Self::Str(_) => {
                Role::Operand
            }
            Self::Plus | Self::Minus | Self::Star | Self::Slash => Role::Operator,
            _ => Role::Other,
        }
    }

    fn start(self, before: Option<Self>, after: Option<Self>) -> Option<Start> {
        let assigned = matches!(self, Self::Reference(_)) && after == Some(Self::Equals);
        // In `%a, %b = …` the second reference begins nothing.
        let apart = before.is_some_and(|token| {
            matches!(token.role(), Role::Operand | Role::Close(Delimiter::Paren | Delimiter::Bracket))
        });
        (assigned && apart).then_some(Start::Statement)
    }

    fn is_error(self) -> bool {
        self == Self::Error
    }

    fn is_keyword(self) -> bool {
        false
    }

    fn begins_lone_expression(self, _after: Option<Self>) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token<'_>> {
        let mut problems = Problems::default();
        let tokens = lex(text, &mut problems);
        assert_eq!(problems.finish(), []);
        tokens.into_iter().map(|token| token.1).collect()
    }

    #[test]
    fn references() {
        use Token::{Reference, Semi, Word};
        assert_eq!(
            tokens("%0 @conv0.weight %/model/0/Conv_output-0;"),
            [Reference("%0"), Reference("@conv0.weight"), Reference("%/model/0/Conv_output-0"), Semi,]
        );
        assert_eq!(tokens(r#"%"a b" @"\"""#), [Reference(r#"%"a b""#), Reference(r#"@"\"""#)]);
        assert_eq!(tokens("%a// not a name\nx"), [Reference("%a"), Word("x")]);
    }

    #[test]
    fn words_types_and_numbers() {
        use Token::{DotDot, Float, Int, LeftBracket, Minus, RightBracket, TypeOpen, Word};
        assert_eq!(
            tokens("E1.x conv2d.dw f32[1] f32 [1]"),
            [
                Word("E1.x"),
                Word("conv2d.dw"),
                TypeOpen("f32"),
                Int(1),
                RightBracket,
                Word("f32"),
                LeftBracket,
                Int(1),
                RightBracket,
            ]
        );
        assert_eq!(tokens("-1..5 18446744073709551615"), [Minus, Int(1), DotDot, Int(5), Int(u64::MAX)]);
        assert_eq!(
            tokens("0.1 0.1f 1e-3 1e3f"),
            [Float(0.1), Float(f64::from(0.1f32)), Float(1e-3), Float(1e3)]
        );
    }

    #[test]
    fn what_is_no_token_is_named() {
        let mut problems = Problems::default();
        lex("3f 1e40f 1e999 18446744073709551616 \"open\n # & .", &mut problems);
        let codes: Vec<_> = problems.finish().iter().map(|problem| problem.code.id()).collect();
        assert_eq!(codes, ["E0111", "E0104", "E0104", "E0104", "E0110", "E0109", "E0109", "E0109"]);
    }
}
