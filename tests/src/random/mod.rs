//! Random models, drawn from a seed: every op of the list, in graphs with branches, skips and broadcasting.
//!
//! An op that this module does not know by name (a new one, or a new row of the table of activations) is drawn all the same,
//! with arguments that follow from its signature. Magnitudes are kept between 1e-2 and 1e2, so that results are well
//! conditioned: every value carries an estimate of its largest magnitude.

mod activation;
mod arguments;
mod boundary;
mod dense;
mod gradients;
mod loss;
mod moves;
mod periodic;
mod resized;
mod shapes;
mod window;

pub use gradients::gradients;
pub use periodic::periodic;

use fastrand::Rng;
use zellige_compiler::base::{Shape, TensorType, ValueId};
use zellige_compiler::ir::{Graph, Output};
use zellige_compiler::ops::{self, ACTIVATIONS, Activation, ArgValue, Args, OpDef, Sizes};
use zellige_grammar::Span;

/// Most elements of a tensor, and most multiply-adds of an op: tests are to run in seconds, on the reference engine too.
const MOST_ELEMENTS: u64 = 40_000;
const MOST_FLOPS: u64 = 6_000_000;
/// The magnitude beyond which a value is scaled down.
const LARGE: f64 = 8.0;

/// The model of a seed, of all ops that there are: its sizes are known, and it has an input and an output.
pub fn model(seed: u64) -> Graph {
    model_of(seed, &all_names())
}

fn all_names() -> Vec<String> {
    ops::all().filter(|def| !def.internal).map(|def| def.name.to_owned()).collect()
}

/// The model of a seed, of the ops named alone (and those that the moves know): the same one when more ops are there.
pub fn model_of(seed: u64, names: &[String]) -> Graph {
    Draw::model(seed, names).graph
}

/// A tensor of the model in the making.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    id: ValueId,
    /// About how large its values get.
    magnitude: f64,
}

struct Draw {
    rng: Rng,
    graph: Graph,
    /// Tensors to draw inputs of ops from, oldest first.
    values: Vec<Drawn>,
    /// Rows of the table of activations.
    rows: Vec<&'static Activation>,
    /// Whether padding with pixels of the tensor, and reshapes, are drawn.
    boundaries: bool,
    /// Ops that came later, and ops that are drawn by their signature alone.
    others: Vec<OpDef>,
    /// Whether modes of resampling and pooling are drawn that came with `pixel_unshuffle`: models of older data have none.
    resampling: bool,
}

impl Draw {
    fn new(seed: u64, names: &[String]) -> Self {
        let row = |name: &String| ACTIVATIONS.iter().find(|row| row.name == name);
        let is_other = |name: &&String| row(name).is_none() && !moves::KNOWN.contains(&name.as_str());
        Self {
            rng: Rng::with_seed(seed),
            graph: Graph { name: format!("random_{seed}"), ..Graph::default() },
            values: Vec::new(),
            rows: names.iter().filter_map(row).collect(),
            boundaries: names.iter().any(|name| name == "reshape"),
            others: names.iter().filter(is_other).filter_map(|name| ops::find(name)).collect(),
            resampling: names.iter().any(|name| name == "pixel_unshuffle"),
        }
    }

    /// All of a model.
    fn model(seed: u64, names: &[String]) -> Self {
        let mut draw = Self::new(seed, names);
        draw.inputs();
        let length = draw.rng.usize(4..=16);
        let mut attempts = 0;
        while draw.graph.ops.len() < length && attempts < 20 * length {
            attempts += 1;
            // A move that does not fit is given up; what it has added by then may be left over as dead code.
            let _ = draw.step();
        }
        draw.outputs();
        draw
    }

    /// One to three inputs of one number of images: the first is an image, the others may be something smaller.
    fn inputs(&mut self) {
        let n = if self.chance(25) { 2 } else { 1 };
        let (c, [h, w]) = (self.channels(), [self.extent(), self.extent()]);
        self.input(n, c, h, w);
        for _ in 0..[0, 0, 0, 1, 1, 2][self.rng.usize(0..6)] {
            let channels = self.channels();
            match self.rng.u8(0..6) {
                0 => self.input(n, c, 1, 1),
                1 => self.input(n, 1, h, w),
                2 => self.input(n, c, (h + 1) / 2, (w + 1) / 2),
                3 => self.input(n, channels, h, 1),
                _ => self.input(n, channels, h, w),
            }
        }
    }

    fn input(&mut self, n: i64, c: i64, h: i64, w: i64) {
        let name = format!("x{}", self.graph.inputs.len());
        let id = self.graph.add_input(&name, TensorType::f32(Shape::new(n, c, h, w)));
        self.values.push(Drawn { id, magnitude: 1.0 });
    }

    fn channels(&mut self) -> i64 {
        match self.rng.u8(0..12) {
            0 => self.rng.i64(17..=40),
            1 => self.rng.i64(9..=17),
            2 => 1,
            3 => 3,
            _ => self.rng.i64(1..=8),
        }
    }

    fn extent(&mut self) -> i64 {
        match self.rng.u8(0..12) {
            0 => self.rng.i64(1..4),
            1 | 2 => self.rng.i64(4..16),
            _ => self.rng.i64(16..=70),
        }
    }

    /// The last tensor and some of those that nothing reads; now and then an intermediate one.
    fn outputs(&mut self) {
        let consumers = self.graph.consumers();
        let last = self.values[self.values.len() - 1].id;
        let mut chosen = vec![last];
        for value in self.values.clone() {
            let computed = self.graph.producer(value.id).is_some();
            let percent = if consumers.contains_key(&value.id) { 6 } else { 60 };
            if computed && value.id != last && chosen.len() < 4 && self.chance(percent) {
                chosen.push(value.id);
            }
        }
        self.graph.outputs = chosen
            .into_iter()
            .enumerate()
            .map(|(i, value)| Output {
                name: format!("y{i}"),
                value,
                ty: self.graph.values[value].ty.clone(),
            })
            .collect();
    }

    fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(0..100) < percent
    }

    fn sizes(&self, value: Drawn) -> Sizes {
        self.graph.sizes(value.id).expect("all sizes of a random model are known")
    }

    /// A tensor, most likely one of the latest.
    fn any(&mut self) -> Drawn {
        let n = self.values.len();
        let back = if self.chance(70) { self.rng.usize(0..n.min(2)) } else { self.rng.usize(0..n) };
        self.values[n - 1 - back]
    }

    /// A tensor with more than one pixel, if there is one among a few.
    fn image(&mut self) -> Drawn {
        let mut value = self.any();
        for _ in 0..8 {
            if self.sizes(value)[2] * self.sizes(value)[3] > 1 {
                break;
            }
            value = self.any();
        }
        value
    }

    /// Adds an op; `None` if it takes no such inputs or arguments, or is too large to run in a test.
    fn op(
        &mut self,
        name: &str,
        args: &[(&str, ArgValue)],
        inputs: &[Drawn],
        magnitude: f64,
    ) -> Option<Drawn> {
        let def = ops::find(name)?;
        let args = Args::new(args.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect());
        let op = (def.build)(&args).ok()?;
        let inputs: Vec<ValueId> = inputs.iter().map(|v| v.id).collect();
        let sizes: Vec<Sizes> = inputs.iter().map(|&v| self.graph.sizes(v)).collect::<Option<_>>()?;
        let output =
            op.infer(&self.graph.shapes(&inputs), &mut ops::Requirements::default()).ok()?.sizes()?;
        let pixels = output[0] * output[2] * output[3];
        if pixels * output[1] > MOST_ELEMENTS
            || op.flops(&sizes, output).saturating_mul(pixels) > 2 * MOST_FLOPS
        {
            return None;
        }
        let path = format!("{name}{}", self.graph.ops.len());
        let id = self.graph.add_op(&path, op, inputs, &path, Span::default()).ok()?;
        let value = Drawn { id, magnitude };
        self.values.push(value);
        Some(if magnitude > LARGE { self.tamed(value, 2.0)? } else { value })
    }

    /// The value scaled down to `magnitude`.
    fn tamed(&mut self, value: Drawn, magnitude: f64) -> Option<Drawn> {
        let factor = self.scalar((magnitude / value.magnitude) as f32);
        self.op("mul", &[], &[value, factor], magnitude)
    }

    /// A constant of one element.
    fn scalar(&mut self, value: f32) -> Drawn {
        let id = self.graph.add_constant("number", Shape::new(1, 1, 1, 1), vec![value]);
        Drawn { id, magnitude: f64::from(value.abs()) }
    }

    /// A constant with values between 1/2 and 3/2 and random signs.
    fn constant(&mut self, [n, c, h, w]: [u64; 4]) -> Drawn {
        let mut value = || (0.5 + self.rng.f32()) * if self.rng.bool() { 1.0 } else { -1.0 };
        let data = (0..n * c * h * w).map(|_| value()).collect();
        let shape = Shape::new(n as i64, c as i64, h as i64, w as i64);
        let id = self.graph.add_constant("constant", shape, data);
        Drawn { id, magnitude: 1.5 }
    }
}
