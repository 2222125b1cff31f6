//! Compiles neural graphs into tiled programs.
//!
//! ```text
//! base → ops → ir → { front, analysis } → passes → lower → driver → draw → the zellige command
//! ```
//!
//! # Invariants of the IR
//!
//! [`ir::verify`] holds each of them, in this order.
//!
//! Graph:
//! 1. Names of values, of parameters and of outputs are unique.
//! 2. Every value has one definition, and it stands before its uses: inputs and constants first or in between, ops in
//!    topological order, in the order of the values that they define. The list of inputs is that of the values.
//! 3. An op is in the list of ops, has as many inputs as its entry says, and its output's type is what it infers from them.
//! 4. Known sizes are between 1 and 2³¹, a tensor has fewer than 2⁴⁸ elements, a constant as many values as its type says.
//!    Only inputs and outputs have other elements than f32.
//! 5. An op's parameters are those it asks for, in number and shape; a parameter belongs to an op, or others are derived from
//!    it. What derived ones follow from is stored, stands before them, and suits their formula.
//! 6. There is an input and an output; each output is the result of an op, and of no other output; declared output types and
//!    exact quotients do not contradict what is computed.
//!
//! Sections:
//! 7. Sizes are known. Every op belongs to one section; sections, and ops within them, are in topological order.
//! 8. No op reads a value that a reduction in its own section produces, or reads in device memory what its own section
//!    produces; what a section computes or reduces has one number of images, what else it reads that number or
//!    one; something that it
//!    computes is needed outside.
//! 9. Where a section has tilings, they are those of the tensors of which it reads or computes tiles (results of reductions
//!    apart), in that order, with true roles, extents and readers; one that leaves the section is its anchor. Grid, overlap and
//!    size in SRAM come after tilings.
//! 10. Step tables have one entry a step, as many steps as the anchor has target tiles; tiles of a tensor have one size. What
//!     leaves the section is owned exactly once, the anchor as the target tile cuts it, what is summed by whole grains.
//! 11. A tile holds all that ops of the section read of it, the padding that they expect to find included.
//! 12. Where tiles are added up, the section is one op that is a sum over what its anchor's tiles are parts of; owned intervals of the
//!     sum ascend, those of a colour are disjoint, and a step adds wherever its part contributes.
//! 13. Padding, zero-out and overlap, where they are there, agree with step tables and access relations.
//! 14. Every tensor has a storage or none has; what is stored nowhere is read by one op. Where buffers are placed, those alive at
//!     the same time do not overlap, and all fit the budget, unless the section is one tile.
//! 15. What a section has by keeping it, whole or tile by tile, its ops read tile by tile, and an earlier section computes; what it has by
//!     computing it again, one of its ops computes as an earlier one does.
//! 16. Where device memory is laid out, composites are the tensors that cross sections, planar where an op reads them in
//!     raster order, or cut into the tiles of the section that they are kept for; those alive at the same time do not overlap, weights and accumulators lie before them, and all fit the
//!     budget.
//!
//! Programs have a verifier of their own, [`zellige_runtime::program::verify`].

#![forbid(unsafe_code)]

pub mod analysis;
pub mod base;
pub mod check;
pub mod draw;
pub mod driver;
#[cfg(test)]
mod fixtures;
pub mod front;
pub mod ir;
pub mod ops;
pub mod passes;
