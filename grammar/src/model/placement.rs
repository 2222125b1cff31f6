//! Statements that belong to one kind of section only.

use crate::ast::{File, Item, Stmt, StmtKind};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::problems::Problems;

/// Reports `weights` outside a model, `loss` and `optimizer` outside a training
/// section, and `return` within one.
pub(super) fn check(file: &File, problems: &mut Problems) {
    for item in &file.items {
        let (section, body) = match item {
            Item::Model(model) => (Section::Model, &model.body),
            Item::Block(block) => (Section::Block, &block.body),
            Item::Train(train) => (Section::Train, &train.body),
        };
        check_stmts(&body.stmts, section, true, problems);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Model,
    Block,
    Train,
}

fn check_stmts(stmts: &[Stmt], section: Section, outermost: bool, problems: &mut Problems) {
    for stmt in stmts {
        match &stmt.kind {
            StmtKind::For { body, .. } => check_stmts(&body.stmts, section, false, problems),
            StmtKind::If { arms, otherwise } => {
                for body in arms.iter().map(|arm| &arm.body).chain(otherwise) {
                    check_stmts(&body.stmts, section, false, problems);
                }
            }
            StmtKind::Weights(_) if section != Section::Model || !outermost => {
                problems.push(misplaced(stmt, "weights", "directly in the body of a model"));
            }
            StmtKind::Loss(_) if section != Section::Train || !outermost => {
                problems.push(misplaced(stmt, "loss", "directly in a training section, `train(…) { … }`"));
            }
            StmtKind::Optimizer(_) if section != Section::Train || !outermost => {
                problems.push(misplaced(
                    stmt,
                    "optimizer",
                    "directly in a training section, `train(…) { … }`",
                ));
            }
            StmtKind::Return(_) if section == Section::Train => {
                problems.push(misplaced(stmt, "return", "in models and blocks"));
            }
            _ => {}
        }
    }
}

fn misplaced(stmt: &Stmt, keyword: &str, place: &str) -> Diagnostic {
    Diagnostic::error(Code::E0116, format!("`{keyword}` does not belong here"))
        .label(stmt.span, "out of place")
        .hint(format!("`{keyword}` stands {place}"))
}
