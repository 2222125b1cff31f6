//! From the text of a model file to its tree.

mod placement;

use lalrpop_util::{ErrorRecovery, lalrpop_mod};

use crate::ast::{Arg, Expr, ExprKind, File, Ident, Item, NamedValue, Piece, StringLit};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::dim::{DimExpr, DimKind};
use crate::lexer::{Located, Token, lex, mark_keywords};
use crate::literal::{RawPiece, string_pieces};
use crate::problems::Problems;
use crate::span::Span;
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
    "/model.rs"
);

/// Parses a model file.
///
/// All errors of the file are reported in one run, in the order of the text. The tree
/// then lacks what could not be understood; there is none where the text is too large
/// or nested too deeply.
#[must_use]
pub fn parse_model(text: &str) -> (Option<File>, Vec<Diagnostic>) {
    let mut problems = Problems::default();
    let Ok(end) = u32::try_from(text.len()) else {
        return (None, vec![syntax_error::too_large()]);
    };
    let span = Span::new(0, end);
    let mut tokens = lex(text, span, &mut problems);
    mark_keywords(&mut tokens);
    let root = parse(text, Token::File, &tokens, end, &mut problems);
    let file = root.map(|root| match root {
        Root::File(items) => File { items, span },
        Root::Expression(_) => File { items: Vec::new(), span },
    });
    if let Some(file) = &file {
        placement::check(file, &mut problems);
    }
    (file, problems.finish())
}

/// What the grammar's one entrance gives.
pub(crate) enum Root {
    File(Vec<Item>),
    Expression(Expr),
}

/// Runs the parser on tokens that end at offset `end`.
fn parse(
    text: &str,
    entrance: Token<'_>,
    tokens: &[Located<Token<'_>>],
    end: u32,
    problems: &mut Problems,
) -> Option<Root> {
    let mended = mend(tokens, end, problems)?;
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

    pub(crate) fn lone_expression(&mut self, expr: &Expr) {
        self.problems.push(
            Diagnostic::error(Code::E0108, "this statement has no effect")
                .label(expr.span, "the value is dropped")
                .hint("name it, `let y = …;`, or hand it out, `return …;`"),
        );
    }

    pub(crate) fn argument_with_equals(&mut self, name: &Ident, equals: Span) {
        self.problems.push(
            Diagnostic::error(Code::E0107, "a named argument is written with `:`")
                .label(equals, "not `=`")
                .hint(format!("write `{}: …`", name.value)),
        );
    }

    /// What stands in parentheses that are no call's: one expression, or named values.
    pub(crate) fn parentheses(&mut self, entries: Vec<Option<Arg>>, span: Span) -> Expr {
        let broken = entries.iter().any(Option::is_none);
        let mut entries: Vec<Arg> = entries.into_iter().flatten().collect();
        if let ([Arg { name: None, .. }], false) = (entries.as_slice(), broken) {
            return entries.pop().map_or_else(|| error(span.start, span.end), |arg| arg.value);
        }
        let mut group = Vec::with_capacity(entries.len());
        let mut unnamed = entries.is_empty().then_some(span);
        for Arg { name, value, .. } in entries {
            match name {
                Some(name) => group.push(NamedValue { name, value }),
                None => unnamed = unnamed.or(Some(value.span)),
            }
        }
        match unnamed {
            None if !broken => return Expr { kind: ExprKind::Group(group), span },
            Some(at) if !broken => self.problems.push(
                Diagnostic::error(Code::E0118, "values in parentheses need names")
                    .label(at, "a name is missing here")
                    .hint("a group is written `(top: 0, left: 1)`, a list `[0, 1]`"),
            ),
            _ => {}
        }
        error(span.start, span.end)
    }

    /// `ceil_div(a, b)`, the only function of dimensions.
    pub(crate) fn dim_call(&mut self, function: Ident, args: Vec<DimExpr>, span: Span) -> DimExpr {
        match dim_call(&function.value, args, span) {
            Ok(dim) => dim,
            Err(problem) => {
                self.problems.push(problem);
                DimExpr::new(DimKind::Int(1), span)
            }
        }
    }

    /// The pieces of the string whose token, quotes included, stands at `span`.
    pub(crate) fn string(&mut self, content: &'s str, span: Span) -> StringLit {
        let text = self.context.text;
        let start = span.start + 1;
        let content = Span::new(start, start + content.len() as u32);
        let pieces = string_pieces(text, content, true, self.problems)
            .into_iter()
            .map(|piece| match piece {
                RawPiece::Text(text) => Piece::Text(text),
                RawPiece::Braces(span) => Piece::Expr(self.interpolation(span)),
            })
            .collect();
        StringLit { pieces, span }
    }

    fn interpolation(&mut self, span: Span) -> Expr {
        let text = self.context.text;
        if span.text(text).trim().is_empty() {
            self.problems.push(
                Diagnostic::error(Code::E0112, "nothing to interpolate")
                    .label(Span::new(span.start - 1, span.end + 1), "empty braces")
                    .hint(r"a brace that means itself is written `\{`"),
            );
            return error(span.start, span.end);
        }
        let tokens = lex(text, span, self.problems);
        match parse(text, Token::Expression, &tokens, span.end, self.problems) {
            Some(Root::Expression(expr)) => expr,
            _ => error(span.start, span.end),
        }
    }
}

/// The call of a function in a dimension.
pub(crate) fn dim_call(function: &str, args: Vec<DimExpr>, span: Span) -> Result<DimExpr, Diagnostic> {
    if function != "ceil_div" {
        return Err(Diagnostic::error(Code::E0115, format!("dimensions know no function `{function}`"))
            .label(span, "unknown function")
            .hint("there are `+`, `-`, `*`, `/` and `ceil_div(a, b)`"));
    }
    let count = args.len();
    let Ok([a, b]) = <[DimExpr; 2]>::try_from(args) else {
        return Err(Diagnostic::error(Code::E0115, format!("`ceil_div` takes two dimensions, not {count}"))
            .label(span, "as in `ceil_div(W, 2)`"));
    };
    Ok(DimExpr::new(DimKind::CeilDiv(Box::new(a), Box::new(b)), span))
}

pub(crate) fn expr(kind: ExprKind, start: u32, end: u32) -> Expr {
    Expr { kind, span: Span::new(start, end) }
}

pub(crate) fn error(start: u32, end: u32) -> Expr {
    expr(ExprKind::Error, start, end)
}

pub(crate) fn dim(kind: DimKind, start: u32, end: u32) -> DimExpr {
    DimExpr::new(kind, Span::new(start, end))
}

#[cfg(test)]
pub(crate) mod tests;
