//! One section: the terms that its buffers hold, instruction by instruction, and what leaves it.

use std::ops::Range;

use zellige_runtime::program::instr::{Addressing, Reduce};
use zellige_runtime::program::{
    AccumulatorId, AccumulatorKind, BufferId, ExprId, Packing, Program, Role, Scheduled, Section, Tensor,
    TensorId,
};
use zellige_runtime::scalar::Expr;

use super::contents::{Contents, share_bytes};
use super::device::{Device, sizes};
use super::effect::{Effect, Outcome, Tail, TailOperand, Value, effect};
use super::error::{CheckError, InstrError, SectionError};
use super::meaning::{Meaning, Rearranged, Statistic};
use super::numbering::Numbering;
use super::places::{self, is_ring};
use super::sums::{self, Sum};
use super::term::{Apply, Channels, Part, Term, TermId};
use super::weights::Weights;
use super::{Proof, at};
use crate::ops::Sizes;

/// A section in the course of the proof.
pub(super) struct SectionCheck<'a, 'b> {
    pub(super) program: &'a Program,
    pub(super) section: &'a Section,
    /// Position of the section.
    pub(super) index: usize,
    pub(super) numbering: &'b mut Numbering<'a>,
    pub(super) weights: &'b Weights<'a>,
    pub(super) device: &'b mut Device<'a>,
}

/// What a walk through the body found.
#[derive(Default)]
struct Found {
    /// For each instruction, what the buffers that it reads hold.
    read: Vec<Vec<TermId>>,
    /// Tensors and what is stored in them.
    stores: Vec<(TensorId, TermId)>,
    /// Sums over tiles.
    added: Vec<Sum>,
    /// Accumulators and what is summed in them.
    sums: Vec<(AccumulatorId, Gathered)>,
}

/// What an accumulator has gathered at the end of a section.
#[derive(Clone, Copy)]
enum Gathered {
    /// Each channel's values of this term.
    Values(TermId),
    /// This term, a sum for each of its channels.
    Sums(TermId),
}

impl<'a> SectionCheck<'a, '_> {
    /// Proves that what the section leaves in device memory are values of the graph.
    pub(super) fn check(mut self, budget: &mut u64, proof: &mut Proof) -> Result<(), CheckError> {
        let effects = self.effects()?;
        self.rings_lie_apart(&effects).map_err(|e| self.fail(e))?;
        let stores: Vec<TensorId> = self.stored(&effects).collect();
        if let Some(id) = stores.iter().find(|id| id.index() >= self.program.tensors.len()) {
            return Err(self.fail(SectionError::NoTensor(*id)));
        }
        self.device.begin(&stores).map_err(|e| self.fail(e))?;

        let mut contents = Contents::new(self.section);
        let mut found = Found::default();
        for (instr, effect) in effects.iter().enumerate() {
            let read = self
                .step(instr, effect, &mut contents, &mut found)
                .map_err(|e| at(self.section, self.index, instr, effect.mnemonic, e))?;
            found.read.push(read);
        }
        let walked = places::walk(self.section, self.index, &effects, budget)?;
        self.kept_rows(&effects, &contents, &found, &walked.reaches_back)?;
        for sum in &found.added {
            let looked = sums::check(self.section, sum, budget);
            proof.coordinates += looked.map_err(|stop| stop.error(self.section, self.index, &effects))?;
            proof.sums += 1;
        }
        let images = self.section.images;
        for (tensor, term) in found.stores {
            self.device.store(tensor, term);
        }
        self.end(&found.sums, images)?;
        proof.sections += 1;
        proof.instructions += effects.len() as u64 + self.section.end.len() as u64;
        proof.steps += self.section.y.steps + self.section.x.steps;
        proof.coordinates += walked.coordinates;
        Ok(())
    }

    fn fail(&self, error: SectionError) -> CheckError {
        CheckError::Section { section: self.index, name: self.section.name.clone(), error }
    }

    fn effects(&self) -> Result<Vec<Effect>, CheckError> {
        let one = |(i, scheduled): (usize, &Scheduled)| {
            effect(self.section, &scheduled.instr).map_err(|e| at(self.section, self.index, i, "?", e))
        };
        self.section.body.iter().enumerate().map(one).collect()
    }

    fn stored(&self, effects: &[Effect]) -> impl Iterator<Item = TensorId> {
        let body: Vec<TensorId> = effects
            .iter()
            .filter_map(|e| match e.result {
                Outcome::Stored { tensor, .. } | Outcome::Added { tensor, .. } => Some(tensor),
                Outcome::Written { .. } | Outcome::Summed { .. } => None,
            })
            .collect();
        body.into_iter().chain(self.section.end.iter().map(|r| r.dst))
    }

    /// Nothing is written into the bytes of a ring but the ring.
    fn rings_lie_apart(&self, effects: &[Effect]) -> Result<(), SectionError> {
        let buffers = &self.section.buffers;
        for (r, ring) in buffers.iter().enumerate().filter(|(_, b)| is_ring(b)) {
            let ring_id = BufferId(r as u32);
            let mut written = effects.iter().filter_map(Effect::written).filter(|b| *b != ring_id);
            if let Some(other) = written.find(|b| share_bytes(ring, &buffers[b.index()])) {
                return Err(SectionError::Shared { ring: ring_id, other });
            }
        }
        Ok(())
    }

    /// One instruction, whatever the tile: what it reads, and what it leaves.
    fn step(
        &mut self,
        instr: usize,
        effect: &Effect,
        contents: &mut Contents<'_>,
        found: &mut Found,
    ) -> Result<Vec<TermId>, InstrError> {
        let mut read = Vec::with_capacity(effect.reads.len());
        for reading in &effect.reads {
            read.push(contents.read(&mut self.numbering.terms, reading.buffer)?);
        }
        match &effect.result {
            Outcome::Written { dst, channel, channels, value } => {
                self.not_over_operands(effect, *dst)?;
                let term = self.value(*dst, *channels, value, &read)?;
                let buffer = &self.section.buffers[dst.index()];
                let has = self.numbering.terms.sizes(term);
                let room = [has[0], *channels, buffer.extent[0], buffer.extent[1]];
                let end = channel.checked_add(*channels).filter(|end| *end <= buffer.channels);
                if has != room || end.is_none() || *channels == 0 {
                    let found = [has[0], buffer.channels, buffer.extent[0], buffer.extent[1]];
                    return Err(InstrError::Shape { what: dst.to_string(), expected: has, found });
                }
                self.of_graph(self.numbering.terms.whole(term))?;
                contents.write(instr, *dst, *channel, Channels { of: term, from: 0, to: *channels });
            }
            Outcome::Stored { tensor, .. } => {
                let term = self.exported(&read)?;
                self.stored_in(*tensor, term)?;
                found.stores.push((*tensor, term));
            }
            Outcome::Added { tensor, src } => {
                let (term, sum) = self.added(instr, *src, &read)?;
                let to = self.stored_in(*tensor, term)?;
                // It is read back.
                if to.role == Role::Output || to.blocks.is_some() {
                    return Err(InstrError::NotWritable(*tensor));
                }
                found.stores.push((*tensor, term));
                found.added.push(sum);
            }
            Outcome::Summed { accumulator, products, .. } => {
                let id = *accumulator;
                let unfit = InstrError::Accumulator(id);
                let Some(into) = self.program.accumulators.get(id.index()) else { return Err(unfit) };
                let &summed = read.last().ok_or(InstrError::Operands)?;
                self.exported(&[summed])?;
                let [n, c, h, w] = self.numbering.terms.sizes(summed);
                let (gathered, [n, c]) = match products {
                    None => (Gathered::Values(summed), [n, c]),
                    Some(meaning) => {
                        let sizes = [into.images, into.channels, 1, 1];
                        let sums = self.products(meaning, &read, sizes)?;
                        (Gathered::Sums(sums), [into.images, into.channels])
                    }
                };
                let fits = [into.images, into.channels, into.extent[0], into.extent[1]] == [n, c, h, w];
                let is_kind = products.is_some() == (into.kind == AccumulatorKind::Products);
                if !fits || !is_kind || !self.device.fill(id) {
                    return Err(unfit);
                }
                found.sums.push((id, gathered));
            }
        }
        Ok(read)
    }

    /// The tensor, if it can take the term.
    fn stored_in(&self, tensor: TensorId, term: TermId) -> Result<&'a Tensor, InstrError> {
        let to = self.device.to_store(tensor).ok_or(InstrError::NotWritable(tensor))?;
        let expected = self.numbering.terms.sizes(term);
        if sizes(to) != expected {
            return Err(InstrError::Shape { what: tensor.to_string(), expected, found: sizes(to) });
        }
        Ok(to)
    }

    /// What the contributions that are read add up to.
    fn added(&self, instr: usize, added: BufferId, read: &[TermId]) -> Result<(TermId, Sum), InstrError> {
        let &[read] = read else { return Err(InstrError::Operands) };
        match self.numbering.terms.get(read) {
            Term::Part(Part { of, cut, by: Some(by) }) => {
                let term = self.exported(&[*of])?;
                Ok((term, Sum { instr, added, cut: *cut, by: by.clone() }))
            }
            _ => Err(InstrError::Whole(self.numbering.describe(read))),
        }
    }

    /// Puts the whole of the operand in the place of the tile's part, if there is one, of an operation that is a sum over it; which
    /// operand it was, and of which buffer.
    fn without_part(
        &self,
        meaning: &Meaning,
        inputs: &mut [TermId],
        is_plain: bool,
    ) -> Result<Option<(usize, BufferId)>, InstrError> {
        let terms = &self.numbering.terms;
        let is_part = |id: &TermId| matches!(terms.get(*id), Term::Part(_));
        let Some(operand) = inputs.iter().position(is_part) else { return Ok(None) };
        let Term::Part(Part { of, cut, by }) = terms.get(inputs[operand]) else { return Ok(None) };
        let others = inputs.iter().filter(|id| is_part(id)).count() > 1;
        if by.is_some() || others || !is_plain || !meaning.is_sum_over(operand) {
            return Err(InstrError::Part(self.numbering.describe(*of)));
        }
        inputs[operand] = *of;
        Ok(Some((operand, *cut)))
    }

    /// What leaves the section: a value of the graph for each of its images.
    fn exported(&self, read: &[TermId]) -> Result<TermId, InstrError> {
        let &[term] = read else { return Err(InstrError::Operands) };
        self.of_graph(term)?;
        let sizes = self.numbering.terms.sizes(term);
        if sizes[0] == self.section.images {
            return Ok(term);
        }
        let mut found = sizes;
        found[0] = self.section.images;
        Err(InstrError::Shape { what: "the section".to_owned(), expected: sizes, found })
    }

    /// Instructions read all their operands while they write; those that go element by element may write over one.
    fn not_over_operands(&self, effect: &Effect, dst: BufferId) -> Result<(), InstrError> {
        let buffers = &self.section.buffers;
        for src in effect.reads.iter().map(|r| r.buffer) {
            let allowed = src == dst && effect.is_in_place();
            if !allowed && share_bytes(&buffers[src.index()], &buffers[dst.index()]) {
                return Err(InstrError::Alias { dst, src });
            }
        }
        Ok(())
    }

    fn of_graph(&self, term: TermId) -> Result<(), InstrError> {
        if self.numbering.is_of_graph(term) {
            return Ok(());
        }
        let nearest =
            self.numbering.nearest(term).map(|id| format!("; nearest is {}", self.numbering.explain(id)));
        Err(InstrError::Foreign {
            computed: self.numbering.describe(term),
            nearest: nearest.unwrap_or_default(),
        })
    }

    /// The term that an instruction computes.
    fn value(
        &mut self,
        dst: BufferId,
        channels: u64,
        value: &Value,
        read: &[TermId],
    ) -> Result<TermId, InstrError> {
        match value {
            Value::Loaded(tensor, addressing) => {
                let tile = addressing.is_none().then_some((self.index, dst));
                let term = self.loaded(*tensor, tile)?;
                match addressing {
                    Some(addressing) => self.rearranged(term, *addressing, dst, channels),
                    None => Ok(term),
                }
            }
            Value::Part(tensor) => {
                let of = self.loaded(*tensor, None)?;
                Ok(self.numbering.terms.part(Part { of, cut: dst, by: None }))
            }
            Value::Moved(channels) => self.selected(read, channels),
            Value::Shifted { meaning, channels } => {
                let input = self.selected(read, channels)?;
                self.of_graph(input)?;
                self.applied(dst, channels.end - channels.start, meaning, vec![input], Vec::new())
            }
            Value::Applied { meaning, operands, params, tail } => {
                let mut inputs = read.get(..*operands).ok_or(InstrError::Operands)?.to_vec();
                // A bias or what follows would be there once for each tile.
                let is_plain = tail.is_none() && params.len() <= 1;
                let part = self.without_part(meaning, &mut inputs, is_plain)?;
                let params =
                    params.iter().map(|&(id, packing)| self.weights.term(self.numbering, id, packing));
                let params = params.collect::<Result<Vec<_>, _>>()?;
                let of = self.applied(dst, channels, meaning, inputs, params)?;
                match (part, tail) {
                    (Some((operand, cut)), _) => {
                        let by = Some((meaning.clone(), operand));
                        Ok(self.numbering.terms.part(Part { of, cut, by }))
                    }
                    (None, Some(tail)) => self.elementwise(Some(of), tail, read),
                    (None, None) => Ok(of),
                }
            }
            Value::Elementwise(tail) => self.elementwise(None, tail, read),
        }
    }

    /// A tensor that is loaded in another order.
    fn rearranged(
        &mut self,
        term: TermId,
        addressing: Addressing,
        dst: BufferId,
        channels: u64,
    ) -> Result<TermId, InstrError> {
        let [images, _, height, width] = self.numbering.terms.sizes(term);
        let rearranged = Rearranged::of_load(addressing, [height, width]).ok_or(InstrError::Unknown)?;
        let [rows, columns] = self.section.buffers[dst.index()].extent;
        Ok(self.numbering.terms.apply(Apply {
            meaning: Meaning::Rearranged(rearranged),
            inputs: vec![term],
            params: Vec::new(),
            sizes: [images, channels, rows, columns],
        }))
    }

    /// An operation whose result goes into a buffer: it is one of the graph's.
    fn applied(
        &mut self,
        dst: BufferId,
        channels: u64,
        meaning: &Meaning,
        inputs: Vec<TermId>,
        params: Vec<TermId>,
    ) -> Result<TermId, InstrError> {
        let [height, width] = self.section.buffers[dst.index()].extent;
        let images = inputs.iter().map(|&i| self.numbering.terms.sizes(i)[0]).max().unwrap_or(1);
        let sizes = [images, channels, height, width];
        let apply = Apply { meaning: meaning.clone(), inputs, params, sizes };
        let term = self.numbering.terms.apply(apply);
        self.of_graph(term)?;
        Ok(term)
    }

    /// The sums that an operation on all that is read comes to: a value of the graph.
    fn products(&mut self, meaning: &Meaning, read: &[TermId], sizes: Sizes) -> Result<TermId, InstrError> {
        let apply = Apply { meaning: meaning.clone(), inputs: read.to_vec(), params: Vec::new(), sizes };
        let term = self.numbering.terms.apply(apply);
        self.of_graph(term)?;
        Ok(term)
    }

    /// Some channels of the first buffer that is read.
    fn selected(&mut self, read: &[TermId], channels: &Range<u64>) -> Result<TermId, InstrError> {
        let &of = read.first().ok_or(InstrError::Operands)?;
        let [_, there, ..] = self.numbering.terms.sizes(of);
        if channels.is_empty() || channels.end > there {
            return Err(InstrError::Operands);
        }
        let part = Channels { of, from: channels.start, to: channels.end };
        self.numbering.terms.channels(&[part]).ok_or(InstrError::Operands)
    }

    /// What is loaded from a tensor, by the tiles of a section into a buffer, or otherwise.
    fn loaded(&self, id: TensorId, tile: Option<(usize, BufferId)>) -> Result<TermId, InstrError> {
        let tensor = self.program.tensors.get(id.index());
        let tensor = tensor.ok_or_else(|| InstrError::Lookup(id.to_string()))?;
        if tensor.blocks.is_some_and(|b| tile != Some((b.section as usize, b.buffer))) {
            return Err(InstrError::NotItsBlocks(id));
        }
        let term = self.device.loaded(id).ok_or(InstrError::NotHeld(id))?;
        let sizes = self.numbering.terms.sizes(term);
        if sizes[0] == 1 || sizes[0] == self.section.images {
            return Ok(term);
        }
        let mut found = sizes;
        found[0] = self.section.images;
        Err(InstrError::Shape { what: "the section".to_owned(), expected: sizes, found })
    }

    fn elementwise(
        &mut self,
        first: Option<TermId>,
        tail: &Tail,
        read: &[TermId],
    ) -> Result<TermId, InstrError> {
        let mut inputs: Vec<TermId> = first.into_iter().collect();
        for operand in &tail.operands {
            inputs.push(match *operand {
                TailOperand::Read(nth) => *read.get(nth).ok_or(InstrError::Operands)?,
                TailOperand::Channels(id) => self.weights.term(self.numbering, id, Packing::Channels)?,
            });
        }
        let expr = self.expr(tail.expr)?;
        self.numbering.terms.expression(expr, &inputs).ok_or(InstrError::Operands)
    }

    fn expr(&self, id: ExprId) -> Result<&'a Expr, InstrError> {
        self.program.expressions.get(id.index()).ok_or_else(|| InstrError::Lookup(id.to_string()))
    }

    /// Rows that a step reads and an earlier one wrote hold what the buffer holds at the end of the body; that must be what they
    /// are read as.
    fn kept_rows(
        &mut self,
        effects: &[Effect],
        contents: &Contents<'_>,
        found: &Found,
        reaches_back: &[Vec<bool>],
    ) -> Result<(), CheckError> {
        for (instr, effect) in effects.iter().enumerate() {
            for (nth, reading) in effect.reads.iter().enumerate().filter(|(n, _)| reaches_back[instr][*n]) {
                let kept = contents.read(&mut self.numbering.terms, reading.buffer);
                if kept.as_ref().ok() != found.read[instr].get(nth) {
                    let error = InstrError::Stale { buffer: reading.buffer };
                    return Err(at(self.section, self.index, instr, effect.mnemonic, error));
                }
            }
        }
        Ok(())
    }

    /// The reductions at the section's end.
    fn end(&mut self, sums: &[(AccumulatorId, Gathered)], images: u64) -> Result<(), CheckError> {
        let n = self.section.body.len();
        for (i, reduce) in self.section.end.iter().enumerate() {
            self.reduce(sums, images, reduce)
                .map_err(|e| at(self.section, self.index, n + i, "reduce", e))?;
        }
        Ok(())
    }

    fn reduce(
        &mut self,
        sums: &[(AccumulatorId, Gathered)],
        images: u64,
        reduce: &Reduce,
    ) -> Result<(), InstrError> {
        let sum = sums.iter().find(|(id, _)| *id == reduce.acc);
        let &(_, gathered) = sum.ok_or(InstrError::Accumulator(reduce.acc))?;
        let to = self.device.to_store(reduce.dst).filter(|to| to.blocks.is_none());
        let to = sizes(to.ok_or(InstrError::NotWritable(reduce.dst))?);
        let images = if to[0] == 1 { 1 } else { images };
        let statistic = Statistic { kind: reduce.statistic, group: reduce.group };
        let term = match gathered {
            Gathered::Values(of) => self.statistic(reduce, statistic, of, images)?,
            Gathered::Sums(of) if statistic == Statistic::SUM => of,
            Gathered::Sums(_) => return Err(InstrError::Accumulator(reduce.acc)),
        };
        let expected = self.numbering.terms.sizes(term);
        if to != expected {
            return Err(InstrError::Shape { what: reduce.dst.to_string(), expected, found: to });
        }
        self.device.store(reduce.dst, term);
        Ok(())
    }

    /// A statistic of the values that an accumulator has gathered.
    fn statistic(
        &mut self,
        reduce: &Reduce,
        statistic: Statistic,
        of: TermId,
        images: u64,
    ) -> Result<TermId, InstrError> {
        let gathered = self.program.accumulators[reduce.acc.index()].kind;
        if !statistic.follows_from(gathered) {
            return Err(InstrError::Accumulator(reduce.acc));
        }
        let sizes = [images, self.numbering.terms.sizes(of)[1], 1, 1];
        let meaning = Meaning::Statistic(statistic);
        let term = self.numbering.terms.apply(Apply { meaning, inputs: vec![of], params: Vec::new(), sizes });
        self.of_graph(term)?;
        Ok(term)
    }
}
