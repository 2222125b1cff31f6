//! From a `.zir` text to its tree.

use indexmap::IndexMap;
use indexmap::map::Entry as Slot;
use lalrpop_util::{ErrorRecovery, lalrpop_mod};

use super::lexer::{Token, lex};
use super::{Statement, Value, ValueKind};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::dim::{DimExpr, DimKind};
use crate::literal::plain_string;
use crate::model;
use crate::problems::Problems;
use crate::span::{Span, Spanned};
use crate::structure::mend;
use crate::syntax_error::{self, Context};

lalrpop_mod!(
    #[allow(
        clippy::all,
        clippy::unwrap_used,
        missing_docs,
        unreachable_pub,
        unused_qualifications,
        unused_imports,
        dead_code,
        reason = "generated code"
    )]
    grammar,
    "/ir.rs"
);

/// Parses a `.zir` text.
///
/// All errors are reported in one run, in the order of the text. The tree then lacks
/// what could not be understood; there is none where the text is too large or nested
/// too deeply.
#[must_use]
pub fn parse(text: &str) -> (Option<Vec<Statement>>, Vec<Diagnostic>) {
    let mut problems = Problems::default();
    let root = run(text, Token::File, &mut problems);
    let statements = root.map(|root| if let Root::File(statements) = root { statements } else { Vec::new() });
    (statements, problems.finish())
}

/// Parses a single value, such as `f32[1, 3, H, W]` or `[1, 2]`.
///
/// # Errors
///
/// The diagnostics, where the text is anything else than one well-formed value.
pub fn parse_value(text: &str) -> Result<Value, Vec<Diagnostic>> {
    let mut problems = Problems::default();
    let root = run(text, Token::Value, &mut problems);
    let problems = problems.finish();
    match root {
        Some(Root::Value(value)) if problems.is_empty() => Ok(value),
        _ => Err(problems),
    }
}

/// What the grammar's one entrance gives.
pub(crate) enum Root {
    File(Vec<Statement>),
    Value(Value),
}

fn run(text: &str, entrance: Token<'_>, problems: &mut Problems) -> Option<Root> {
    let Ok(end) = u32::try_from(text.len()) else {
        problems.push(syntax_error::too_large());
        return None;
    };
    let tokens = lex(text, problems);
    let mended = mend(&tokens, end, problems)?;
    let context = Context { text, tokens: &mended.tokens, reported: &mended.reported, end };
    let mut builder = Builder { context, problems };
    let stream = std::iter::once((0, entrance, 0)).chain(mended.tokens.iter().copied()).map(Ok);
    match grammar::RootParser::new().parse(&mut builder, stream) {
        Ok(root) => Some(root),
        Err(error) => {
            let problem = builder.context.unexpected(error);
            builder.problems.extend(problem);
            None
        }
    }
}

/// `key: value` in a map.
pub(crate) struct Entry {
    pub(crate) key: Spanned<String>,
    pub(crate) value: Value,
}

/// What the grammar's actions need besides the tokens.
pub(crate) struct Builder<'s, 'b> {
    context: Context<'b, Token<'s>>,
    problems: &'b mut Problems,
}

impl<'s> Builder<'s, '_> {
    /// Reports what the parser has recovered from.
    pub(crate) fn recover(&mut self, recovery: ErrorRecovery<u32, Token<'s>, ()>) {
        let problem = self.context.unexpected(recovery.error);
        self.problems.extend(problem);
    }

    /// A statement; the last operand, if it is a map, is its attributes.
    pub(crate) fn statement(
        &mut self,
        results: Option<Vec<Spanned<&'s str>>>,
        keyword: &str,
        mut operands: Vec<Value>,
        ty: Option<Value>,
        body: Option<Vec<Statement>>,
        span: Span,
    ) -> Statement {
        let results = results.unwrap_or_default().into_iter().map(|name| self.result(name)).collect();
        let attrs = match operands.pop() {
            Some(Value { kind: ValueKind::Map(attrs), .. }) => attrs,
            Some(last) => {
                operands.push(last);
                IndexMap::new()
            }
            None => IndexMap::new(),
        };
        Statement { results, keyword: keyword.to_owned(), operands, attrs, ty, body, comment: None, span }
    }

    fn result(&mut self, reference: Spanned<&str>) -> String {
        let span = reference.span;
        match self.reference(reference) {
            ValueKind::Local(name) => name,
            other => {
                self.problems.push(
                    Diagnostic::error(Code::E0606, "a result is named with `%`")
                        .label(span, "names something from outside"),
                );
                if let ValueKind::Global(name) = other { name } else { String::new() }
            }
        }
    }

    /// The value of a token `%name`, `@name`, `%"name"` or `@"name"`.
    pub(crate) fn reference(&mut self, reference: Spanned<&str>) -> ValueKind {
        let (sigil, name) = reference.value.split_at_checked(1).unwrap_or_default();
        let name = match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
            Some(quoted) => self.string(quoted, reference.span.start + 1),
            None => name.to_owned(),
        };
        if sigil == "%" { ValueKind::Local(name) } else { ValueKind::Global(name) }
    }

    /// The text of a string whose content is given and whose opening quote stands at `quote`.
    pub(crate) fn string(&mut self, content: &str, quote: u32) -> String {
        let start = quote + 1;
        let span = Span::new(start, start + content.len() as u32);
        plain_string(self.context.text, span, self.problems)
    }

    pub(crate) fn int(&mut self, value: i128, span: Span) -> ValueKind {
        if value < i128::from(i64::MIN) {
            self.number_too_large(span);
            return ValueKind::Int(0);
        }
        ValueKind::Int(value)
    }

    pub(crate) fn interval(&mut self, a: i128, b: i128, span: Span) -> ValueKind {
        let (Ok(a), Ok(b)) = (i64::try_from(a), i64::try_from(b)) else {
            self.number_too_large(span);
            return ValueKind::Interval(0, 0);
        };
        ValueKind::Interval(a, b)
    }

    /// `-inf`; there is no other word with a sign.
    pub(crate) fn negative_word(&mut self, word: &str, span: Span) -> ValueKind {
        if word != "inf" {
            self.problems.push(
                Diagnostic::error(Code::E0101, format!("expected a number after `-`, found `{word}`"))
                    .label(span, "only `inf` and numbers have a sign"),
            );
        }
        ValueKind::Float(f64::NEG_INFINITY)
    }

    pub(crate) fn map(&mut self, entries: Vec<Entry>) -> ValueKind {
        let mut map = IndexMap::with_capacity(entries.len());
        for Entry { key, value } in entries {
            match map.entry(key.value) {
                Slot::Vacant(slot) => {
                    slot.insert(value);
                }
                Slot::Occupied(slot) => self.problems.push(
                    Diagnostic::error(Code::E0605, format!("`{}` is given twice", slot.key()))
                        .label(key.span, "given again"),
                ),
            }
        }
        ValueKind::Map(map)
    }

    pub(crate) fn dim_int(&mut self, value: i128, span: Span) -> DimExpr {
        let value = i64::try_from(value).unwrap_or_else(|_| {
            self.number_too_large(span);
            0
        });
        DimExpr::new(DimKind::Int(value), span)
    }

    pub(crate) fn dim_symbol(&mut self, word: &str, span: Span) -> DimExpr {
        let name = word.split_once('.').map_or(word, |(name, _)| name);
        if name != word {
            self.problems.push(
                Diagnostic::error(Code::E0115, format!("`{word}` is not the name of a dimension"))
                    .label(span, "has a dot"),
            );
        }
        DimExpr::new(DimKind::Sym(name.to_owned()), span)
    }

    pub(crate) fn dim_call(&mut self, function: &str, args: Vec<DimExpr>, span: Span) -> DimExpr {
        model::dim_call(function, args, span).unwrap_or_else(|problem| {
            self.problems.push(problem);
            DimExpr::new(DimKind::Int(1), span)
        })
    }

    fn number_too_large(&mut self, span: Span) {
        self.problems.push(syntax_error::number_too_large(span.text(self.context.text), span));
    }
}
