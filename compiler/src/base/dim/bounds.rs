//! Bounds of sizes: whether a difference can be zero for any sizes at all.

use std::collections::BTreeMap;

use super::{Atom, Dim};

/// A polynomial over symbols with rational coefficients, as floats.
type Polynomial = BTreeMap<Vec<String>, f64>;

/// Beyond this the rounding of a coefficient could reach the next integer.
const LARGEST_EXACT: f64 = 1e12;

impl Dim {
    /// Whether it is proven that no symbols, each at least 1, make this zero.
    ///
    /// A floor quotient lies between `x/m - (m - 1)/m` and `x/m`; that gives a polynomial below and one above. Where the
    /// coefficients of all symbols of the lower one are not negative, it is least where all symbols are 1.
    pub fn never_zero(&self) -> bool {
        match self.constant() {
            Some(value) => value != 0,
            None => self.is_positive() || self.times(-1).is_positive(),
        }
    }

    fn is_positive(&self) -> bool {
        let Some(lower) = self.lower_bound() else { return false };
        let rising = lower.iter().all(|(symbols, &c)| symbols.is_empty() || c >= 0.0);
        // A tolerance for coefficients such as 1/3: an integer above it is at least 1.
        rising && lower.values().sum::<f64>() > 1e-3
    }

    /// A polynomial that is nowhere larger; nothing where a product has a floor quotient in it.
    fn lower_bound(&self) -> Option<Polynomial> {
        let mut sum = Polynomial::new();
        for (atoms, &coefficient) in &self.terms {
            let c = coefficient as f64;
            if let [Atom::Floor(dividend, divisor)] = atoms.as_slice() {
                let m = *divisor as f64;
                let (bound, slack) = if coefficient > 0 {
                    (dividend.lower_bound()?, (m - 1.0) / m)
                } else {
                    (dividend.upper_bound()?, 0.0)
                };
                for (symbols, value) in bound {
                    *sum.entry(symbols).or_insert(0.0) += c * value / m;
                }
                *sum.entry(Vec::new()).or_insert(0.0) -= c * slack;
            } else {
                *sum.entry(product_of_symbols(atoms)?).or_insert(0.0) += c;
            }
        }
        sum.values().all(|c| c.abs() < LARGEST_EXACT).then_some(sum)
    }

    fn upper_bound(&self) -> Option<Polynomial> {
        let negated = self.times(-1).lower_bound()?;
        Some(negated.into_iter().map(|(symbols, c)| (symbols, -c)).collect())
    }
}

fn product_of_symbols(atoms: &[Atom]) -> Option<Vec<String>> {
    let symbol = |atom: &Atom| match atom {
        Atom::Symbol(name) => Some(name.clone()),
        Atom::Floor(..) => None,
    };
    atoms.iter().map(symbol).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_never_agree() {
        let (h, w) = (Dim::symbol("H"), Dim::symbol("W"));
        assert!(h.sub(&h.floor_div(2)).never_zero());
        assert!(h.sub(&h.times(2)).never_zero());
        assert!(h.sub(&h.plus(2)).never_zero());
        assert!(h.mul(&w).plus(1).never_zero());
        assert!(Dim::from(3).never_zero());
    }

    #[test]
    fn sizes_that_may_agree() {
        let (h, w) = (Dim::symbol("H"), Dim::symbol("W"));
        assert!(!h.sub(&w).never_zero());
        assert!(!h.plus(-1).never_zero());
        assert!(!h.sub(&h.floor_div(2).times(2)).never_zero());
        assert!(!h.times(4).plus(-5000).never_zero());
        assert!(!Dim::from(0).never_zero());
        for size in 1..20 {
            // ⌊H/3⌋ + 1 - ⌈H/3⌉ is 1 or 0.
            let d = h.floor_div(3).plus(1).sub(&h.ceil_div(3));
            let at = d.eval(&[("H".to_owned(), size)].into_iter().collect());
            assert!(at != Some(0) || !d.never_zero());
        }
    }
}
