//! The operations: a file per family, each op a struct that answers the compiler's questions.
//!
//! Passes ask through [`Op`] and never look at an op's name. To add an op, write its struct and add it to the `defs()` of its
//! family; an activation is one row of [`ACTIVATIONS`].

mod activations;
mod args;
mod arithmetic;
mod batch_statistics;
mod binary_cross_entropy;
mod channels;
mod conv;
mod conv_gradient;
mod cross_entropy;
mod dense;
mod derivative;
mod derive;
mod dice;
mod dropout;
mod elementwise;
mod expand;
mod fixed_norm;
mod fold;
mod global;
mod gradient;
mod loss_parts;
mod losses;
mod max_gradient;
mod norm;
mod norm_gradient;
mod norm_parts;
mod pad;
mod pad_gradient;
mod pixel_shuffle;
mod pointwise;
mod pool_gradient;
mod reductions;
mod repeat;
mod requirement;
mod resample;
mod resample_gradient;
mod reshape;
mod scale;
mod shape;
mod slice;
mod training;
mod window;

use std::fmt::Debug;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zellige_grammar::zir::decode::decode;
use zellige_runtime::program::instr::{Addressing, AxisId, Epilogue, Statistic, Window};
use zellige_runtime::program::{AccumulatorKind, BufferId, Instr, Packing, WeightId};
use zellige_runtime::scalar::Expr;

use crate::base::{AxisMap, Bindings, ParamId, Shape, ValueId};

pub use activations::{ACTIVATIONS, Activation, ActivationArg};
pub use args::{ArgError, ArgKind, ArgSpec, ArgValue, Args};
pub use derive::{Formula, FormulaError, Kind as FormulaKind};
pub use expand::Builder;
pub use gradient::{Differentiable, Gradients};
pub(crate) use gradient::{added, divided, repeat, repeated_like};
pub(crate) use pad::padded_circularly;
pub use requirement::{Requirement, Requirements, ShapeError};
pub(crate) use shape::cropped;
pub use training::{Averaged, InTraining, Trained, TrainingBuilder, TrainingSite};

/// Sizes of a shape: images, channels, rows, columns.
pub type Sizes = [u64; 4];

/// An operation of the graph: one output, NCHW shapes.
pub trait Op: Debug + Send + Sync {
    /// Name in the language and in `.zir`.
    fn name(&self) -> &'static str;

    /// Attributes, as they are printed; [`OpDef::parse`] reads them back.
    fn attrs(&self) -> Value;

    /// The output's shape. What symbols leave open becomes a requirement. If it is not said: that of the first input, which the others
    /// have or are repeated over.
    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        pointwise::shape_of_first(inputs, requirements)
    }

    /// The parameters that the op has, given the shapes of its inputs.
    fn params(&self, _inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        Ok(Vec::new())
    }

    /// Which coordinates of input `input` an output coordinate reads along `axis`, once sizes are known. If it is not said: the same, of
    /// inputs that are repeated over one another.
    fn access(&self, input: usize, axis: AxisId, inputs: &[Sizes]) -> AxisMap {
        pointwise::access(input, axis, inputs)
    }

    /// What the op finds where it reads outside the extent of input `input`.
    fn outside(&self, _input: usize) -> Outside {
        Outside::Skipped
    }

    /// The classes whose numbers input `input` holds; `None` where all values are alike.
    fn classes(&self, _input: usize, _inputs: &[Shape]) -> Option<Classes> {
        None
    }

    /// What the op gathers over space of its last input, tile by tile and in whole grains; what it reads of other inputs are the
    /// coordinates that [`Self::access`] says for those of the last. `None` if it is no reduction.
    fn reduction(&self) -> Option<Reduction> {
        None
    }

    /// Whether it runs tile by tile or needs all of its input.
    fn placement(&self) -> Placement {
        if self.reduction().is_some() { Placement::Reduce } else { Placement::Tile }
    }

    /// How each channel is scaled and shifted by what follows from parameters alone, if that is what the op does. Such an op has no
    /// instruction: pass `fold-batch-norm` puts another in its place.
    fn channel_scaling(&self) -> Option<ChannelScaling> {
        None
    }

    /// The op with a scaling of its output's channels moved into its parameters; `None` if it cannot be.
    fn absorb_scaling(&self) -> Option<Absorbed> {
        None
    }

    /// Floating-point operations for one output pixel, all channels.
    fn flops(&self, inputs: &[Sizes], output: Sizes) -> u64;

    /// The op as an expression over its inputs, then its parameters (one value a channel); `None` if it is not elementwise.
    fn expression(&self) -> Option<Expr> {
        None
    }

    /// The input over which the output is a sum that each of its elements contributes to by itself: the gradient that an input's gradient
    /// is made of. `--grad rmw` cuts this input into tiles and adds up what each gives. `None` if it is no gradient, or reads other
    /// inputs otherwise.
    fn adds_up(&self) -> Option<usize> {
        None
    }

    /// Whether an elementwise tail can be fused into the op's store.
    fn takes_epilogue(&self) -> bool {
        false
    }

    /// How far (top, left, bottom, right) its output goes on with the pixels of the opposite borders, if that is all that it does.
    fn pads_circularly(&self) -> Option<[i64; 4]> {
        None
    }

    /// Whether what it makes of a pixel depends on where that lies.
    fn depends_on_place(&self) -> bool {
        false
    }

    /// The instructions that compute one tile; asked only of ops placed tile by tile that are neither elementwise nor expanded.
    fn lower(&self, _operands: &Lowering<'_>) -> Vec<Instr> {
        Vec::new()
    }

    /// Whether the output is the first input, bit for bit.
    fn is_identity(&self, _inputs: &[Shape]) -> bool {
        false
    }

    /// The op as simpler ones, bit for bit, whose last output this gives; `None` if it has an instruction of its own. `canonicalize`
    /// asks, and expands what comes of it in turn.
    fn expand(
        &self,
        _builder: &mut dyn Builder,
        _inputs: &[ValueId],
        _params: &[ParamId],
    ) -> Option<ValueId> {
        None
    }

    /// The gradients of inputs and parameters as ops; `None` if there are no ops for them. Asked after `canonicalize`, of bound graphs.
    fn gradient(&self, _builder: &mut dyn Builder, _at: &Differentiable<'_>) -> Option<Gradients> {
        None
    }

    /// The op that takes its place in a graph that is differentiated, where no parameter goes into another; `None` if it stays.
    fn unfolded(&self) -> Option<Arc<dyn Op>> {
        None
    }

    /// What it does in training, given which of its parameters are frozen; `None` if that is nothing else.
    fn training(&self, _frozen: &[bool]) -> Option<&dyn InTraining> {
        None
    }

    /// For a part of its input that gives an output of so many rows and columns; `None` where no attribute says how many there are.
    fn resized(&self, _output: [u64; 2]) -> Option<Arc<dyn Op>> {
        None
    }

    /// With symbols in attributes replaced; `None` where there are none.
    fn substitute(&self, _bindings: &Bindings) -> Option<Arc<dyn Op>> {
        None
    }
}

impl PartialEq for dyn Op {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.attrs() == other.attrs()
    }
}

/// Classes by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classes {
    /// How many there are, from 0 on.
    pub count: u64,
    /// The number that says that there is none.
    pub ignored: i64,
}

impl Classes {
    /// Whether a value is the number of one, or says that there is none.
    pub fn contains(self, value: f32) -> bool {
        let is_class = value >= 0.0 && value < self.count as f32 && value.fract() == 0.0;
        is_class || value == self.ignored as f32
    }
}

/// What an op finds outside the extent of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// It does not read there, or leaves such taps out by itself.
    Skipped,
    /// Zeros, which must be in the buffer.
    Zero,
}

/// How an op meets the tiles of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Each output tile needs a bounded part of the inputs.
    Tile,
    /// Gathers all of its input, tile by tile; its result is there when the section has ended.
    Reduce,
    /// Its input lies whole in device memory, and a load that addresses it otherwise is all there is to do: it may run in
    /// any section but the one that makes its input.
    Boundary(Addressing),
}

/// What a reduction over space gathers.
#[derive(Clone, Copy, Debug)]
pub enum Reduction {
    /// A statistic of its only input.
    Statistic(SpatialStatistic),
    /// Products of its last input with its first.
    Products(Products),
}

impl Reduction {
    /// Of which kind the accumulator is.
    pub fn kind(self) -> AccumulatorKind {
        match self {
            Self::Statistic(of) => of.statistic.kind(),
            Self::Products(_) => AccumulatorKind::Products,
        }
    }
}

/// The sums that the gradient of a convolution's weights consists of.
#[derive(Clone, Copy, Debug)]
pub struct Products {
    /// Geometry of the convolution.
    pub window: Window,
    /// Its number of groups.
    pub groups: u32,
    /// Whether it is a transposed convolution.
    pub transposed: bool,
}

/// A statistic over space, exact and the same for every tiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpatialStatistic {
    /// Which one.
    pub statistic: Statistic,
    /// Groups of neighbouring channels that are taken together, each of which gets the result; each channel is by itself if not
    /// given.
    pub groups: Option<u32>,
}

impl SpatialStatistic {
    /// How many of so many channels are taken together.
    pub fn group(&self, channels: u64) -> u64 {
        self.groups.map_or(1, |groups| channels / u64::from(groups).max(1)).max(1)
    }
}

/// A batch normalisation with fixed statistics: its parameters are those that a [`Formula`] reads.
#[derive(Debug)]
pub struct ChannelScaling {
    /// Added to the variance.
    pub eps: f64,
    /// What to put in its place where no other op absorbs it; its parameters are scale and shift.
    pub op: Arc<dyn Op>,
}

/// An op that has absorbed a scaling of channels.
#[derive(Debug)]
pub struct Absorbed {
    /// What it has become; its parameters are weight and bias.
    pub op: Arc<dyn Op>,
    /// As [`Formula::transposed`].
    pub transposed: Option<u32>,
}

/// A parameter that an op has.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamSpec {
    /// Last part of its path: `weight`, `bias`.
    pub suffix: &'static str,
    /// Shape.
    pub dims: Vec<u64>,
    /// Layout that the op's instruction wants.
    pub packing: Packing,
    /// How it starts where no weights are given.
    pub init: Init,
}

/// Initial values of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Uniform in ±bound.
    Uniform(f32),
    /// All the same.
    Constant(f32),
}

/// The operands of an op that is lowered.
#[derive(Debug)]
pub struct Lowering<'a> {
    /// Buffer of the output.
    pub dst: BufferId,
    /// Buffers of the inputs.
    pub srcs: &'a [BufferId],
    /// Sizes of the inputs.
    pub inputs: &'a [Sizes],
    /// Weights, one for each of [`Op::params`].
    pub weights: &'a [WeightId],
    /// Elementwise tail, for ops that take one.
    pub epilogue: Option<Epilogue>,
}

/// How many tensors an op takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// Exactly these.
    Named(&'static [&'static str]),
    /// One or more.
    Many,
}

/// An op's entry in the list: what the language and `.zir` know of it.
#[derive(Clone)]
pub struct OpDef {
    /// Name.
    pub name: &'static str,
    /// One line for the documentation.
    pub doc: &'static str,
    /// Tensors that it takes.
    pub inputs: Inputs,
    /// Further arguments.
    pub args: Vec<ArgSpec>,
    /// From the arguments of a call.
    pub build: Build,
    /// From printed attributes.
    pub parse: Parse,
    /// Whether only other ops are expanded into it: `.zir` knows it, the language does not.
    pub internal: bool,
}

/// Makes an op from the arguments of a call.
pub type Build = Arc<dyn Fn(&Args) -> Result<Arc<dyn Op>, ArgError> + Send + Sync>;
/// Makes an op from its printed attributes.
pub type Parse = Arc<dyn Fn(Value) -> Result<Arc<dyn Op>, String> + Send + Sync>;

/// An op whose attributes are its fields.
trait FromAttrs: Op + DeserializeOwned + Sized + 'static {
    /// What serde cannot see is wrong with the attributes.
    fn check(&self) -> Result<(), ArgError> {
        Ok(())
    }
}

impl OpDef {
    /// The entry of an op that is built by `build`.
    fn new<T: FromAttrs>(
        name: &'static str,
        doc: &'static str,
        inputs: Inputs,
        args: Vec<ArgSpec>,
        build: impl Fn(&Args) -> Result<T, ArgError> + Send + Sync + 'static,
    ) -> Self {
        let checked = |op: T| -> Result<Arc<dyn Op>, ArgError> {
            op.check()?;
            Ok(Arc::new(op))
        };
        Self {
            name,
            doc,
            inputs,
            args,
            build: Arc::new(move |args| checked(build(args)?)),
            parse: Arc::new(move |value| {
                let op: T = decode(value).map_err(|e| e.to_string())?;
                checked(op).map_err(|e| e.to_string())
            }),
            internal: false,
        }
    }

    /// The entry of an op that only other ops are made of.
    fn part<T: FromAttrs>(name: &'static str, doc: &'static str, inputs: &'static [&'static str]) -> Self {
        Self::parsed(name, doc, Inputs::Named(inputs), |value| {
            let op: T = decode(value).map_err(|e| e.to_string())?;
            op.check().map_err(|e| e.to_string())?;
            Ok(Arc::new(op))
        })
    }

    /// As [`Self::part`], with what reads its attributes.
    fn parsed(
        name: &'static str,
        doc: &'static str,
        inputs: Inputs,
        parse: impl Fn(Value) -> Result<Arc<dyn Op>, String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            doc,
            inputs,
            args: Vec::new(),
            build: Arc::new(move |_| Err(ArgError::new(name, "is for the ops that are made of it"))),
            parse: Arc::new(parse),
            internal: true,
        }
    }
}

/// The attributes of a struct that serialises as a map.
fn attrs_of(op: &impl Serialize) -> Value {
    serde_json::to_value(op).unwrap_or(Value::Null)
}

/// Every op, in the order of the documentation.
pub fn all() -> impl Iterator<Item = OpDef> {
    [
        conv::defs(),
        conv_gradient::defs(),
        window::defs(),
        pool_gradient::defs(),
        global::defs(),
        max_gradient::defs(),
        reductions::defs(),
        norm::defs(),
        norm_parts::defs(),
        batch_statistics::defs(),
        fixed_norm::defs(),
        norm_gradient::defs(),
        resample::defs(),
        resample_gradient::defs(),
        pixel_shuffle::defs(),
        shape::defs(),
        slice::defs(),
        pad::defs(),
        pad_gradient::defs(),
        reshape::defs(),
        channels::defs(),
        dense::defs(),
        fold::defs(),
        arithmetic::defs(),
        elementwise::defs(),
        derivative::defs(),
        repeat::defs(),
        dropout::defs(),
        losses::defs(),
        binary_cross_entropy::defs(),
        dice::defs(),
        cross_entropy::defs(),
        loss_parts::defs(),
    ]
    .into_iter()
    .flatten()
}

/// The op of that name.
pub fn find(name: &str) -> Option<OpDef> {
    all().find(|def| def.name == name)
}
