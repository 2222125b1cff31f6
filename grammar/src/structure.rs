//! The brackets of a text: matched, and mended where the mistake is beyond doubt.
//!
//! A parser that meets a missing `)` or `;` notices it late and guesses what was
//! meant. This pass goes over the tokens first and knows more: a `let` never stands
//! inside parentheses, a brace never stands inside brackets, a model never inside
//! another. Where such a rule is broken, it reports the bracket that was left open or
//! the semicolon that is missing, and inserts it, as a token of no width; the parser
//! then meets a text that is whole again.
//!
//! It also bounds how deep a tree can become, so that everybody downstream may recurse.

use std::collections::BTreeSet;

use crate::lexer::Located;
use crate::problems::Problems;
use crate::span::Span;
use crate::syntax_error;

/// Brackets and operators that may be pending at any one place.
pub(crate) const MAX_NESTING: usize = 200;

/// The three kinds of brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delimiter {
    Paren,
    Bracket,
    Brace,
}

impl Delimiter {
    pub(crate) const fn opener(self) -> &'static str {
        match self {
            Self::Paren => "(",
            Self::Bracket => "[",
            Self::Brace => "{",
        }
    }

    pub(crate) const fn closer(self) -> &'static str {
        match self {
            Self::Paren => ")",
            Self::Bracket => "]",
            Self::Brace => "}",
        }
    }
}

/// What a token means to the structure of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Open(Delimiter),
    Close(Delimiter),
    Semicolon,
    Comma,
    /// An operator, which makes the tree one level deeper.
    Operator,
    /// A name or a literal: something that a statement can end with.
    Operand,
    /// Something that never stands inside parentheses or square brackets.
    OutsideBrackets,
    Other,
}

/// What certainly begins with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// A statement; it stands directly within braces.
    Statement,
    /// A statement if it stands directly within braces, and something else otherwise.
    Assignment,
    /// A section of the file; it stands outside all brackets.
    Item,
}

/// The tokens of a language, as this pass sees them.
pub(crate) trait Structured: Copy {
    /// Whether expressions occur outside brackets, so that operators there nest.
    const OPERATORS_OUTSIDE_BRACKETS: bool;
    /// The token `;`.
    const SEMICOLON: Self;
    /// The closing token.
    fn closer(delimiter: Delimiter) -> Self;
    /// What the token means to the structure.
    fn role(self) -> Role;
    /// What certainly begins with the token, between these two.
    fn start(self, before: Option<Self>, after: Option<Self>) -> Option<Start>;
    /// Whether the lexer has reported the token.
    fn is_error(self) -> bool;
    /// Whether the token is a reserved word.
    fn is_keyword(self) -> bool;
    /// Whether a statement that begins with the token is a mere expression.
    fn begins_lone_expression(self, after: Option<Self>) -> bool;
}

/// The mended tokens.
pub(crate) struct Mended<T> {
    /// The tokens; those that were inserted are empty.
    pub(crate) tokens: Vec<Located<T>>,
    /// Where the inserted tokens are that a diagnostic speaks of: what the parser has
    /// to say against them has been said.
    pub(crate) reported: BTreeSet<u32>,
}

/// Matches brackets, inserts what is missing, and drops what is too much.
///
/// Returns nothing where the text is nested too deeply to go on with.
pub(crate) fn mend<T: Structured>(
    tokens: &[Located<T>],
    end: u32,
    problems: &mut Problems,
) -> Option<Mended<T>> {
    let mut pass = Pass {
        out: Vec::with_capacity(tokens.len()),
        open: Vec::new(),
        operators: 0,
        lone_expression: false,
        reported: BTreeSet::new(),
        problems,
    };
    for (index, &located) in tokens.iter().enumerate() {
        pass.token(located, tokens.get(index + 1).map(|token| token.1));
        if pass.depth() > MAX_NESTING {
            pass.problems.push(syntax_error::nested_too_deeply(Span::new(located.0, located.2)));
            return None;
        }
    }
    pass.close_all(Span::at(end));
    Some(Mended { tokens: pass.out, reported: pass.reported })
}

struct OpenBracket {
    delimiter: Delimiter,
    span: Span,
    /// Operators pending outside the bracket, to be taken up again after it.
    operators_outside: usize,
}

struct Pass<'p, T> {
    out: Vec<Located<T>>,
    open: Vec<OpenBracket>,
    /// Operators since the last separator in the innermost bracket and outside it.
    operators: usize,
    /// Whether the statement at hand began as a mere expression.
    lone_expression: bool,
    reported: BTreeSet<u32>,
    problems: &'p mut Problems,
}

impl<T: Structured> Pass<'_, T> {
    fn token(&mut self, (start, token, end): Located<T>, after: Option<T>) {
        let span = Span::new(start, end);
        let before = self.last();
        match token.start(before, after) {
            Some(Start::Item) => self.close_all(span),
            Some(Start::Statement) => self.end_statement(span),
            Some(Start::Assignment) if self.within_braces() => self.end_statement(span),
            Some(Start::Assignment) | None => {}
        }
        if self.at_statement_start() {
            self.reset_operators();
            self.lone_expression = token.begins_lone_expression(after);
        }
        match token.role() {
            Role::Open(delimiter) => {
                if delimiter == Delimiter::Brace {
                    self.close_inner(span);
                }
                self.open.push(OpenBracket { delimiter, span, operators_outside: self.operators });
            }
            Role::Close(delimiter) => return self.close(delimiter, token, span, after),
            Role::Semicolon => {
                self.close_inner(span);
                self.reset_operators();
            }
            Role::OutsideBrackets => {
                self.close_inner(span);
            }
            Role::Comma => self.reset_operators(),
            Role::Operator => {
                let within = self.open.last().is_some_and(|open| open.delimiter != Delimiter::Brace);
                if within || T::OPERATORS_OUTSIDE_BRACKETS {
                    self.operators += 1;
                }
            }
            Role::Operand | Role::Other => {}
        }
        self.out.push((start, token, end));
    }

    fn depth(&self) -> usize {
        self.open.len() + self.operators
    }

    fn reset_operators(&mut self) {
        self.operators = self.open.last().map_or(0, |open| open.operators_outside);
    }

    fn last(&self) -> Option<T> {
        self.out.last().map(|token| token.1)
    }

    fn last_end(&self) -> u32 {
        self.out.last().map_or(0, |token| token.2)
    }

    fn within_braces(&self) -> bool {
        self.open.last().is_some_and(|open| open.delimiter == Delimiter::Brace)
    }

    fn at_statement_start(&self) -> bool {
        self.last().is_none_or(|token| {
            matches!(
                token.role(),
                Role::Semicolon | Role::Open(Delimiter::Brace) | Role::Close(Delimiter::Brace)
            )
        })
    }

    fn insert(&mut self, token: T) {
        let at = self.last_end();
        self.out.push((at, token, at));
    }

    fn insert_reported(&mut self, token: T) {
        self.reported.insert(self.last_end());
        self.insert(token);
    }

    fn pop(&mut self) {
        if let Some(open) = self.open.pop() {
            self.operators = open.operators_outside;
        }
    }

    /// Reports the innermost bracket as unclosed and closes it.
    fn close_unclosed(&mut self, noticed: Span) {
        if let Some(open) = self.open.last() {
            self.problems.push(syntax_error::unclosed(open.delimiter, open.span, noticed));
            let closer = T::closer(open.delimiter);
            self.insert_reported(closer);
            self.pop();
        }
    }

    /// Closes the parentheses and square brackets within the innermost braces; whether there were any.
    fn close_inner(&mut self, noticed: Span) -> bool {
        let mut any = false;
        while self.open.last().is_some_and(|open| open.delimiter != Delimiter::Brace) {
            self.close_unclosed(noticed);
            any = true;
        }
        any
    }

    /// Ends the statement within the innermost braces, because another one begins or they close.
    fn end_statement(&mut self, noticed: Span) {
        let unclosed = self.close_inner(noticed);
        if !self.within_braces() || self.at_statement_start() {
            return;
        }
        let complete = self.last().is_some_and(|token| {
            matches!(token.role(), Role::Operand | Role::Close(Delimiter::Paren | Delimiter::Bracket))
        });
        if unclosed {
            self.insert_reported(T::SEMICOLON);
        } else if complete && !self.lone_expression {
            self.problems.push(syntax_error::missing_semicolon(self.last_end()));
            self.insert_reported(T::SEMICOLON);
        } else {
            // Of an incomplete statement the parser knows best what is missing, and a
            // mere expression is reported as such.
            self.insert(T::SEMICOLON);
        }
        self.reset_operators();
    }

    fn close_all(&mut self, noticed: Span) {
        while !self.open.is_empty() {
            self.end_statement(noticed);
            self.close_unclosed(noticed);
        }
    }

    fn close(&mut self, delimiter: Delimiter, token: T, span: Span, after: Option<T>) {
        let (opener, innermost) = match self.open.last() {
            Some(open) => (open.span, Some(open.delimiter)),
            None => (span, None),
        };
        if delimiter == Delimiter::Brace {
            self.end_statement(span);
        } else if let Some(meant) = innermost.filter(|&open| open != delimiter && open != Delimiter::Brace) {
            let wrong = syntax_error::unmatched(delimiter, span, Some((meant, opener)));
            if after.is_some_and(|token| token.role() == Role::Close(meant)) {
                // `[1)]`: the right one follows.
                return self.problems.push(wrong);
            }
            let mut inner = self.open.iter().rev().take_while(|open| open.delimiter != Delimiter::Brace);
            match inner.position(|open| open.delimiter == delimiter) {
                Some(unclosed) => (0..unclosed).for_each(|_| self.close_unclosed(span)),
                None => {
                    // `(1]`: the wrong one stands for the right one.
                    self.problems.push(wrong);
                    self.pop();
                    self.out.push((span.start, T::closer(meant), span.end));
                    return;
                }
            }
        }
        if self.open.last().is_some_and(|open| open.delimiter == delimiter) {
            self.pop();
            self.out.push((span.start, token, span.end));
        } else {
            self.problems.push(syntax_error::unmatched(delimiter, span, None));
        }
    }
}
