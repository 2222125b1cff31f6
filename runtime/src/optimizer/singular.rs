//! The leading left singular vectors of a matrix.
//!
//! They are the leading eigenvectors of `C = A·Aᵀ`, found by subspace iteration with Rayleigh–Ritz projections: a block of more
//! vectors than are asked for is multiplied by C and made orthonormal; within the block, the symmetric matrix `Qᵀ·C·Q` is
//! diagonalised by Jacobi's rotations. If the block is the whole space, that is exact at once. All in f64 and in one order, without
//! elementary functions: the same bits on every machine, which a library's choice of instructions would not give.

use super::matrix::Matrix;
use crate::random::Key;

/// Projections at most; where singular values are so close that it takes more, one vector is as good as another.
const MOST_PROJECTIONS: usize = 40;
/// Multiplications by C between projections.
const MULTIPLICATIONS: usize = 3;
/// Where the residuals of the eigenvectors, beside the largest eigenvalue, are taken for zero.
const RESIDUAL: f64 = 1e-11;
/// Jacobi's sweeps at most; some eight do.
const MOST_SWEEPS: usize = 30;
/// A vector of which less than this share is left has been a combination of those before it.
const DEPENDENT: f64 = 1e-10;

/// An orthonormal basis, `rows × rank`, of the leading left singular vectors, the largest value first. The largest component of a
/// vector, the first of equals, is positive. What is not finite counts as zero, and where there are fewer than `rank` vectors,
/// others fill up.
pub(super) fn leading(a: &Matrix<f32>, rank: usize) -> Matrix<f32> {
    let finite = |v: f32| if v.is_finite() { f64::from(v) } else { 0.0 };
    let a =
        Matrix { rows: a.rows, columns: a.columns, values: a.values.iter().map(|&v| finite(v)).collect() };
    let transposed = a.transposed();
    // The smaller way to multiply by C.
    let square = (a.rows <= a.columns).then(|| a.times(&transposed));
    let by_c = |q: &Matrix<f64>| match &square {
        Some(square) => square.times(q),
        None => a.times(&transposed.times(q)),
    };
    let block = (2 * rank + 4).min(a.rows);
    let start = Key::new(0);
    let mut q = orthonormal(Matrix::from_fn(a.rows, block, |y, x| {
        f64::from(start.uniform((y * block + x) as u64)) - 0.5
    }));
    for _ in 0..MOST_PROJECTIONS {
        for _ in 1..MULTIPLICATIONS {
            q = orthonormal(by_c(&q));
        }
        let product = by_c(&q);
        let (values, vectors) = eigen(q.transposed().times(&product));
        let (ritz, product) = (q.times(&vectors), product.times(&vectors));
        let largest = values.first().copied().unwrap_or_default();
        let residual = |j: usize| -> f64 {
            let of_row = |y: usize| product.at(y, j) - values[j] * ritz.at(y, j);
            (0..a.rows).map(|y| of_row(y) * of_row(y)).sum::<f64>().sqrt()
        };
        let converged = (0..rank.min(block)).all(|j| residual(j) <= RESIDUAL * largest);
        q = orthonormal(ritz);
        if converged {
            break;
        }
    }
    let columns = q.transposed();
    let signed: Vec<f64> = columns.values.chunks_exact(a.rows.max(1)).flat_map(with_sign).collect();
    Matrix::from_fn(a.rows, rank, |y, x| signed[x * a.rows + y] as f32)
}

fn with_sign(column: &[f64]) -> impl Iterator<Item = f64> {
    let largest = column.iter().fold(0.0, |best: f64, &v| if v.abs() > best.abs() { v } else { best });
    column.iter().map(move |v| if largest < 0.0 { -v } else { *v })
}

/// Makes columns orthonormal one after the other, by Gram and Schmidt's method, done twice. A column that depends on those
/// before it is replaced by an axis.
fn orthonormal(q: Matrix<f64>) -> Matrix<f64> {
    let (rows, mut axis) = (q.rows, 0);
    let mut columns = q.transposed();
    for j in 0..columns.rows {
        let (before, rest) = columns.values.split_at_mut(j * rows);
        let column = &mut rest[..rows];
        // There is an axis that does not depend on fewer columns than rows.
        while !project_out(before, column) && axis < rows {
            column.fill(0.0);
            column[axis] = 1.0;
            axis += 1;
        }
    }
    columns.transposed()
}

/// Takes from a vector its components along others, which are orthonormal, and makes it of length 1; `false` if (next to)
/// nothing is left.
fn project_out(others: &[f64], vector: &mut [f64]) -> bool {
    for _ in 0..2 {
        let before = dot(vector, vector).sqrt();
        for other in others.chunks_exact(vector.len().max(1)) {
            let along = dot(other, vector);
            vector.iter_mut().zip(other).for_each(|(v, o)| *v -= along * o);
        }
        let left = dot(vector, vector).sqrt();
        let depends = left <= DEPENDENT * before || left == 0.0 || left.is_nan();
        if depends {
            return false;
        }
        vector.iter_mut().for_each(|v| *v /= left);
    }
    true
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b)
}

/// Eigenvalues of a symmetric matrix, the largest first, and its eigenvectors as columns, by Jacobi's rotations.
fn eigen(mut a: Matrix<f64>) -> (Vec<f64>, Matrix<f64>) {
    let n = a.rows;
    // Rows are eigenvectors until the end.
    let mut vectors = Matrix::from_fn(n, n, |y, x| f64::from(u8::from(y == x)));
    for _ in 0..MOST_SWEEPS {
        let mut rotated = false;
        for p in 0..n {
            for q in p + 1..n {
                rotated |= rotate(&mut a, &mut vectors, p, q);
            }
        }
        if !rotated {
            break;
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| a.at(j, j).total_cmp(&a.at(i, i)));
    let values = order.iter().map(|&i| a.at(i, i)).collect();
    (values, Matrix::from_fn(n, n, |y, x| vectors.at(order[x], y)))
}

/// Makes `a[p, q]` zero; `false` if it is, beside the diagonal.
fn rotate(a: &mut Matrix<f64>, vectors: &mut Matrix<f64>, p: usize, q: usize) -> bool {
    let (n, off) = (a.rows, a.at(p, q));
    if off.abs() <= f64::EPSILON / 4.0 * (a.at(p, p) * a.at(q, q)).abs().sqrt() || !off.is_finite() {
        return false;
    }
    let theta = (a.at(q, q) - a.at(p, p)) / (2.0 * off);
    let t = 1.0 / (theta.abs() + (theta * theta + 1.0).sqrt()) * if theta < 0.0 { -1.0 } else { 1.0 };
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    let turn = |x: &mut f64, y: &mut f64| (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    for k in 0..n {
        let [mut x, mut y] = [a.at(k, p), a.at(k, q)];
        turn(&mut x, &mut y);
        (a.values[k * n + p], a.values[k * n + q]) = (x, y);
    }
    for matrix in [a, vectors] {
        let (head, tail) = matrix.values.split_at_mut(q * n);
        head[p * n..][..n].iter_mut().zip(&mut tail[..n]).for_each(|(x, y)| turn(x, y));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(rows: usize, columns: usize, seed: u64) -> Matrix<f64> {
        let key = Key::new(seed);
        Matrix::from_fn(rows, columns, |y, x| f64::from(key.uniform((y * columns + x) as u64)) - 0.5)
    }

    /// A matrix with these singular values, and its left singular vectors.
    fn with_values(rows: usize, columns: usize, values: &[f64]) -> (Matrix<f32>, Matrix<f64>) {
        let left = orthonormal(random(rows, values.len(), 1));
        let right = orthonormal(random(columns, values.len(), 2)).transposed();
        let scaled = Matrix::from_fn(rows, values.len(), |y, x| left.at(y, x) * values[x]);
        let product = scaled.times(&right);
        let values = product.values.iter().map(|v| *v as f32).collect();
        (Matrix { rows, columns, values }, left)
    }

    fn assert_orthonormal(basis: &Matrix<f32>) {
        let gram = basis.transposed().times(basis);
        for y in 0..gram.rows {
            for x in 0..gram.columns {
                let want = f32::from(u8::from(y == x));
                assert!((gram.at(y, x) - want).abs() < 1e-6, "{y}, {x}: {}", gram.at(y, x));
            }
        }
    }

    #[test]
    fn vectors_are_found() {
        let values: Vec<f64> = (0..30).map(|i| 0.8f64.powi(i)).collect();
        for (rows, columns, count, rank) in [(6, 9, 6, 2), (9, 6, 6, 3), (40, 60, 30, 4), (60, 40, 30, 5)] {
            let (a, left) = with_values(rows, columns, &values[..count]);
            let basis = leading(&a, rank);
            assert_orthonormal(&basis);
            for x in 0..rank {
                let along: f64 = (0..rows).map(|y| f64::from(basis.at(y, x)) * left.at(y, x)).sum();
                assert!((along.abs() - 1.0).abs() < 1e-6, "{rows} × {columns}, {x}: {along}");
                let column: Vec<f32> = (0..rows).map(|y| basis.at(y, x)).collect();
                let largest = column.iter().fold(0.0f32, |b, &v| if v.abs() > b.abs() { v } else { b });
                assert!(largest > 0.0);
            }
        }
    }

    #[test]
    fn there_is_a_basis_of_anything() {
        let (low_rank, _) = with_values(20, 30, &[2.0, 1.0]);
        let equal = Matrix::from_fn(20, 20, |y, x| f32::from(u8::from(y == x)));
        let mut odd = Matrix::from_fn(12, 5, |y, x| (y * x) as f32);
        odd.values[7] = f32::NAN;
        odd.values[9] = f32::INFINITY;
        for a in [Matrix::zeros(20, 30), Matrix::zeros(5, 1), low_rank, equal, odd] {
            let rank = (a.rows / 2).min(7);
            let basis = leading(&a, rank);
            assert_eq!((basis.rows, basis.columns), (a.rows, rank));
            assert_orthonormal(&basis);
        }
    }
}
