//! The subspace of a weight's gradients, and how it turns.

use super::matrix::Matrix;
use super::rules::{Adam, Moments};
use super::singular;

/// The subspace's own optimizer: Adam, without decay.
const TURNING: Adam = Adam { betas: [0.9, 0.999], eps: 1e-8 };

/// A subspace of the space of a matrix's columns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Subspace {
    /// P: `rows × rank`, about orthonormal; zeros before the first gradient.
    pub(super) basis: Matrix<f32>,
    /// Columns of the weight as a matrix.
    columns: usize,
    /// Means of the gradient of P.
    pub(super) moments: Moments,
}

impl Subspace {
    /// Of a weight of this shape, as a matrix of its first dimension and the others; `None` if it is no matrix, or one whose rank
    /// is not larger than the subspace's.
    pub(super) fn new(dims: &[u64], rank: u64) -> Option<Self> {
        let (&rows, others) = dims.split_first()?;
        let columns: u64 = others.iter().product();
        if rank >= rows.min(columns) {
            return None;
        }
        let [rows, columns, rank] = [rows, columns, rank].map(|n| n as usize);
        let moments = Moments { first: vec![0.0; rows * rank], second: vec![0.0; rows * rank] };
        Some(Self { basis: Matrix::zeros(rows, rank), columns, moments })
    }

    /// Elements of what lies in the subspace: `rank × columns`.
    pub(super) fn len(&self) -> usize {
        self.basis.columns * self.columns
    }

    fn matrix(&self, rows: usize, values: &[f32]) -> Matrix<f32> {
        Matrix { rows, columns: self.columns, values: values.to_vec() }
    }

    /// Takes the leading singular vectors of a gradient for the basis.
    pub(super) fn begin(&mut self, gradient: &[f32]) {
        self.basis = singular::leading(&self.matrix(self.basis.rows, gradient), self.basis.columns);
    }

    /// `Pᵀ · G`.
    pub(super) fn down(&self, gradient: &[f32]) -> Vec<f32> {
        self.basis.transposed().times(&self.matrix(self.basis.rows, gradient)).values
    }

    /// `P · u`.
    pub(super) fn up(&self, update: &[f32]) -> Vec<f32> {
        self.basis.times(&self.matrix(self.basis.columns, update)).values
    }

    /// One step of P down the gradient of `‖P·Pᵀ·G̃ − G̃‖² + λ‖Pᵀ·P − I‖²` with `G̃ = G / ‖G‖`, as the `count`-th one (from 1). A
    /// gradient of norm 0, or that is not finite, does nothing.
    pub(super) fn turn(&mut self, gradient: &[f32], rate: f64, penalty: f64, count: u64) {
        let norm = gradient.iter().fold(0.0, |sum, &g| sum + f64::from(g) * f64::from(g)).sqrt();
        if norm == 0.0 || !norm.is_finite() {
            return;
        }
        let normalised = self.matrix(self.basis.rows, gradient).each(|g| (f64::from(g) / norm) as f32);
        let mut update = self.slope(&normalised, penalty as f32).values;
        TURNING.update(count, &mut self.moments, &mut update);
        let rate = rate as f32;
        self.basis.values.iter_mut().zip(&update).for_each(|(p, u)| *p -= rate * u);
    }

    /// The gradient of P: with `B = Pᵀ·G̃`, `C = G̃·Bᵀ` and `K = Pᵀ·P − I` it is `2·(P·(B·Bᵀ) − C + C·K) + 4·λ·P·K`.
    fn slope(&self, g: &Matrix<f32>, penalty: f32) -> Matrix<f32> {
        let p = &self.basis;
        let transposed = p.transposed();
        let b = transposed.times(g);
        let across = b.transposed();
        let c = g.times(&across);
        let gram = transposed.times(p);
        let k = Matrix::from_fn(gram.rows, gram.columns, |y, x| gram.at(y, x) - f32::from(u8::from(y == x)));
        let reconstruction = p.times(&b.times(&across)).plus(&c.times(&k)).plus(&c.each(|v| -v));
        reconstruction.each(|v| 2.0 * v).plus(&p.times(&k).each(|v| 4.0 * penalty * v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Key;

    fn random(rows: usize, columns: usize, seed: u64) -> Matrix<f32> {
        let key = Key::new(seed);
        Matrix::from_fn(rows, columns, |y, x| key.uniform((y * columns + x) as u64) - 0.5)
    }

    #[test]
    fn only_matrices_of_larger_rank_have_one() {
        for dims in [&[64][..], &[], &[4, 8], &[8, 4, 1, 1], &[3, 16, 3, 3]] {
            assert!(Subspace::new(dims, 4).is_none(), "{dims:?}");
        }
        let subspace = Subspace::new(&[5, 2, 3, 3], 4).unwrap();
        assert_eq!((subspace.basis.rows, subspace.basis.columns, subspace.len()), (5, 4, 72));
    }

    /// The slope against differences of the loss in f64.
    #[test]
    fn the_slope_is_that_of_the_loss() {
        let mut subspace = Subspace::new(&[5, 7], 2).unwrap();
        subspace.basis = random(5, 2, 1);
        let (g, penalty) = (random(5, 7, 2), 0.3);
        let loss = |p: &[f64]| -> f64 {
            let p = Matrix { rows: 5, columns: 2, values: p.to_vec() };
            let g = Matrix { rows: 5, columns: 7, values: g.values.iter().map(|v| f64::from(*v)).collect() };
            let rest = p.times(&p.transposed().times(&g)).plus(&g.clone().each(|v| -v));
            let gram = p.transposed().times(&p);
            let k = Matrix::from_fn(2, 2, |y, x| gram.at(y, x) - f64::from(u8::from(y == x)));
            let square = |m: &Matrix<f64>| m.values.iter().map(|v| v * v).sum::<f64>();
            square(&rest) + penalty * square(&k)
        };
        let slope = subspace.slope(&g, penalty as f32);
        let p: Vec<f64> = subspace.basis.values.iter().map(|v| f64::from(*v)).collect();
        for i in 0..p.len() {
            let [above, below] = [1e-5, -1e-5].map(|step| {
                let mut p = p.clone();
                p[i] += step;
                loss(&p)
            });
            let want = (above - below) / 2e-5;
            assert!((f64::from(slope.values[i]) - want).abs() < 1e-5, "{i}: {} {want}", slope.values[i]);
        }
    }

    #[test]
    fn no_gradient_turns_nothing() {
        let mut subspace = Subspace::new(&[5, 7], 2).unwrap();
        subspace.begin(&random(5, 7, 3).values);
        let before = subspace.clone();
        for value in [0.0, f32::NAN, f32::INFINITY] {
            subspace.turn(&[value; 35], 0.1, 0.1, 1);
            assert_eq!(subspace, before);
        }
    }
}
