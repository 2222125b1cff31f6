//! Symbolic dimensions: polynomials with integer coefficients over symbols and floor quotients, in normal form, so that
//! equal sizes compare equal: `(2*H + 4)/2` is `H + 2`.

mod bounds;

use std::collections::BTreeMap;
use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use zellige_grammar::dim::{DimExpr, DimKind};

/// Values of symbols.
pub type Bindings = IndexMap<String, i64>;

/// Most terms of a product that is written: multiplied out, a short text could fill the memory.
const MOST_TERMS: usize = 1 << 10;

/// What a monomial is a product of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Atom {
    Symbol(String),
    /// `⌊dim / divisor⌋`, divisor > 1, not simplifiable further.
    Floor(Box<Dim>, i64),
}

/// A size or an amount: an integer, or a polynomial over symbols. Arithmetic saturates.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Dim {
    /// Sorted products of atoms, each with its coefficient (never 0); the empty product is the constant.
    terms: BTreeMap<Vec<Atom>, i64>,
}

impl From<i64> for Dim {
    fn from(value: i64) -> Self {
        Self::term(Vec::new(), value)
    }
}

impl Dim {
    fn term(atoms: Vec<Atom>, coefficient: i64) -> Self {
        let terms = if coefficient == 0 { BTreeMap::new() } else { BTreeMap::from([(atoms, coefficient)]) };
        Self { terms }
    }

    /// A symbol.
    pub fn symbol(name: &str) -> Self {
        Self::term(vec![Atom::Symbol(name.to_owned())], 1)
    }

    /// Both sides of a quotient without the symbols of the divisor, if that is a product of symbols which occur in every term:
    /// `(3*H, 7)` for `3*H*W` by `7*W`.
    pub fn cancelled(&self, divisor: &Self) -> Option<(Self, i64)> {
        let (atoms, factor) = divisor.terms.first_key_value().filter(|_| divisor.terms.len() == 1)?;
        let mut rest = Self::default();
        for (term, &coefficient) in &self.terms {
            let mut left = term.clone();
            for atom in atoms {
                left.remove(left.iter().position(|a| a == atom)?);
            }
            rest.add_term(left, coefficient);
        }
        Some((rest, *factor))
    }

    /// The integer, if it is one.
    pub fn constant(&self) -> Option<i64> {
        match self.terms.len() {
            0 => Some(0),
            1 => self.terms.get(&Vec::new()).copied(),
            _ => None,
        }
    }

    /// The sum.
    pub fn add(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        for (atoms, &c) in &other.terms {
            sum.add_term(atoms.clone(), c);
        }
        sum
    }

    fn add_term(&mut self, atoms: Vec<Atom>, coefficient: i64) {
        let entry = self.terms.entry(atoms.clone()).or_insert(0);
        *entry = entry.saturating_add(coefficient);
        if *entry == 0 {
            self.terms.remove(&atoms);
        }
    }

    /// The sum with an integer.
    pub fn plus(&self, constant: i64) -> Self {
        self.add(&constant.into())
    }

    /// Times an integer.
    pub fn times(&self, factor: i64) -> Self {
        self.mul(&factor.into())
    }

    /// The difference.
    pub fn sub(&self, other: &Self) -> Self {
        self.add(&other.times(-1))
    }

    /// The product.
    pub fn mul(&self, other: &Self) -> Self {
        let mut product = Self::default();
        for (a, &ca) in &self.terms {
            for (b, &cb) in &other.terms {
                let mut atoms = [a.as_slice(), b.as_slice()].concat();
                atoms.sort();
                product.add_term(atoms, ca.saturating_mul(cb));
            }
        }
        product
    }

    /// `⌊self / divisor⌋` for a positive divisor: what divides is taken out of the quotient.
    pub fn floor_div(&self, divisor: i64) -> Self {
        let divisor = divisor.max(1);
        if let Some(c) = self.constant() {
            return c.div_euclid(divisor).into();
        }
        let mut whole = Self::default();
        let mut rest = Self::default();
        for (atoms, &c) in &self.terms {
            // Constants leave a remainder below the divisor, so that ⌊(H + 5)/2⌋ and ⌊(H + 1)/2⌋ + 2 are the same.
            let (q, r) = if atoms.is_empty() || c % divisor == 0 {
                (c.div_euclid(divisor), c.rem_euclid(divisor))
            } else {
                (0, c)
            };
            if q != 0 {
                whole.add_term(atoms.clone(), q);
            }
            if r != 0 {
                rest.add_term(atoms.clone(), r);
            }
        }
        match rest.constant() {
            Some(_) => whole,
            None if divisor == 1 => whole.add(&rest),
            None => whole.add(&rest.floor_of_remainder(divisor)),
        }
    }

    /// `⌊self / divisor⌋` as one atom; `⌊(⌊a/m⌋ + c)/n⌋` becomes `⌊(a + c·m)/(m·n)⌋`.
    fn floor_of_remainder(self, divisor: i64) -> Self {
        if let Some((inner, m, c)) = self.as_floor_plus_constant()
            && let (Some(product), Some(shift)) = (m.checked_mul(divisor), m.checked_mul(c))
        {
            return inner.plus(shift).floor_div(product);
        }
        Self::term(vec![Atom::Floor(Box::new(self), divisor)], 1)
    }

    /// `a`, `m` and `c` where `self` is `⌊a/m⌋ + c`.
    fn as_floor_plus_constant(&self) -> Option<(&Self, i64, i64)> {
        let constant = self.terms.get(&Vec::new()).copied().unwrap_or(0);
        let mut others = self.terms.iter().filter(|(atoms, _)| !atoms.is_empty());
        match (others.next(), others.next()) {
            (Some((atoms, 1)), None) => match atoms.as_slice() {
                [Atom::Floor(inner, divisor)] => Some((inner, *divisor, constant)),
                _ => None,
            },
            _ => None,
        }
    }

    /// `a` and `k` where `self` is `k·⌊a/k⌋`: `a` rounded down to a multiple of `k`.
    pub fn as_rounded_down(&self) -> Option<(Self, i64)> {
        let mut terms = self.terms.iter();
        match (terms.next(), terms.next()) {
            (Some((atoms, &k)), None) if k > 0 => match atoms.as_slice() {
                // ⌊x/(m·k)⌋ is ⌊⌊x/m⌋/k⌋.
                [Atom::Floor(x, divisor)] if divisor % k == 0 => Some((x.floor_div(divisor / k), k)),
                _ => None,
            },
            _ => None,
        }
    }

    /// `⌈self / divisor⌉` for a positive divisor.
    pub fn ceil_div(&self, divisor: i64) -> Self {
        self.plus(divisor.saturating_sub(1)).floor_div(divisor)
    }

    /// Whether `self` is a multiple of `divisor` for every value of the symbols.
    pub fn divisible_by(&self, divisor: i64) -> bool {
        self.terms.values().all(|c| c % divisor.max(1) == 0)
    }

    /// The value, if every symbol is bound.
    pub fn eval(&self, bindings: &Bindings) -> Option<i64> {
        let mut sum = 0i64;
        for (atoms, &coefficient) in &self.terms {
            let mut product = coefficient;
            for atom in atoms {
                let value = match atom {
                    Atom::Symbol(name) => *bindings.get(name)?,
                    Atom::Floor(dim, divisor) => dim.eval(bindings)?.div_euclid(*divisor),
                };
                product = product.saturating_mul(value);
            }
            sum = sum.saturating_add(product);
        }
        Some(sum)
    }

    /// With the bound symbols replaced by their values.
    pub fn substitute(&self, bindings: &Bindings) -> Self {
        let mut sum = Self::default();
        for (atoms, &coefficient) in &self.terms {
            let factor = |atom: &Atom| match atom {
                Atom::Symbol(name) => bindings.get(name).map_or_else(|| Self::symbol(name), |&v| v.into()),
                Atom::Floor(dim, divisor) => dim.substitute(bindings).floor_div(*divisor),
            };
            sum = sum.add(&atoms.iter().fold(coefficient.into(), |product: Self, a| product.mul(&factor(a))));
        }
        sum
    }

    /// The symbols that occur, each once, in order of their names.
    pub fn symbols(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.collect_symbols(&mut names);
        names.sort();
        names.dedup();
        names
    }

    fn collect_symbols(&self, names: &mut Vec<String>) {
        for atom in self.terms.keys().flatten() {
            match atom {
                Atom::Symbol(name) => names.push(name.clone()),
                Atom::Floor(dim, _) => dim.collect_symbols(names),
            }
        }
    }

    /// `c` and `k` where `self` is `c · symbol + k`.
    pub fn as_linear_in(&self, symbol: &str) -> Option<(i64, i64)> {
        let key = vec![Atom::Symbol(symbol.to_owned())];
        let coefficient = *self.terms.get(&key)?;
        let constant = self.terms.get(&Vec::new()).copied().unwrap_or(0);
        (self.terms.keys().all(|k| k.is_empty() || *k == key)).then_some((coefficient, constant))
    }

    /// From its syntax. `/` is the floor quotient here; whether it must be exact is the caller's affair, who gets each
    /// dividend and divisor in `quotients`. `None` where a divisor is not a positive integer, or a product has more terms than
    /// anybody means.
    pub fn from_expr(expr: &DimExpr, quotients: &mut Vec<(Dim, i64)>) -> Option<Self> {
        Some(match &expr.kind {
            DimKind::Int(v) => (*v).into(),
            DimKind::Sym(name) => Self::symbol(name),
            DimKind::Neg(a) => Self::from_expr(a, quotients)?.times(-1),
            DimKind::Add(a, b) => Self::from_expr(a, quotients)?.add(&Self::from_expr(b, quotients)?),
            DimKind::Sub(a, b) => Self::from_expr(a, quotients)?.sub(&Self::from_expr(b, quotients)?),
            DimKind::Mul(a, b) => {
                let (a, b) = (Self::from_expr(a, quotients)?, Self::from_expr(b, quotients)?);
                (a.terms.len().saturating_mul(b.terms.len()) <= MOST_TERMS).then(|| a.mul(&b))?
            }
            DimKind::Div(a, b) => {
                let (a, b) = (Self::from_expr(a, quotients)?, Self::from_expr(b, quotients)?.constant()?);
                if b < 1 {
                    return None;
                }
                quotients.push((a.clone(), b));
                a.floor_div(b)
            }
            DimKind::CeilDiv(a, b) => {
                let (a, b) = (Self::from_expr(a, quotients)?, Self::from_expr(b, quotients)?.constant()?);
                if b < 1 {
                    return None;
                }
                a.ceil_div(b)
            }
        })
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Highest degree first, the constant last, as one writes polynomials.
        let mut terms: Vec<_> = self.terms.iter().collect();
        terms.sort_by_key(|(atoms, _)| (std::cmp::Reverse(atoms.len()), (*atoms).clone()));
        match terms.as_slice() {
            [] => return f.write_str("0"),
            [(atoms, 1)] if atoms.len() == 1 => return write!(f, "{:#}", atoms[0]),
            _ => {}
        }
        for (i, (atoms, &c)) in terms.into_iter().enumerate() {
            match (i, c < 0) {
                (0, true) => f.write_str("-")?,
                (0, false) => {}
                (_, true) => f.write_str(" - ")?,
                (_, false) => f.write_str(" + ")?,
            }
            let magnitude = c.unsigned_abs();
            if atoms.is_empty() || magnitude != 1 {
                write!(f, "{magnitude}")?;
            }
            for (j, atom) in atoms.iter().enumerate() {
                if j > 0 || magnitude != 1 {
                    f.write_str("*")?;
                }
                write!(f, "{atom}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `{:#}` leaves out the parentheses that a factor of a product needs.
        let (dim, divisor) = match self {
            Self::Symbol(name) => return f.write_str(name),
            Self::Floor(dim, divisor) => (dim, divisor),
        };
        let (open, close) = if f.alternate() { ("", "") } else { ("(", ")") };
        if dim.terms.len() == 1
            && dim.terms.keys().all(|atoms| atoms.len() == 1)
            && dim.terms.values().all(|c| *c == 1)
        {
            write!(f, "{open}{dim}/{divisor}{close}")
        } else {
            write!(f, "{open}({dim})/{divisor}{close}")
        }
    }
}

impl Serialize for Dim {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.constant() {
            Some(v) => s.serialize_i64(v),
            None => s.collect_str(self),
        }
    }
}

/// From its text. The grammar of `.zir` knows sizes as part of types, so it is read as one.
fn parse(text: &str) -> Option<Dim> {
    let value = zellige_grammar::zir::parse_value(&format!("f32[{text}]")).ok()?;
    match value.as_tensor()?.dims.as_slice() {
        [dim] => Dim::from_expr(dim, &mut Vec::new()),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for Dim {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Int(i64),
            Text(String),
        }
        match Form::deserialize(d)? {
            Form::Int(v) => Ok(v.into()),
            Form::Text(text) => {
                parse(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is not a size")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sizes_have_one_form() {
        let h = Dim::symbol("H");
        assert_eq!(h.times(2).plus(4).floor_div(2), h.plus(2));
        assert_eq!(h.plus(5).floor_div(2), h.plus(1).floor_div(2).plus(2));
        assert_eq!(h.plus(-3).floor_div(2).plus(1), h.plus(-1).floor_div(2));
        assert_eq!(h.sub(&h), 0.into());
        assert_eq!(h.floor_div(2).floor_div(3), h.floor_div(6));
        assert_eq!(h.floor_div(2).plus(1).floor_div(2), h.plus(2).floor_div(4));
        assert_eq!(h.floor_div(4).times(2).as_rounded_down(), Some((h.floor_div(2), 2)));
        assert_eq!(h.floor_div(4).times(3).as_rounded_down(), None);
    }

    #[test]
    fn sizes_print_as_one_writes_them() {
        let h = Dim::symbol("H");
        assert_eq!(h.times(4).plus(-72).to_string(), "4*H - 72");
        assert_eq!(h.floor_div(2).to_string(), "H/2");
        assert_eq!(h.floor_div(2).plus(1).to_string(), "(H/2) + 1");
        assert_eq!(h.plus(1).floor_div(2).to_string(), "(H + 1)/2");
        assert_eq!(h.plus(1).floor_div(2).times(2).to_string(), "2*((H + 1)/2)");
        assert_eq!(Dim::from(-3).to_string(), "-3");
    }

    #[test]
    fn evaluation_agrees_with_substitution() {
        let (h, w) = (Dim::symbol("H"), Dim::symbol("W"));
        let dim = h.mul(&w).plus(3).floor_div(4).sub(&w.times(2));
        for (a, b) in [(1, 2), (7, 9), (-3, 5)] {
            let bindings = Bindings::from_iter([("H".to_owned(), a), ("W".to_owned(), b)]);
            assert_eq!(dim.eval(&bindings), dim.substitute(&bindings).constant());
            assert_eq!(dim.eval(&bindings), Some((a * b + 3i64).div_euclid(4) - 2 * b));
        }
    }
}
