//! Proves that a program computes the graph that it carries.
//!
//! (argument to be written)

mod contents;
mod device;
mod effect;
mod error;
mod meaning;
mod numbering;
mod places;
mod relation;
mod section;
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
const MOST_COORDINATES: u64 = 1 << 32;

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
