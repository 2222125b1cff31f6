//! What can be wrong with a program as a translation of its graph, and where.

use zellige_runtime::program::instr::AxisId;
use zellige_runtime::program::{self, AccumulatorId, BufferId, Interval, TensorId};

use crate::base::Element;

/// Why a program is not known to compute its graph. Sections, instructions and steps are counted from 0.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CheckError {
    /// An op of the graph is not understood.
    #[error("op `%{value}` ({op}): {error}")]
    Op {
        /// Name of the value that it defines.
        value: String,
        /// What it is.
        op: String,
        /// What is wrong.
        error: OpError,
    },
    /// Two weights contradict each other.
    #[error("weight {weight}: {error}")]
    Weight {
        /// Index of the weight.
        weight: usize,
        /// What is wrong.
        error: WeightError,
    },
    /// A weight or an accumulator has no bytes of its own.
    #[error("{first} and {second} share bytes of device memory")]
    Resident {
        /// The weight or accumulator.
        first: String,
        /// What lies there too.
        second: String,
    },
    /// A device tensor is not what its role says.
    #[error("{tensor} `{name}`: {error}")]
    Tensor {
        /// The tensor.
        tensor: TensorId,
        /// Its name.
        name: String,
        /// What is wrong.
        error: TensorError,
    },
    /// An instruction computes something else, or reads what is not there.
    #[error("section {section} `{name}`, instruction {instr} ({mnemonic}): {error}")]
    Instruction {
        /// The section.
        section: usize,
        /// Its name.
        name: String,
        /// The instruction.
        instr: usize,
        /// What it is.
        mnemonic: &'static str,
        /// What is wrong.
        error: Box<InstrError>,
    },
    /// A section's tables make no sense.
    #[error("section {section} `{name}`: {error}")]
    Section {
        /// The section.
        section: usize,
        /// Its name.
        name: String,
        /// What is wrong.
        error: SectionError,
    },
    /// An output that is not there.
    #[error("output `{name}`: {error}")]
    Output {
        /// Its name.
        name: String,
        /// What is wrong.
        error: OutputError,
    },
    /// More to look at than anybody waits for.
    #[error("the step tables are too long to be checked")]
    TooLong,
}

/// What is wrong with an op of the graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpError {
    /// Nobody has told this checker what it means.
    #[error("the checker does not know this op with these attributes")]
    Unknown,
    /// Its sizes are not known, or do not follow from its inputs'.
    #[error("its sizes do not follow from those of its inputs")]
    Sizes,
    /// The access relation that tiling goes by is not the op's.
    #[error(
        "along {axis}, output {output} reads {meant:?} of input {input}, and its access relation says {stated:?}"
    )]
    Access {
        /// Which input.
        input: usize,
        /// y or x.
        axis: AxisId,
        /// A coordinate of the output.
        output: i64,
        /// What it reads by the op's definition.
        meant: Vec<i64>,
        /// What the access relation says.
        stated: Vec<i64>,
    },
    /// What the op says that it finds outside the extent is not what its definition asks for.
    #[error("what it expects outside the extent of input {input} is not what its definition asks for")]
    Outside {
        /// Which input.
        input: usize,
    },
}

/// What is wrong with a weight.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeightError {
    /// No parameter of the graph has this name.
    #[error("the graph has no parameter `{0}`")]
    Unknown(String),
    /// Of another shape than the graph's.
    #[error("`{name}` has the shape {found:?}, in the graph {expected:?}")]
    Shape {
        /// Name of the parameter.
        name: String,
        /// In the graph.
        expected: Vec<u64>,
        /// In the program.
        found: Vec<u64>,
    },
    /// The same parameter with other values.
    #[error("`{name}` has its values in another place than weight {other} of that name")]
    Inconsistent {
        /// Name of the parameter.
        name: String,
        /// The other weight.
        other: usize,
    },
    /// Values of two parameters in the same bytes.
    #[error("the values of `{name}` share bytes with those of `{other}`")]
    Shared {
        /// One parameter.
        name: String,
        /// The other.
        other: String,
    },
    /// Values that are not there.
    #[error("the values of `{0}` are not where the program says")]
    Data(String),
    /// Values elsewhere than in the weights file.
    #[error("the values of `{0}` are not those that the weights file has under this name")]
    Misplaced(String),
}

/// What is wrong with a device tensor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// Blocks that are not the tiles of the buffer that they are for.
    #[error("its blocks are not what tiles of section {section} load into {buffer}")]
    Blocks {
        /// The section.
        section: u32,
        /// The buffer.
        buffer: BufferId,
    },
    /// There is no input of this name and shape.
    #[error("the graph has no input of this name and type, with the shape {0:?}")]
    Input([u64; 4]),
    /// A tensor between sections that does not hold values as they are.
    #[error("it rounds what is stored there")]
    Rounded,
    /// A constant whose values are not there.
    #[error("its values are not there")]
    Constant,
}

/// What is wrong with an output of the graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// No tensor, or more than one.
    #[error("{0} output tensors have this name")]
    Tensors(usize),
    /// The program gives out something that the graph does not.
    #[error("the graph has no such output")]
    Unknown,
    /// Values of another type.
    #[error("its values are {found:?}, and declared as {declared:?}")]
    Element {
        /// In the graph.
        declared: Element,
        /// In the program.
        found: program::Element,
    },
    /// The tensor of that name is written by nobody.
    #[error("nothing is stored there")]
    NotStored,
    /// It holds something else.
    #[error("it holds {found}, and the graph gives out {expected}")]
    Other {
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: String,
    },
}

/// What is wrong with an instruction.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InstrError {
    /// An id that is not in its table.
    #[error("there is no {0}")]
    Lookup(String),
    /// Attributes that no graph has.
    #[error("the checker knows no instruction with these attributes")]
    Unknown,
    /// Reads what nobody wrote.
    #[error("reads {buffer}, of which channels {from}..{to} were not written in this tile")]
    Undefined {
        /// The buffer.
        buffer: BufferId,
        /// First channel that is missing.
        from: u64,
        /// One past the last of them.
        to: u64,
    },
    /// Reads what was overwritten.
    #[error("reads {buffer}, into whose bytes instruction {by} wrote")]
    Overwritten {
        /// The buffer.
        buffer: BufferId,
        /// The instruction.
        by: usize,
    },
    /// Writes over what it reads.
    #[error("writes {dst}, whose bytes it reads as {src}")]
    Alias {
        /// What it writes.
        dst: BufferId,
        /// What it reads.
        src: BufferId,
    },
    /// Computes what the graph does not ask for.
    #[error("computes {computed}, which is nothing that the graph asks for{nearest}")]
    Foreign {
        /// What it computes.
        computed: String,
        /// What is like it in the graph, with a semicolon before.
        nearest: String,
    },
    /// A result that its buffer or tensor has no room for.
    #[error("{what} is {found:?}, its result {expected:?}")]
    Shape {
        /// The buffer or tensor.
        what: String,
        /// Images, channels, rows and columns of the result.
        expected: [u64; 4],
        /// What there is.
        found: [u64; 4],
    },
    /// Operands that do not go together.
    #[error("its operands do not go together")]
    Operands,
    /// A weight that is laid out for something else.
    #[error("{weight} is laid out as {found}, and is read as {expected}")]
    Packing {
        /// The weight.
        weight: String,
        /// As it is read.
        expected: String,
        /// As it is.
        found: String,
    },
    /// A parameter that is not the graph's.
    #[error("{0}")]
    Weight(#[from] WeightError),
    /// A device tensor that holds nothing yet, or nothing any more.
    #[error("loads {0}, which holds nothing at this section's start")]
    NotHeld(TensorId),
    /// A tensor of which there are only the blocks of others.
    #[error("uses {0}, of which there are only the blocks that other tiles load")]
    NotItsBlocks(TensorId),
    /// A device tensor that somebody else writes, or nobody may.
    #[error("stores {0}, which is stored by others too, or must not be")]
    NotWritable(TensorId),
    /// An accumulator that holds something else.
    #[error("{0} is filled by another instruction, is not filled, or is of another shape")]
    Accumulator(AccumulatorId),
    /// Rows that were kept from the step before, and hold something else.
    #[error("reads rows of {buffer} that the step before left there, when it held something else")]
    Stale {
        /// The buffer.
        buffer: BufferId,
    },
    /// A coordinate that is not in the buffer.
    #[error(
        "step {step} of {axis}: for {output} of its result it reads {source_at} of {buffer}, which then holds {held}"
    )]
    Uncovered {
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// The coordinate of the result.
        output: i64,
        /// The coordinate that is read.
        source_at: i64,
        /// The buffer.
        buffer: BufferId,
        /// What it holds, as far as an interval can say.
        held: Interval,
    },
    /// A coordinate outside the extent that does not hold what the operation wants there.
    #[error(
        "step {step} of {axis}: for {output} of its result it reads {source_at} of {buffer}, outside the extent {extent}, where {}",
        outside(.held, .wanted)
    )]
    Outside {
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// The coordinate of the result.
        output: i64,
        /// The coordinate that is read.
        source_at: i64,
        /// The buffer.
        buffer: BufferId,
        /// Extent of its tensor.
        extent: u64,
        /// What is there, if it is defined.
        held: Option<f32>,
        /// What should be there, if anything may.
        wanted: Option<f32>,
    },
    /// What leaves the section leaves something out.
    #[error("along {axis}, no step owns coordinate {coordinate} of {buffer}")]
    Hole {
        /// y or x.
        axis: AxisId,
        /// The buffer.
        buffer: BufferId,
        /// The coordinate.
        coordinate: i64,
    },
    /// What leaves the section leaves twice, or lies outside the extent.
    #[error(
        "step {step} of {axis} owns {owned} of {buffer}, which is owned by another step too or does not exist"
    )]
    Twice {
        /// y or x.
        axis: AxisId,
        /// The buffer.
        buffer: BufferId,
        /// The step.
        step: u64,
        /// What it owns.
        owned: Interval,
    },
    /// A tile's part where the whole is wanted, or of an operation that is no sum over its parts, or more than that operation.
    #[error("takes a tile's part of {0} for what is no sum over such parts")]
    Part(String),
    /// Something whole that is added up.
    #[error("adds up {0}, which is no tile's contribution")]
    Whole(String),
    /// A contribution that is left out.
    #[error(
        "along {axis}, {source_at} of the operand contributes to {output} of {buffer}, and step {step}, whose part it is, adds nothing there"
    )]
    Missing {
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// The coordinate of the sum.
        output: i64,
        /// The coordinate that contributes.
        source_at: i64,
        /// The buffer that is added.
        buffer: BufferId,
    },
    /// Two steps that may add at the same time.
    #[error(
        "along {axis}, steps {other} and {step}, of one colour, both add to coordinate {coordinate} of {buffer}"
    )]
    Colour {
        /// y or x.
        axis: AxisId,
        /// The buffer.
        buffer: BufferId,
        /// One step.
        step: u64,
        /// The other.
        other: u64,
        /// The coordinate.
        coordinate: i64,
    },
    /// A sum that is cut within a grain.
    #[error("step {step} of {axis} owns {owned} of {buffer}, which cuts a grain of {grain}")]
    Grain {
        /// y or x.
        axis: AxisId,
        /// The buffer.
        buffer: BufferId,
        /// The step.
        step: u64,
        /// What it owns.
        owned: Interval,
        /// Length of a grain.
        grain: i64,
    },
}

fn outside(held: &Option<f32>, wanted: &Option<f32>) -> String {
    match (held, wanted) {
        (_, None) => "it must not read".to_owned(),
        (None, Some(wanted)) => format!("anything may be, not {wanted:?}"),
        (Some(held), Some(wanted)) => format!("{held:?} is, not {wanted:?}"),
    }
}

/// What is wrong with a section's tables.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SectionError {
    /// A table of another length.
    #[error("the tables of {axis} do not have one entry a buffer and one interval a step")]
    Tables {
        /// y or x.
        axis: AxisId,
    },
    /// A step that computes more than its buffer has room for: two rows would lie in one place.
    #[error("step {step} of {axis} computes {computed} of {buffer}, which has room for {room}")]
    Room {
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// The buffer.
        buffer: BufferId,
        /// What is computed.
        computed: Interval,
        /// Rows or columns of the buffer.
        room: u64,
    },
    /// Coordinates beyond all images.
    #[error("the extent or an interval of {buffer} is out of all bounds")]
    Coordinates {
        /// The buffer.
        buffer: BufferId,
    },
    /// A ring whose bytes are written as something else.
    #[error("{ring} keeps its rows from step to step, and shares bytes with {other}")]
    Shared {
        /// The ring.
        ring: BufferId,
        /// The other buffer.
        other: BufferId,
    },
    /// A tensor that is not in its table.
    #[error("it stores {0}, and there is no such tensor")]
    NoTensor(TensorId),
    /// Two tensors that the section stores share bytes.
    #[error("it stores {first} and {second}, which share bytes of device memory")]
    Stores {
        /// One.
        first: TensorId,
        /// The other.
        second: TensorId,
    },
}
