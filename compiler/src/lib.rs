//! Compiles neural graphs into tiled programs.
//!
//! ```text
//! base → ops → ir → { front, analysis } → passes → lower → driver → the zellige command
//! ```
//!
//! # Invariants of the IR
//!
//! [`ir::verify`] holds each of them, in this order.
//!
//! Graph:
//! 1. Names of values and of parameters are unique.
//! 2. Every operand is defined before its use: inputs and constants first or in between, ops in topological order.
//! 3. An op has as many inputs as its entry in the list of ops says, and its output's type is what it infers from them.
//! 4. An op's parameters are those it asks for, in number and shape; a parameter belongs to one op.
//! 5. There is an input and an output; declared output types agree with what is computed.
//!
//! Sections:
//! 6. Sizes are known. Every op belongs to one section; sections are in topological order.
//! 7. No op reads a value that a reduction in its own section produces; all tensors of a section have one number of images.
//! 8. Where a pass has filled in tilings, step tables have one entry a step, tiles of a tensor have one size, and what leaves
//!    the section is owned exactly once.
//! 9. Where buffers are placed, those alive at the same time do not overlap, and all fit the budget.

#![forbid(unsafe_code)]

pub mod analysis;
pub mod base;
pub mod front;
pub mod ir;
pub mod ops;
pub mod passes;
