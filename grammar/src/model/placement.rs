//! Statements that belong to one kind of section only.

use crate::ast::{File, Item, Stmt, StmtKind};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::problems::Problems;

/// Reports `weights` outside a model, statements about training outside a training
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
            StmtKind::Return(_) if section == Section::Train => {
                problems.push(misplaced(stmt, "return", "in models and blocks"));
            }
            StmtKind::Weights(_) if section != Section::Model || !outermost => {
                problems.push(misplaced(stmt, "weights", "directly in the body of a model"));
            }
            kind if section != Section::Train || !outermost => {
                if let Some(keyword) = of_training(kind) {
                    let place = "directly in a training section, `train(…) { … }`";
                    problems.push(misplaced(stmt, keyword, place));
                }
            }
            _ => {}
        }
    }
}

/// The keyword of a statement about training.
const fn of_training(kind: &StmtKind) -> Option<&'static str> {
    match kind {
        StmtKind::Loss(_) => Some("loss"),
        StmtKind::Optimizer(_) => Some("optimizer"),
        StmtKind::Schedule(_) => Some("schedule"),
        StmtKind::Accumulate(_) => Some("accumulate"),
        StmtKind::Clip(_) => Some("clip"),
        _ => None,
    }
}

fn misplaced(stmt: &Stmt, keyword: &str, place: &str) -> Diagnostic {
    Diagnostic::error(Code::E0116, format!("`{keyword}` does not belong here"))
        .label(stmt.span, "out of place")
        .hint(format!("`{keyword}` stands {place}"))
}
