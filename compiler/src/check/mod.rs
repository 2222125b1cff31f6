//! Proves that a program computes the graph that it carries.
//!
//! The compiler's passes decide regions, zero-outs, fusion, buffers and instructions; a mistake in any of them gives a program
//! that is safe to run and wrong. This module derives from program and graph alone that every output of the graph is computed,
//! bit for bit and for all tiles. It works on the model of regalloc2's checker: the program is run on abstract values, and
//! what it leaves is compared with what should be there. It shares no code with the passes, their analyses or the runtime's
//! verifier; what ops and instructions mean is stated anew, a file per family, in `meaning` and `effect`.
//!
//! # What is claimed
//!
//! Run in the order of its sections, each section's tiles in any order (of those that keep rings, the tiles of a strip from top
//! to bottom), each tile's instructions one after the other, the program stores in every element of every output of the graph
//! exactly once the value that the graph gives it.
//!
//! Where a section adds up its tiles in device memory (`store_rmw`), the order of the additions is the program's: such a tensor holds, for the
//! value of the graph, the sum of exactly that value's terms, each once, and what is computed of it is meant of that.
//!
//! # What is assumed
//!
//! * Kernels and JIT do what `effect` says that their instructions do; that is what the runtime's tests compare, instruction by
//!   instruction.
//! * An op means what `meaning` says, and an elementwise op its expression; values are compared with other frameworks elsewhere.
//! * The program is safe, and its queues keep to the order of the body as far as that matters: that buffers lie in SRAM, and
//!   that tokens order instructions that touch the same bytes, is the runtime's to verify before it runs anything. The engines
//!   of the host run in the order of the body.
//! * A parameter's values are those of its name. Where the weights are a safetensors file, it says where those lie; otherwise no two
//!   parameters share values.
//!
//! # Why it holds
//!
//! *Terms* (`term`, `numbering`). Every value of the graph becomes a term: a function of inputs and parameters, interned, so
//! that equal ids mean equal functions, bit for bit. An op that is not elementwise is one node, which holds everything that decides
//! its values (window, groups, padding, parameters by name, sizes). Expressions are taken apart into their primitives; so it does
//! not matter how a program divides them among epilogues and instructions, and no rewriting is needed that might not be exact.
//!
//! *Contents* (`section`, `contents`). For one tile, any tile, the body is run on terms. What a buffer holds is known by
//! channels; a write takes the content of all other buffers that share its bytes; a tile begins with nothing known, since any other
//! may have run before it. An instruction's term follows from those that its operands hold at that moment, and must be one that
//! the graph has, of the size of the buffer that it goes into. Which term a buffer holds does not depend on the tile; only the
//! coordinates at which it holds it do.
//!
//! *Coordinates* (`places`). A buffer that holds a term holds its values at coordinates (y, x) with y among the rows and x among
//! the columns that it holds at that step; of those outside the extent it holds its `outside`. For each instruction, step and
//! coordinate of its result, the coordinates that it reads are enumerated from its meaning, and each must be among those held at
//! that moment: inside the extent; or outside where the operation reads there and wants the value that is there; or outside
//! where it does not read. So every element that is written is what the term says, and the invariant is kept.
//!
//! *One axis at a time.* What an instruction reads for an element is the product of what it reads for its row and what it
//! reads for its column, and what a buffer holds is the product of rows and columns. A pair of coordinates that is good along both
//! axes is good; a pixel is outside the extent if its row or its column is, and holds `outside` in either case. Steps along one
//! axis are the same for every step along the other. Therefore enumerating the steps of each axis covers all tiles, and
//! 100,000 rows and 100,000 columns are 200,000 coordinates, not 10¹⁰.
//!
//! *Rings.* A ring keeps its rows while a strip's tiles run one after the other; which row lies in which slot is simulated slot by
//! slot. A row that an earlier step left is what the buffer held at the end of that step's body, which must be the term that it
//! is read as: by induction over the steps it always was. Nothing but the ring may be written into its bytes. A strip begins
//! with no row, and its columns are the same from its first tile to its last.
//!
//! *What leaves a section.* Owned intervals make up the extent, each coordinate once, along each axis; so their products make up
//! the tensor, each element once. Sums over space take whole grains of the tensor's own grid, whose partial sums do not depend on
//! the tile, and add them exactly; each grain once, it is the mean that the graph means. A tensor holds its term from the end of the
//! section that stores it, and loses it when a section begins that stores into the same bytes.
//!
//! *Sums over tiles* (`sums`). A load of what a tile owns gives a *part* of a term. The only thing that may be done with it is one
//! operation that is a sum over it, which gives a part of that operation's term; and that may only be added up. That each
//! contribution is added, once, and none at the same time as another, is enumerated along each axis.
//!
//! *Outputs* (`device`). In the end the tensor that has an output's name must hold the output's term. Inputs were recognised by
//! name and size, parameters by name and shape, constants by their bits; everything else is followed from there, whatever it is
//! called. A program need not be one that the pipeline makes.
//!
//! *The graph's access relations* (`relation`). The passes tile by what ops state in [`crate::base::AxisMap`]. For every op the
//! statement is enumerated beside its meaning, coordinate by coordinate; they must name the same.

mod contents;
mod device;
mod effect;
mod error;
mod meaning;
mod numbering;
mod places;
mod relation;
mod section;
mod sums;
mod term;
mod weights;

use zellige_runtime::program::{Program, Section};

pub use error::{CheckError, InstrError, OpError, OutputError, SectionError, TensorError, WeightError};
pub use weights::Layout;

use crate::ir::Graph;
use device::Device;
use numbering::Numbering;
use section::SectionCheck;
use weights::Weights;

/// Most coordinates that are looked at: seconds.
const MOST_COORDINATES: u64 = 1 << 31;

/// What was proved, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Sections.
    pub sections: u64,
    /// Instructions, each proved for all tiles.
    pub instructions: u64,
    /// Steps, of both axes.
    pub steps: u64,
    /// Coordinates that instructions read, one by one.
    pub coordinates: u64,
    /// Coordinates for which an access relation of the graph was compared with the op's meaning.
    pub relations: u64,
    /// Tensors that are added up over tiles.
    pub sums: u64,
    /// Outputs.
    pub outputs: u64,
}

/// Proves that `program` computes `graph`, every output element exactly once and bit for bit. `layout` says where the weights
/// file has the values of each parameter, if there is such a file.
///
/// # Errors
///
/// The first thing that keeps the proof from succeeding, always the same for the same program.
pub fn check(program: &Program, graph: &Graph, layout: Option<Layout<'_>>) -> Result<Proof, CheckError> {
    let mut numbering = Numbering::of(graph)?;
    let weights = Weights::of(program, &numbering, layout)?;
    let mut device = Device::new(program, &mut numbering, &weights)?;
    let mut proof = Proof { relations: numbering.relations, ..Proof::default() };
    let mut budget = MOST_COORDINATES;
    for (index, section) in program.sections.iter().enumerate() {
        let check = SectionCheck {
            program,
            section,
            index,
            numbering: &mut numbering,
            weights: &weights,
            device: &mut device,
        };
        check.check(&mut budget, &mut proof)?;
    }
    proof.outputs = device.outputs(&numbering)?;
    Ok(proof)
}

/// An error of an instruction, with its place.
fn at(
    section: &Section,
    index: usize,
    instr: usize,
    mnemonic: &'static str,
    error: InstrError,
) -> CheckError {
    let name = section.name.clone();
    CheckError::Instruction { section: index, name, instr, mnemonic, error: Box::new(error) }
}

#[cfg(test)]
mod tests;
