//! What relates channels, rows or columns to one another: reductions along axes, normalisation over channels, products of matrices.

use zellige_compiler::ops::ArgValue;

use super::{Draw, Drawn};

impl Draw {
    pub(super) fn softmax(&mut self) -> Option<Drawn> {
        let x = self.any();
        self.op("softmax", &[], &[x], 1.0)
    }

    pub(super) fn argmax(&mut self) -> Option<Drawn> {
        let x = self.any();
        let channels = self.sizes(x)[1] as f64;
        self.op("argmax", &[], &[x], channels)
    }

    pub(super) fn layer_norm(&mut self) -> Option<Drawn> {
        let x = self.any();
        let mut args = Vec::new();
        if self.chance(40) {
            args.push(("eps", ArgValue::Float(1e-3)));
        }
        if self.chance(40) {
            args.push(("affine", ArgValue::Bool(self.rng.bool())));
        }
        let channels = self.sizes(x)[1] as f64;
        self.op("layer_norm", &args, &[x], 1.0 + channels.sqrt())
    }

    /// A mean or a sum over some of the axes.
    pub(super) fn reduction(&mut self, name: &str) -> Option<Drawn> {
        let x = self.any();
        let chosen = self.rng.u8(1..8);
        let axes: Vec<usize> = (1..=3).filter(|axis| chosen >> (axis - 1) & 1 == 1).collect();
        let count: u64 = axes.iter().map(|&axis| self.sizes(x)[axis]).product();
        let magnitude = if name == "sum" { count as f64 * x.magnitude } else { x.magnitude };
        let axes = axes.into_iter().map(|axis| ArgValue::Int(axis as i64)).collect();
        self.op(name, &[("axes", ArgValue::List(axes))], &[x], magnitude)
    }

    /// A fully connected layer, of means over space where there is space.
    pub(super) fn linear(&mut self) -> Option<Drawn> {
        let mut x = self.any();
        let [_, _, h, w] = self.sizes(x);
        if h * w > 1 {
            x = self.op("global_avg_pool", &[], &[x], x.magnitude)?;
        }
        let mut args = vec![("out", ArgValue::Int(self.rng.i64(1..=40)))];
        if self.chance(30) {
            args.push(("bias", ArgValue::Bool(false)));
        }
        self.op("linear", &args, &[x], x.magnitude + 0.5)
    }

    /// A product with a constant, or of two tensors, cropped to what suits.
    pub(super) fn matmul(&mut self) -> Option<Drawn> {
        let a = self.any();
        let [n, c, h, inner] = self.sizes(a);
        let (a, b) = if self.chance(50) {
            let width = self.rng.u64(1..=40);
            let shape =
                [if self.chance(80) { 1 } else { n }, if self.chance(50) { 1 } else { c }, inner, width];
            if shape.iter().product::<u64>() > 2000 {
                return None;
            }
            (a, self.constant(shape))
        } else {
            let b = self.any();
            let [_, other, rows, width] = self.sizes(b);
            let common = inner.min(rows);
            let a = self.cropped_to(a, [h, common])?;
            let b = self.cropped_to(b, [common, width])?;
            (a, if other == c || other == 1 || c == 1 { b } else { self.pointwise(b, c)? })
        };
        let magnitude = a.magnitude * b.magnitude * self.sizes(a)[3] as f64;
        self.op("matmul", &[], &[a, b], magnitude)
    }
}
