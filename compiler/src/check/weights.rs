//! Parameters and constants: which values of the graph a program's weights are.

use std::collections::BTreeMap;

use zellige_runtime::program::{Packing, Program, Source, Weight, WeightId};

use super::error::{CheckError, InstrError, WeightError};
use super::numbering::{Numbering, elements};
use super::term::TermId;
use crate::base::ParamId;

/// Where the weights file has the values of a parameter, as an offset in bytes; `None` for one that it does not have.
pub type Layout<'a> = &'a dyn Fn(&str) -> Option<u64>;

/// The weights of a program, looked through.
pub(super) struct Weights<'a> {
    program: &'a Program,
    /// For each weight that is no constant, the parameter that it is.
    params: Vec<Option<ParamId>>,
}

impl<'a> Weights<'a> {
    /// Every weight that is not written in the program itself is a parameter of the graph, by name and shape; each parameter has
    /// its values in one place, and no two share one.
    pub(super) fn of(
        program: &'a Program,
        numbering: &Numbering<'_>,
        layout: Option<Layout<'_>>,
    ) -> Result<Self, CheckError> {
        let mut params = Vec::with_capacity(program.weights.len());
        let mut places: BTreeMap<u64, (u64, usize)> = BTreeMap::new();
        let mut first_of: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, weight) in program.weights.iter().enumerate() {
            let param = match weight.source {
                Source::Inline(_) => None,
                Source::Offset(offset) => {
                    let fail = |error| CheckError::Weight { weight: index, error };
                    let id = parameter(numbering, weight).map_err(fail)?;
                    let bytes = elements(&weight.dims).saturating_mul(4);
                    let data = program.data.bytes().len() as u64;
                    if data > 0 && offset.checked_add(bytes).is_none_or(|end| end > data) {
                        return Err(fail(WeightError::Data(weight.name.clone())));
                    }
                    if layout.is_some_and(|of| of(&weight.name) != Some(offset)) {
                        return Err(fail(WeightError::Misplaced(weight.name.clone())));
                    }
                    let first = *first_of.entry(&weight.name).or_insert(index);
                    if program.weights[first].source != weight.source {
                        return Err(fail(WeightError::Inconsistent {
                            name: weight.name.clone(),
                            other: first,
                        }));
                    }
                    places.insert(offset, (bytes, first)).map_or(Ok(()), |(_, other)| {
                        if other == first { Ok(()) } else { Err(fail(shared(program, first, other))) }
                    })?;
                    Some(id)
                }
            };
            params.push(param);
        }
        let order: Vec<_> = places.into_iter().collect();
        for pair in order.windows(2) {
            let [(start, (bytes, one)), (next, (_, other))] = pair else { continue };
            if start.saturating_add(*bytes) > *next {
                return Err(CheckError::Weight { weight: *other, error: shared(program, *other, *one) });
            }
        }
        Ok(Self { program, params })
    }

    /// The term of a weight that an instruction reads in the layout `wanted`.
    pub(super) fn term(
        &self,
        numbering: &mut Numbering<'_>,
        id: WeightId,
        wanted: Packing,
    ) -> Result<TermId, InstrError> {
        let weight =
            self.program.weights.get(id.index()).ok_or_else(|| InstrError::Lookup(id.to_string()))?;
        if weight.packing != wanted {
            let (expected, found) = (format!("{wanted:?}"), format!("{:?}", weight.packing));
            return Err(InstrError::Packing { weight: id.to_string(), expected, found });
        }
        match (&weight.source, self.params[id.index()]) {
            (_, Some(param)) => Ok(numbering.parameter(param)),
            (Source::Inline(values), None) => {
                let n = values.len() as u64;
                if elements(&weight.dims) != n {
                    return Err(WeightError::Data(weight.name.clone()).into());
                }
                Ok(numbering.terms.constant([1, n, 1, 1], values))
            }
            (Source::Offset(_), None) => Err(WeightError::Data(weight.name.clone()).into()),
        }
    }

    /// The term of a constant in device memory; `None` if its values are not there.
    pub(super) fn constant(
        &self,
        numbering: &mut Numbering<'_>,
        id: WeightId,
        sizes: [u64; 4],
    ) -> Option<TermId> {
        let weight = self.program.weights.get(id.index())?;
        let Source::Inline(values) = &weight.source else { return None };
        let fits = weight.packing == Packing::Plain && elements(&sizes) == values.len() as u64;
        fits.then(|| numbering.terms.constant(sizes, values))
    }
}

fn parameter(numbering: &Numbering<'_>, weight: &Weight) -> Result<ParamId, WeightError> {
    let mut params = numbering.graph.params.iter();
    let (id, param) = params
        .find(|(_, p)| p.name == weight.name)
        .ok_or_else(|| WeightError::Unknown(weight.name.clone()))?;
    if param.dims == weight.dims {
        return Ok(id);
    }
    let (expected, found) = (param.dims.clone(), weight.dims.clone());
    Err(WeightError::Shape { name: weight.name.clone(), expected, found })
}

fn shared(program: &Program, one: usize, other: usize) -> WeightError {
    let name = |i: usize| program.weights[i].name.clone();
    WeightError::Shared { name: name(one), other: name(other) }
}
