//! The texts of Zellige: its model language (`.zlg`), the textual form of its
//! intermediate representation (`.zir`), and the diagnostics about both.
//!
//! The crate is pure: text goes in, trees and diagnostics come out. It opens no
//! file, prints nothing, and panics on no input.
//!
//! * [`parse_model`] reads a model file into the tree of [`ast`].
//! * [`parse_zir`] and [`print_zir`] read and write the generic tree of [`zir`], which
//!   the compiler and the runtime map to their own structures.
//! * [`diagnostic`] says what is wrong, [`codes`] explains it at length, and
//!   [`suggest`] guesses what was meant.
//!
//! # How a text becomes a tree
//!
//! Both languages take the same road: a logos lexer makes tokens; `structure`
//! matches their brackets and inserts what is missing beyond doubt, so that one
//! forgotten `;` or `)` costs one diagnostic and not the rest of the file; a
//! LALRPOP parser builds the tree, and recovers by itself from what is left.

#![forbid(unsafe_code)]

pub mod ast;
pub mod codes;
pub mod diagnostic;
pub mod dim;
#[doc(hidden)]
pub mod fuzz;
mod lexer;
mod literal;
mod model;
mod problems;
pub mod span;
mod structure;
pub mod suggest;
mod syntax_error;
pub mod zir;

pub use codes::Code;
pub use diagnostic::{Diagnostic, Severity, has_errors, render_ansi, render_json, render_text};
pub use model::parse_model;
pub use span::{SourceFile, Span, Spanned};
pub use zir::{parse as parse_zir, print as print_zir};
