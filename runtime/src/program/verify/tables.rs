//! Tables: every entry makes sense by itself.

use super::{MAX_BUFFERS, MAX_COORDINATE, MAX_INSTRUCTIONS};
use crate::machine::MachineError;
use crate::program::{
    Accumulator, Blocks, Buffer, Element, MAX_COLOURS, MAX_SUMMANDS, Packing, Program, Role, Section, Source,
    Tensor, Weight, WeightId,
};

/// An entry of a table that makes no sense by itself.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TableError {
    /// Of the machine.
    #[error("{0}")]
    Machine(String),
    /// Of the tensors.
    #[error("tensor @t{index} `{name}`: {error}")]
    Tensor {
        /// Index.
        index: usize,
        /// Name.
        name: String,
        /// What is wrong.
        error: EntryError,
    },
    /// Of the weights.
    #[error("weight @w{index} `{name}`: {error}")]
    Weight {
        /// Index.
        index: usize,
        /// Name.
        name: String,
        /// What is wrong.
        error: EntryError,
    },
    /// Of the accumulators.
    #[error("accumulator @a{index} `{name}`: {error}")]
    Accumulator {
        /// Index.
        index: usize,
        /// Name.
        name: String,
        /// What is wrong.
        error: EntryError,
    },
    /// Of a section's buffers.
    #[error("section {section} `{section_name}`, buffer %b{index} `{name}`: {error}")]
    Buffer {
        /// Section.
        section: usize,
        /// Its name.
        section_name: String,
        /// Index.
        index: usize,
        /// Name.
        name: String,
        /// What is wrong.
        error: EntryError,
    },
    /// Of the sections.
    #[error("section {section} `{name}`: {error}")]
    Section {
        /// Index.
        section: usize,
        /// Name.
        name: String,
        /// What is wrong.
        error: EntryError,
    },
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// A size of nothing, or beyond all bounds.
    #[error("{what} is {value}, not between 1 and {max}")]
    Size {
        /// Which one.
        what: &'static str,
        /// Its value.
        value: u64,
        /// The bound.
        max: u64,
    },
    /// A size in bytes that overflows.
    #[error("its size in bytes overflows")]
    Overflow,
    /// Lanes that nobody implements.
    #[error("{0} lanes, not 1, 2, 4, 8 or 16")]
    Lanes(u32),
    /// Inputs, outputs and constants are planar.
    #[error("{0} lanes; inputs, outputs and constants have 1")]
    Planar(u32),
    /// A narrow type where no output is stored.
    #[error("only inputs and outputs have whole numbers for values")]
    Element,
    /// A constant without values.
    #[error("there is no {0}")]
    Constant(WeightId),
    /// A constant whose values are others.
    #[error("{0} is not a plain weight of as many values")]
    ConstantShape(WeightId),
    /// Shape and packing contradict each other.
    #[error("{dims:?} cannot be packed as {packing:?}")]
    Packing {
        /// Shape.
        dims: Vec<u64>,
        /// Packing.
        packing: Packing,
    },
    /// Values that are not there.
    #[error("its values are at {offset} + {bytes}, the data has {available} bytes")]
    Data {
        /// Offset in bytes.
        offset: u64,
        /// Length in bytes.
        bytes: u64,
        /// Length of the data.
        available: u64,
    },
    /// Another number of values than the shape says.
    #[error("{found} values are given for a shape of {expected}")]
    Inline {
        /// By the shape.
        expected: u64,
        /// Given.
        found: u64,
    },
    /// Colours and rings at once.
    #[error("it has colours and a ring, and the tiles of a strip cannot run in the order of both")]
    Strips,
    /// A table of another length than the buffers'.
    #[error("the step table of {axis} has {found} buffers, the section {expected}")]
    AxisBuffers {
        /// y or x.
        axis: &'static str,
        /// Buffers of the section.
        expected: usize,
        /// Buffers of the axis.
        found: usize,
    },
}

pub(super) fn check(program: &Program, data: Option<u64>) -> Result<(), TableError> {
    program.machine.check().map_err(|e: MachineError| TableError::Machine(e.to_string()))?;
    for (index, weight) in program.weights.iter().enumerate() {
        let name = || weight.name.clone();
        check_weight(data, weight).map_err(|error| TableError::Weight { index, name: name(), error })?;
    }
    for (index, tensor) in program.tensors.iter().enumerate() {
        let name = || tensor.name.clone();
        check_tensor(program, tensor).map_err(|error| TableError::Tensor { index, name: name(), error })?;
    }
    for (index, accumulator) in program.accumulators.iter().enumerate() {
        let name = || accumulator.name.clone();
        check_accumulator(accumulator).map_err(|error| TableError::Accumulator {
            index,
            name: name(),
            error,
        })?;
    }
    for (index, section) in program.sections.iter().enumerate() {
        check_section(index, section)?;
    }
    Ok(())
}

fn check_section(index: usize, section: &Section) -> Result<(), TableError> {
    let name = || section.name.clone();
    check_counts(section).map_err(|error| TableError::Section { section: index, name: name(), error })?;
    for (b, buffer) in section.buffers.iter().enumerate() {
        check_buffer(buffer).map_err(|error| TableError::Buffer {
            section: index,
            section_name: name(),
            index: b,
            name: buffer.name.clone(),
            error,
        })?;
    }
    Ok(())
}

fn check_counts(section: &Section) -> Result<(), EntryError> {
    extent("the number of images", section.images)?;
    size("the number of buffers", section.buffers.len() as u64, MAX_BUFFERS as u64)?;
    size("the number of instructions", section.body.len() as u64, MAX_INSTRUCTIONS as u64)?;
    for (what, axis, colours) in [
        ("the number of colours of rows", &section.y, section.colours[0]),
        ("the number of colours of columns", &section.x, section.colours[1]),
    ] {
        size(what, colours, axis.steps.clamp(1, MAX_COLOURS))?;
    }
    if section.has_rings() && section.colours != [1; 2] {
        return Err(EntryError::Strips);
    }
    for (name, axis) in [("y", &section.y), ("x", &section.x)] {
        let (expected, found) = (section.buffers.len(), axis.buffers.len());
        if expected != found {
            return Err(EntryError::AxisBuffers { axis: name, expected, found });
        }
    }
    Ok(())
}

fn check_buffer(buffer: &Buffer) -> Result<(), EntryError> {
    lanes(buffer.lanes)?;
    extent("the number of channels", buffer.channels)?;
    extent("the number of rows", buffer.rows)?;
    extent("the number of columns", buffer.cols)?;
    extent("the height of the tensor", buffer.extent[0])?;
    extent("the width of the tensor", buffer.extent[1])?;
    bytes(buffer.bytes())
}

fn check_tensor(program: &Program, tensor: &Tensor) -> Result<(), EntryError> {
    lanes(tensor.lanes)?;
    let dims = tensor.dims;
    extent("the number of images", dims.n)?;
    extent("the number of channels", dims.c)?;
    extent("the height", dims.h)?;
    extent("the width", dims.w)?;
    if let Some(Blocks { grid, size, .. }) = tensor.blocks {
        for (what, value) in [
            ("the number of blocks along rows", grid[0]),
            ("the number of blocks along columns", grid[1]),
            ("the number of rows of a block", size[0]),
            ("the number of columns of a block", size[1]),
        ] {
            extent(what, value)?;
        }
    }
    bytes(tensor.bytes())?;
    if !matches!(tensor.role, Role::Composite(_) | Role::Spilled) && tensor.lanes != 1 {
        return Err(EntryError::Planar(tensor.lanes));
    }
    if !matches!(tensor.role, Role::Input | Role::Output) && tensor.element != Element::F32 {
        return Err(EntryError::Element);
    }
    if let Role::Constant(id) = tensor.role {
        let weight = program.weights.get(id.index()).ok_or(EntryError::Constant(id))?;
        if weight.packing != Packing::Plain || weight.elements() != dims.elements() {
            return Err(EntryError::ConstantShape(id));
        }
    }
    Ok(())
}

fn check_weight(data: Option<u64>, weight: &Weight) -> Result<(), EntryError> {
    for &dim in &weight.dims {
        extent("a dimension", dim)?;
    }
    let elements = weight.elements().ok_or(EntryError::Overflow)?;
    let raw = elements.checked_mul(4).ok_or(EntryError::Overflow)?;
    match &weight.source {
        Source::Offset(offset) => {
            let available = data.unwrap_or(u64::MAX);
            if offset.checked_add(raw).is_none_or(|end| end > available) {
                return Err(EntryError::Data { offset: *offset, bytes: raw, available });
            }
        }
        Source::Inline(values) if values.len() as u64 != elements => {
            return Err(EntryError::Inline { expected: elements, found: values.len() as u64 });
        }
        Source::Inline(_) => {}
    }
    match weight.packed_bytes() {
        None => Err(EntryError::Packing { dims: weight.dims.clone(), packing: weight.packing }),
        packed => bytes(packed),
    }
}

fn check_accumulator(accumulator: &Accumulator) -> Result<(), EntryError> {
    extent("the number of images", accumulator.images)?;
    extent("the number of channels", accumulator.channels)?;
    extent("the height", accumulator.extent[0])?;
    extent("the width", accumulator.extent[1])?;
    let grains = std::iter::zip(accumulator.extent, accumulator.kind.grain())
        .try_fold(1u64, |n, (extent, grain)| n.checked_mul(extent.div_ceil(grain as u64)));
    size("the number of grains", grains.unwrap_or(u64::MAX), MAX_SUMMANDS)?;
    bytes(accumulator.bytes())
}

fn size(what: &'static str, value: u64, max: u64) -> Result<(), EntryError> {
    if (1..=max).contains(&value) { Ok(()) } else { Err(EntryError::Size { what, value, max }) }
}

fn extent(what: &'static str, value: u64) -> Result<(), EntryError> {
    size(what, value, MAX_COORDINATE as u64)
}

fn lanes(lanes: u32) -> Result<(), EntryError> {
    if [1, 2, 4, 8, 16].contains(&lanes) { Ok(()) } else { Err(EntryError::Lanes(lanes)) }
}

/// Addresses are signed 64-bit numbers.
fn bytes(bytes: Option<u64>) -> Result<(), EntryError> {
    match bytes {
        Some(bytes) if i64::try_from(bytes).is_ok() => Ok(()),
        _ => Err(EntryError::Overflow),
    }
}
