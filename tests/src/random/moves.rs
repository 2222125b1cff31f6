//! The moves that a model is made of.

use zellige_compiler::ops::ArgValue;

use super::{Draw, Drawn};

/// Ops that the moves draw by name, with arguments that suit them; rows of the table of activations are known besides.
pub(super) const KNOWN: &[&str] = &[
    "conv2d",
    "conv_transpose2d",
    "max_pool2d",
    "avg_pool2d",
    "global_avg_pool",
    "upsample",
    "pixel_shuffle",
    "concat",
    "crop",
    "pad",
    "reshape",
    "flatten",
    "transpose",
    "add",
    "sub",
    "mul",
    "div",
];

impl Draw {
    /// Adds an op or a few.
    pub(super) fn step(&mut self) -> Option<Drawn> {
        if !self.others.is_empty() && self.chance(12) {
            return self.other();
        }
        if self.boundaries && self.chance(12) {
            return self.boundary();
        }
        match self.rng.u8(0..100) {
            0..26 => self.conv(),
            26..42 => self.activation(),
            42..50 => self.arithmetic(),
            50..57 => self.with_constant(),
            57..64 => self.pool(),
            64..70 => self.concat(),
            70..76 => self.conv_transpose(),
            76..81 => self.upsample(),
            81..85 => self.pixel_shuffle(),
            85..89 => self.crop(),
            89..93 => self.pad(),
            93..97 => self.squeeze_excite(),
            97..99 => self.global_pool(),
            _ => self.of_constant(),
        }
    }

    /// An op that came later, or one that this module does not know, by its signature.
    fn other(&mut self) -> Option<Drawn> {
        let def = self.others[self.rng.usize(0..self.others.len())].clone();
        match def.name {
            "slice" => return self.slice(),
            "pixel_unshuffle" => return self.pixel_unshuffle(),
            "softmax" => return self.softmax(),
            "argmax" => return self.argmax(),
            "layer_norm" => return self.layer_norm(),
            "mean" | "sum" => return self.reduction(def.name),
            "linear" => return self.linear(),
            "matmul" => return self.matmul(),
            "mse" | "l1" | "bce_with_logits" | "dice" | "cross_entropy" => return self.loss(def.name),
            _ => {}
        }
        let mut args = Vec::new();
        for spec in &def.args {
            args.extend(self.argument(spec).map(|value| (spec.name, value)));
        }
        let first = self.any();
        if let Some((_, groups)) = args.iter_mut().find(|(name, _)| *name == "groups") {
            *groups = self.divisor(self.sizes(first)[1]);
        }
        let count = match def.inputs {
            zellige_compiler::ops::Inputs::Named(names) => names.len(),
            zellige_compiler::ops::Inputs::Many => self.rng.usize(1..=3),
        };
        let mut inputs = vec![first];
        while inputs.len() < count {
            let other = self.any();
            inputs.push(self.aligned(inputs[0], other)?[1]);
        }
        let magnitude = inputs.iter().map(|x| x.magnitude).fold(0.0, f64::max);
        self.op(def.name, &args, &inputs, magnitude)
    }

    /// A number that divides `n`.
    fn divisor(&mut self, n: u64) -> ArgValue {
        let divisors: Vec<u64> = (1..=n).filter(|d| n.is_multiple_of(*d)).collect();
        ArgValue::Int(divisors[self.rng.usize(0..divisors.len())] as i64)
    }

    /// Two tensors: of one shape, made so if need be, or one repeated over the other.
    fn arithmetic(&mut self) -> Option<Drawn> {
        let (a, b) = (self.any(), if self.chance(50) { self.narrow() } else { self.any() });
        let [a, b] = if self.broadcasts(a, b) {
            [a, b]
        } else {
            let [a, b] = self.aligned(a, b)?;
            let channels = self.sizes(a)[1];
            if self.sizes(b)[1] == channels { [a, b] } else { [a, self.pointwise(b, channels)?] }
        };
        self.combined(a, b)
    }

    /// Whether arithmetic takes both as they are.
    fn broadcasts(&self, a: Drawn, b: Drawn) -> bool {
        self.sizes(a).iter().zip(self.sizes(b)).all(|(&x, y)| x == y || x == 1 || y == 1)
    }

    /// A tensor that has one row, column or channel, if there is one.
    fn narrow(&mut self) -> Drawn {
        let narrow: Vec<Drawn> =
            self.values.iter().copied().filter(|&v| self.sizes(v)[1..].contains(&1)).collect();
        if narrow.is_empty() { self.any() } else { narrow[self.rng.usize(0..narrow.len())] }
    }

    /// A tensor and a constant: a number, one a channel, one a pixel, a row, a column, or all of them.
    fn with_constant(&mut self) -> Option<Drawn> {
        let x = self.any();
        let [n, c, h, w] = self.sizes(x);
        let shapes = [
            [1, 1, 1, 1],
            [1, c, 1, 1],
            [1, c, 1, 1],
            [1, c, h, w],
            [1, 1, h, w],
            [1, c, h, 1],
            [1, 1, 1, w],
            [n, c, 1, 1],
            [n, c, h, w],
        ];
        let shape = shapes[self.rng.usize(0..shapes.len())];
        let constant = self.constant(shape);
        let [a, b] = if self.chance(70) { [x, constant] } else { [constant, x] };
        self.combined(a, b)
    }

    /// An op that reads nothing but a constant, of one image.
    fn of_constant(&mut self) -> Option<Drawn> {
        let (c, h, w) = (self.channels(), self.extent(), self.extent());
        if c * h * w > 2000 {
            return None;
        }
        let constant = self.constant([1, c as u64, h as u64, w as u64]);
        self.activated(constant)
    }

    /// Sum, difference, product or quotient. Divisors are kept away from zero.
    fn combined(&mut self, a: Drawn, b: Drawn) -> Option<Drawn> {
        let (x, y) = (a.magnitude, b.magnitude);
        match self.rng.u8(0..5) {
            0 | 1 => self.op("add", &[], &[a, b], x + y),
            2 => self.op("sub", &[], &[a, b], x + y),
            3 => self.op("mul", &[], &[a, b], x * y),
            _ => {
                let b = self.positive(b, 0.5)?;
                self.op("div", &[], &[a, b], 2.0 * x)
            }
        }
    }
}
