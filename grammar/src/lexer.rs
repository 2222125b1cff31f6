//! The tokens of model files.

use logos::Logos;

use crate::literal::{float, small_int};
use crate::problems::Problems;
use crate::span::Span;
use crate::structure::{Delimiter, Role, Start, Structured};
use crate::syntax_error;

/// A token with the offsets between which it stands, in the form that LALRPOP takes.
pub(crate) type Located<T> = (u32, T, u32);

/// A token of the model language.
///
/// `model`, `block`, `train`, `weights`, `loss`, `optimizer`, `schedule`, `accumulate` and
/// `clip` are keywords only where one of their sections or statements begins;
/// [`mark_keywords`] finds those places, and everywhere else they are ordinary names.
#[derive(Logos, Clone, Copy, Debug, PartialEq)]
#[logos(skip r"[ \t\r\n\x0C\u{FEFF}]+", skip(r"//[^\n]*", allow_greedy = true))]
pub(crate) enum Token<'s> {
    /// Put before the tokens of a whole file, for the parser.
    File,
    /// Put before the tokens of a lone expression, for the parser.
    Expression,

    Model,
    Block,
    Train,
    Weights,
    Loss,
    Optimizer,
    Schedule,
    Accumulate,
    Clip,
    #[token("let")]
    Let,
    #[token("for")]
    For,
    #[token("in")]
    In,
    #[token("if")]
    If,
    #[token("else")]
    Else,
    #[token("return")]
    Return,
    #[token("true")]
    True,
    #[token("false")]
    False,

    #[regex("[A-Za-z_][A-Za-z0-9_]*", priority = 3)]
    Ident(&'s str),
    #[regex("[0-9][0-9_]*", |lexer| small_int(lexer.slice()), priority = 6)]
    Int(i64),
    #[regex(r"[0-9][0-9_]*\.[0-9][0-9_]*([eE][+-]?[0-9]+)?", |lexer| float(lexer.slice()), priority = 6)]
    #[regex("[0-9][0-9_]*[eE][+-]?[0-9]+", |lexer| float(lexer.slice()), priority = 6)]
    Float(f64),
    /// What stands between the quotes, escapes and interpolations unresolved.
    #[regex(r#""([^"\\\n]|\\[^\n])*""#, |lexer| between_quotes(lexer.slice()))]
    Str(&'s str),

    #[token("|>")]
    Pipe,
    #[token("->")]
    Arrow,
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
    #[token("%")]
    Percent,
    #[token("==")]
    EqEq,
    #[token("!=")]
    NotEq,
    #[token("<=")]
    LessEq,
    #[token(">=")]
    GreaterEq,
    #[token("<")]
    Less,
    #[token(">")]
    Greater,
    #[token("&&")]
    AndAnd,
    #[token("||")]
    OrOr,
    #[token("!")]
    Bang,
    #[token("=")]
    Equals,
    #[token(",")]
    Comma,
    #[token(";")]
    Semi,
    #[token(":")]
    Colon,
    #[token(".")]
    Dot,
    #[token("@")]
    At,
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

    // What people write by habit, recognised so that it can be named. None of the
    // following leaves the lexer.
    #[regex(r#""([^"\\\n]|\\[^\n])*"#, |lexer| after_quote(lexer.slice()), priority = 1)]
    UnterminatedStr(&'s str),
    #[regex(r"'[^'\n]*'", |lexer| between_quotes(lexer.slice()))]
    SingleQuoted(&'s str),
    #[regex(r"[0-9][0-9_]*(\.[0-9][0-9_]*)?([eE][+-]?[0-9]+)?[A-Za-z_][A-Za-z0-9_]*", priority = 4)]
    BadNumber,
    #[regex(r"\.[0-9][0-9_]*([eE][+-]?[0-9]+)?", |lexer| bare_fraction(lexer.slice()))]
    BareFraction(f64),
    #[regex(r"#[^\n]*", allow_greedy = true)]
    HashComment,
    #[token("/*", skip_block_comment)]
    BlockComment,

    /// Something that is no token; the lexer has said so.
    Error,
}

fn between_quotes(slice: &str) -> &str {
    slice.get(1..slice.len() - 1).unwrap_or("")
}

fn after_quote(slice: &str) -> &str {
    slice.get(1..).unwrap_or("")
}

fn bare_fraction(slice: &str) -> Option<f64> {
    float(&format!("0{slice}"))
}

fn skip_block_comment<'s>(lexer: &mut logos::Lexer<'s, Token<'s>>) {
    let rest = lexer.remainder();
    lexer.bump(rest.find("*/").map_or(rest.len(), |end| end + 2));
}

/// The tokens of a part of a model file.
///
/// What is no token becomes [`Token::Error`] with a diagnostic; where the meaning is
/// clear all the same, it becomes what was meant.
pub(crate) fn lex<'s>(text: &'s str, part: Span, problems: &mut Problems) -> Vec<Located<Token<'s>>> {
    let mut tokens = Vec::new();
    for (token, range) in Token::lexer(part.text(text)).spanned() {
        // The caller has refused texts of 4 GiB and more.
        let span = Span::new(part.start + range.start as u32, part.start + range.end as u32);
        let slice = span.text(text);
        let token = match token {
            Ok(Token::UnterminatedStr(content)) => {
                problems.push(syntax_error::unterminated_string(span));
                Token::Str(content)
            }
            Ok(Token::SingleQuoted(content)) => {
                problems.push(syntax_error::single_quotes(span));
                Token::Str(content)
            }
            Ok(Token::BareFraction(value)) => {
                problems.push(syntax_error::malformed_number(slice, span));
                Token::Float(value)
            }
            Ok(Token::BadNumber) => {
                problems.push(syntax_error::malformed_number(slice, span));
                Token::Error
            }
            Ok(Token::HashComment | Token::BlockComment) => {
                problems.push(syntax_error::foreign_comment(span));
                continue;
            }
            Ok(token) => token,
            Err(()) => {
                problems.push(syntax_error::not_a_token(slice, span));
                Token::Error
            }
        };
        tokens.push((span.start, token, span.end));
    }
    tokens
}

/// Turns the names that begin a section or a statement of a file into keywords.
pub(crate) fn mark_keywords(tokens: &mut [Located<Token<'_>>]) {
    for index in 0..tokens.len() {
        let Token::Ident(name) = tokens[index].1 else { continue };
        let before = index.checked_sub(1).and_then(|before| tokens.get(before)).map(|token| token.1);
        let after = |distance: usize| tokens.get(index + distance).map(|token| token.1);
        let named = matches!(after(1), Some(Token::Ident(_))) && after(2) == Some(Token::LeftParen);
        let assigned = after(1) == Some(Token::Equals);
        let begins_item = matches!(before, None | Some(Token::RightBrace)) && !assigned;
        let begins_statement = begins_item
            || (matches!(before, Some(Token::Semi | Token::LeftBrace)) && !assigned)
            || matches!(after(1), Some(Token::Ident(_) | Token::Str(_)));
        // A value follows, with which no expression goes on.
        let governs =
            matches!(after(1), Some(Token::Ident(_) | Token::Int(_) | Token::Float(_) | Token::Str(_)))
                || (begins_statement && after(1) == Some(Token::Minus));
        tokens[index].1 = match name {
            "model" if begins_item || named => Token::Model,
            "block" if begins_item || named => Token::Block,
            "train" if begins_item => Token::Train,
            "weights" if begins_statement => Token::Weights,
            "loss" if begins_statement => Token::Loss,
            "optimizer" if begins_statement => Token::Optimizer,
            "schedule" if governs => Token::Schedule,
            "accumulate" if governs => Token::Accumulate,
            "clip" if governs => Token::Clip,
            _ => continue,
        };
    }
}

impl Structured for Token<'_> {
    const OPERATORS_OUTSIDE_BRACKETS: bool = true;
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
            Self::LeftBracket => Role::Open(Delimiter::Bracket),
            Self::LeftBrace => Role::Open(Delimiter::Brace),
            Self::RightParen => Role::Close(Delimiter::Paren),
            Self::RightBracket => Role::Close(Delimiter::Bracket),
            Self::RightBrace => Role::Close(Delimiter::Brace),
            Self::Semi => Role::Semicolon,
            Self::Comma => Role::Comma,
            Self::Arrow => Role::OutsideBrackets,
            Self::Ident(_) | Self::Int(_) | Self::Float(_) | Self::Str(_) | Self::True | Self::False => {
                Role::Operand
            }
            Self::Pipe
            | Self::Plus
            | Self::Minus
            | Self::Star
            | Self::Slash
            | Self::Percent
            | Self::EqEq
            | Self::NotEq
            | Self::LessEq
            | Self::GreaterEq
            | Self::Less
            | Self::Greater
            | Self::AndAnd
            | Self::OrOr
            | Self::Bang => Role::Operator,
            _ => Role::Other,
        }
    }

    fn start(self, before: Option<Self>, after: Option<Self>) -> Option<Start> {
        match self {
            Self::Model | Self::Block | Self::Train => Some(Start::Item),
            Self::Let
            | Self::For
            | Self::Return
            | Self::Weights
            | Self::Loss
            | Self::Optimizer
            | Self::Schedule
            | Self::Accumulate
            | Self::Clip => Some(Start::Statement),
            Self::If if before != Some(Self::Else) => Some(Start::Statement),
            // `x = …`, where the text before cannot go on with a name.
            Self::Ident(_)
                if after == Some(Self::Equals)
                    && before.is_some_and(|token| {
                        matches!(
                            token.role(),
                            Role::Operand | Role::Close(Delimiter::Paren | Delimiter::Bracket)
                        )
                    }) =>
            {
                Some(Start::Assignment)
            }
            _ => None,
        }
    }

    fn is_error(self) -> bool {
        self == Self::Error
    }

    fn is_keyword(self) -> bool {
        matches!(
            self,
            Self::Let
                | Self::For
                | Self::In
                | Self::If
                | Self::Else
                | Self::Return
                | Self::True
                | Self::False
        )
    }

    fn begins_lone_expression(self, after: Option<Self>) -> bool {
        match self {
            Self::Ident(_) => after != Some(Self::Equals),
            Self::Int(_) | Self::Float(_) | Self::Str(_) | Self::True | Self::False => true,
            Self::LeftParen | Self::LeftBracket | Self::Minus | Self::Bang => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token<'_>> {
        let mut problems = Problems::default();
        let mut tokens = lex(text, Span::new(0, text.len() as u32), &mut problems);
        mark_keywords(&mut tokens);
        assert_eq!(problems.finish(), []);
        tokens.into_iter().map(|token| token.1).collect()
    }

    fn codes(text: &str) -> Vec<&'static str> {
        let mut problems = Problems::default();
        lex(text, Span::new(0, text.len() as u32), &mut problems);
        problems.finish().iter().map(|problem| problem.code.id()).collect()
    }

    #[test]
    fn numbers_and_ranges() {
        use Token::{DotDot, Float, Int, Minus, Star};
        assert_eq!(tokens("1..17 0 1_000"), [Int(1), DotDot, Int(17), Int(0), Int(1000)]);
        assert_eq!(tokens("0.5 1e-3 2E5 1_0.2_5"), [Float(0.5), Float(1e-3), Float(2e5), Float(10.25)]);
        assert_eq!(tokens("4*-2"), [Int(4), Star, Minus, Int(2)]);
    }

    #[test]
    fn strings_keep_their_escapes() {
        assert_eq!(
            tokens(r#""conv{i}" "a\"b" """#),
            [Token::Str("conv{i}"), Token::Str(r#"a\"b"#), Token::Str("")]
        );
    }

    #[test]
    fn some_keywords_are_names_elsewhere() {
        use Token::{Comma, Ident, LeftBrace, LeftParen, RightBrace, RightParen};
        let found = tokens(r#"block f(model, loss) { weights "w"; } train() {} "#);
        assert_eq!(
            found[..7],
            [Token::Block, Ident("f"), LeftParen, Ident("model"), Comma, Ident("loss"), RightParen]
        );
        assert_eq!(found[7..9], [LeftBrace, Token::Weights]);
        assert_eq!(found[11..13], [RightBrace, Token::Train]);
        assert_eq!(tokens("{ loss = x; }")[1], Ident("loss"));
        assert_eq!(tokens("{ loss l1(a); }")[1], Token::Loss);
        let settings = tokens("{ schedule constant(); accumulate 4; clip 0.5; }");
        assert_eq!(
            [settings[1], settings[6], settings[9]],
            [Token::Schedule, Token::Accumulate, Token::Clip]
        );
        assert_eq!(tokens("{ clip(x); clip = 1; y |> clip; f(schedule, accumulate) }")[1], Ident("clip"));
        assert!(!tokens("clip(x) clip = y |> clip; f(clip, clip: 3)").contains(&Token::Clip));
    }

    #[test]
    fn what_is_no_token_is_named() {
        assert_eq!(codes("let x = 'relu';"), ["E0110"]);
        assert_eq!(codes("let x = \"relu;\nlet y = 3;"), ["E0110"]);
        assert_eq!(codes("4H .5 3x3"), ["E0111", "E0111", "E0111"]);
        assert_eq!(codes("99999999999999999999 1e999"), ["E0104", "E0104"]);
        assert_eq!(codes("# comment\n/* and\n another */ x /* open"), ["E0114", "E0114", "E0114"]);
        assert_eq!(codes("a § b & c ^ \u{1F600}"), ["E0109", "E0109", "E0109", "E0109"]);
    }
}
