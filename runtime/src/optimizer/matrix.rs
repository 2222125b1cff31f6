//! Small dense matrices, rows one after the other.

use std::ops::{Add, Mul};

/// A matrix.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Matrix<T> {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// `rows · columns` values.
    pub(super) values: Vec<T>,
}

impl<T: Copy + Default + Add<Output = T> + Mul<Output = T>> Matrix<T> {
    pub(super) fn from_fn(rows: usize, columns: usize, value: impl Fn(usize, usize) -> T) -> Self {
        let value = &value;
        let values = (0..rows).flat_map(|y| (0..columns).map(move |x| value(y, x))).collect();
        Self { rows, columns, values }
    }

    pub(super) fn zeros(rows: usize, columns: usize) -> Self {
        Self { rows, columns, values: vec![T::default(); rows * columns] }
    }

    pub(super) fn at(&self, row: usize, column: usize) -> T {
        self.values[row * self.columns + column]
    }

    pub(super) fn transposed(&self) -> Self {
        Self::from_fn(self.columns, self.rows, |y, x| self.at(x, y))
    }

    /// `self · other`: `acc = 0`, then `acc = acc + a · b` over what is summed, ascending.
    pub(super) fn times(&self, other: &Self) -> Self {
        let mut product = Self::zeros(self.rows, other.columns);
        if self.columns == 0 || other.columns == 0 {
            return product;
        }
        let rows = product.values.chunks_exact_mut(other.columns).zip(self.values.chunks_exact(self.columns));
        for (row, factors) in rows {
            for (&factor, others) in factors.iter().zip(other.values.chunks_exact(other.columns)) {
                row.iter_mut().zip(others).for_each(|(acc, &b)| *acc = *acc + factor * b);
            }
        }
        product
    }

    pub(super) fn each(mut self, f: impl Fn(T) -> T) -> Self {
        self.values.iter_mut().for_each(|value| *value = f(*value));
        self
    }

    pub(super) fn plus(mut self, other: &Self) -> Self {
        self.values.iter_mut().zip(&other.values).for_each(|(a, &b)| *a = *a + b);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products() {
        let a = Matrix { rows: 2, columns: 3, values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] };
        assert_eq!(a.transposed().values, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(a.times(&a.transposed()).values, [14.0, 32.0, 32.0, 77.0]);
        assert_eq!(a.clone().plus(&a).each(|v| -v).values, [-2.0, -4.0, -6.0, -8.0, -10.0, -12.0]);
        assert_eq!(Matrix::<f64>::zeros(2, 0).times(&Matrix::zeros(0, 2)).values, [0.0; 4]);
    }
}
