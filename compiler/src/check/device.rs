//! What device memory holds between sections.

use zellige_runtime::program::{
    AccumulatorId, Blocks, Element, Interval, Program, Role, Tensor, TensorId, WeightId,
};

use super::error::{CheckError, OutputError, SectionError, TensorError};
use super::numbering::Numbering;
use super::term::TermId;
use super::weights::Weights;
use crate::base;
use crate::ops::Sizes;

/// Tensors and what they hold.
pub(super) struct Device<'a> {
    program: &'a Program,
    held: Vec<Option<TermId>>,
    /// Whether something has been stored in each tensor.
    stored: Vec<bool>,
    /// Whether each accumulator has been filled.
    filled: Vec<bool>,
}

impl<'a> Device<'a> {
    /// Before the first section: inputs, which are the graph's by name, and constants.
    pub(super) fn new(
        program: &'a Program,
        numbering: &mut Numbering<'_>,
        weights: &Weights<'_>,
    ) -> Result<Self, CheckError> {
        let mut held = Vec::with_capacity(program.tensors.len());
        for (index, tensor) in program.tensors.iter().enumerate() {
            let sizes = sizes(tensor);
            let fail = |error| CheckError::Tensor {
                tensor: TensorId(index as u32),
                name: tensor.name.clone(),
                error,
            };
            held.push(match tensor.role {
                Role::Input => Some(input(numbering, tensor).ok_or_else(|| fail(TensorError::Input(sizes)))?),
                Role::Constant(weight) => Some(
                    weights.constant(numbering, weight, sizes).ok_or_else(|| fail(TensorError::Constant))?,
                ),
                Role::Output => None,
                Role::Composite(_) | Role::Spilled => {
                    blocks(program, tensor).map_err(fail)?;
                    if tensor.element != Element::F32 {
                        return Err(fail(TensorError::Rounded));
                    }
                    None
                }
            });
        }
        resident(program)?;
        let stored = vec![false; held.len()];
        let filled = vec![false; program.accumulators.len()];
        Ok(Self { program, held, stored, filled })
    }

    /// What is loaded from a tensor. An output of whole numbers holds its values rounded, which are not the term's.
    pub(super) fn loaded(&self, id: TensorId) -> Option<TermId> {
        let tensor = self.program.tensors.get(id.index())?;
        let exact = tensor.role != Role::Output || tensor.element == Element::F32;
        self.held[id.index()].filter(|_| exact)
    }

    /// The tensor, if it may be stored, and nothing was stored in it before.
    pub(super) fn to_store(&self, id: TensorId) -> Option<&'a Tensor> {
        let tensor = self.program.tensors.get(id.index())?;
        let writable = matches!(tensor.role, Role::Output | Role::Composite(_) | Role::Spilled);
        (writable && !self.stored[id.index()]).then_some(tensor)
    }

    /// A section that stores `tensors` begins: what lies in their bytes is lost. It is lost for this section, too, whose tiles are
    /// stored while others are loaded.
    pub(super) fn begin(&mut self, tensors: &[TensorId]) -> Result<(), SectionError> {
        for (i, &id) in tensors.iter().enumerate() {
            for (index, other) in self.program.tensors.iter().enumerate() {
                let tensor = &self.program.tensors[id.index()];
                if index == id.index() || share_bytes(tensor, other) {
                    self.held[index] = None;
                }
            }
            let tensor = |id: TensorId| &self.program.tensors[id.index()];
            if let Some(&second) =
                tensors[i + 1..].iter().find(|&&o| o == id || share_bytes(tensor(id), tensor(o)))
            {
                return Err(SectionError::Stores { first: id, second });
            }
        }
        Ok(())
    }

    /// A section that stored `term` in `tensor` has ended.
    pub(super) fn store(&mut self, tensor: TensorId, term: TermId) {
        self.held[tensor.index()] = Some(term);
        self.stored[tensor.index()] = true;
    }

    /// Whether an accumulator was empty; it is not any more.
    pub(super) fn fill(&mut self, id: AccumulatorId) -> bool {
        self.filled.get_mut(id.index()).is_some_and(|filled| !std::mem::replace(filled, true))
    }

    /// Every output of the graph is held by the one output tensor of its name.
    pub(super) fn outputs(&self, numbering: &Numbering<'_>) -> Result<u64, CheckError> {
        for output in &numbering.graph.outputs {
            let fail = |error| CheckError::Output { name: output.name.clone(), error };
            let named = |(_, t): &(usize, &Tensor)| t.role == Role::Output && t.name == output.name;
            let found: Vec<usize> =
                self.program.tensors.iter().enumerate().filter(named).map(|(i, _)| i).collect();
            let &[index] = found.as_slice() else { return Err(fail(OutputError::Tensors(found.len()))) };
            let (declared, found) = (output.ty.element, self.program.tensors[index].element);
            if !is_same(declared, found) {
                return Err(fail(OutputError::Element { declared, found }));
            }
            let found = self.held[index].ok_or_else(|| fail(OutputError::NotStored))?;
            if numbering.value(output.value) != Some(found) {
                let expected = format!("`%{}`", numbering.graph.values[output.value].name);
                return Err(fail(OutputError::Other { found: numbering.describe(found), expected }));
            }
        }
        let is_output = |t: &Tensor| numbering.graph.outputs.iter().any(|o| o.name == t.name);
        let mut outputs = self.program.tensors.iter().filter(|t| t.role == Role::Output);
        match outputs.find(|t| !is_output(t)) {
            None => Ok(numbering.graph.outputs.len() as u64),
            Some(t) => Err(CheckError::Output { name: t.name.clone(), error: OutputError::Unknown }),
        }
    }
}

/// Blocks are the tiles of a buffer, each with room for all of it, and those with a pixel in common follow each other: a store finds all
/// blocks that have a pixel among neighbours.
fn blocks(program: &Program, tensor: &Tensor) -> Result<(), TensorError> {
    let Some(Blocks { section, buffer, grid, size }) = tensor.blocks else { return Ok(()) };
    let wrong = TensorError::Blocks { section, buffer };
    let Some(at) = program.sections.get(section as usize) else { return Err(wrong) };
    for (axis, table) in [&at.y, &at.x].into_iter().enumerate() {
        let Some(steps) = table.buffers.get(buffer.index()).map(|b| &b.computed) else { return Err(wrong) };
        let mut before = Interval::new(i64::MIN, i64::MIN);
        let fits = |tile: Interval| {
            let follows = before.start <= tile.start && before.end <= tile.end;
            before = tile;
            follows && tile.len() as u64 <= size[axis]
        };
        if steps.len() != grid[axis] || table.steps != grid[axis] || !steps.iter().all(fits) {
            return Err(wrong);
        }
    }
    Ok(())
}

/// Weights and accumulators have bytes of their own, all the time.
fn resident(program: &Program) -> Result<(), CheckError> {
    let span = |offset: u64, bytes: Option<u64>| {
        (offset, bytes.and_then(|n| offset.checked_add(n)).unwrap_or(u64::MAX))
    };
    let weights =
        (0..).zip(&program.weights).map(|(i, w)| (WeightId(i).to_string(), span(w.offset, w.packed_bytes())));
    let sums = (0..)
        .zip(&program.accumulators)
        .map(|(i, a)| (AccumulatorId(i).to_string(), span(a.offset, a.bytes())));
    let mut residents: Vec<_> = weights.chain(sums).collect();
    residents.sort_by_key(|(_, (start, _))| *start);
    let shared = |first: &str, second: String| CheckError::Resident { first: first.to_owned(), second };
    if let Some([one, other]) = residents.array_windows().find(|[one, other]| one.1.1 > other.1.0) {
        return Err(shared(&one.0, other.0.clone()));
    }
    for (index, tensor) in program.tensors.iter().enumerate() {
        let Role::Composite(offset) = tensor.role else { continue };
        let (start, end) = span(offset, bytes(tensor));
        let clash = residents.iter().find(|(_, (s, e))| *s < end && start < *e);
        if let Some((name, _)) = clash {
            return Err(shared(name, TensorId(index as u32).to_string()));
        }
    }
    Ok(())
}

/// Images, channels, rows and columns of a tensor.
pub(super) fn sizes(tensor: &Tensor) -> Sizes {
    let d = tensor.dims;
    [d.n, d.c, d.h, d.w]
}

fn input(numbering: &Numbering<'_>, tensor: &Tensor) -> Option<TermId> {
    let graph = numbering.graph;
    let id = *graph.inputs.iter().find(|&&v| graph.values[v].name == tensor.name)?;
    let fits = graph.sizes(id) == Some(sizes(tensor)) && is_same(graph.values[id].ty.element, tensor.element);
    fits.then(|| numbering.value(id))?
}

/// Whether a type of the graph is one of the program.
fn is_same(declared: base::Element, found: Element) -> bool {
    match declared {
        base::Element::F32 => found == Element::F32,
        base::Element::U8 => found == Element::U8,
        base::Element::U16 => found == Element::U16,
    }
}

/// Whether two tensors have a byte in common: composites, in the device arena; a size that overflows has all.
fn share_bytes(a: &Tensor, b: &Tensor) -> bool {
    let (Role::Composite(start), Role::Composite(other)) = (a.role, b.role) else { return false };
    let end = |t: &Tensor, start: u64| bytes(t).and_then(|n| start.checked_add(n)).unwrap_or(u64::MAX);
    start < end(b, other) && other < end(a, start)
}

fn bytes(tensor: &Tensor) -> Option<u64> {
    let channels = tensor.dims.c.checked_next_multiple_of(tensor.lanes.into())?;
    let pixels = match tensor.blocks {
        None => vec![tensor.dims.h, tensor.dims.w],
        Some(blocks) => [blocks.grid, blocks.size].concat(),
    };
    pixels.iter().chain(&[tensor.dims.n, 4]).try_fold(channels, |n, f| n.checked_mul(*f))
}
