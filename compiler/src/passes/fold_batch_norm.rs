//! `fold-batch-norm`: scalings of channels that follow from parameters alone go into the parameters of the op before.
//!
//! ```text
//! before: %a = conv2d %x @c.weight @c.bias;   %y = batch_norm %a @n.weight @n.bias @n.running_mean @n.running_var;
//! after:  param @c.weight.folded @c.weight @n.weight … (formula: weights, …);   param @c.bias.folded … (formula: bias, …);
//!         %y = conv2d %x @c.weight.folded @c.bias.folded;
//! ```
//!
//! That is so where nobody else reads what the op before computes, and its parameters are stored ones. Elsewhere a multiply-add
//! with one scale and one shift a channel takes the place of the batch normalisation. Derived parameters are evaluated in f64 and
//! rounded once ([`crate::ops::Formula`]); this is what a batch normalisation with fixed statistics means, so no plan and no other
//! option changes it.

use std::collections::{HashMap, HashSet};
use std::iter;
use std::sync::Arc;

use zellige_grammar::Diagnostic;

use super::{Module, Options};
use crate::base::{OpId, ParamId, ValueId};
use crate::ir::{Def, Derived, Graph, Node, Output, Param};
use crate::ops::{Absorbed, ChannelScaling, Formula, FormulaKind, Op};

pub(super) fn run(module: Module, _: &Options) -> Result<Module, Vec<Diagnostic>> {
    let graph = super::graph(module, "fold-batch-norm")?;
    Ok(Module::Graph(Fold::of(&graph).graph()))
}

/// A graph with its scalings folded, in the making.
struct Fold<'a> {
    old: &'a Graph,
    new: Graph,
    values: HashMap<ValueId, ValueId>,
    /// Names of parameters.
    names: HashSet<String>,
    /// By an op that absorbs a scaling, the op that scales.
    absorbed: HashMap<OpId, OpId>,
}

impl<'a> Fold<'a> {
    fn of(old: &'a Graph) -> Self {
        let consumers = old.consumers();
        let absorbs = |&op: &OpId| {
            let node = &old.ops[op];
            let alone = consumers.get(&node.output).is_some_and(|readers| readers.len() == 1);
            let stored = node.params.iter().all(|&p| old.params[p].derived.is_none());
            alone && stored && !old.is_output(node.output) && node.op.absorb_scaling().is_some()
        };
        let scalings = old.ops.iter().filter(|(_, node)| node.op.channel_scaling().is_some());
        let absorbed = scalings
            .filter_map(|(id, node)| Some((old.producer(*node.inputs.first()?).filter(absorbs)?, id)))
            .collect();
        let new = old.without_values();
        let names = old.params.iter().map(|(_, p)| p.name.clone()).collect();
        Self { old, new, values: HashMap::new(), names, absorbed }
    }

    fn graph(mut self) -> Graph {
        for (id, value) in self.old.values.iter() {
            let moved = match &value.def {
                Def::Input | Def::Constant(_) => self.new.add_given(value),
                Def::Op(op) if self.absorbed.contains_key(op) => continue,
                Def::Op(op) => self.op(*op),
            };
            self.values.insert(id, moved);
        }
        let output = |o: &Output| Output { value: self.values[&o.value], ..o.clone() };
        self.new.outputs = self.old.outputs.iter().map(output).collect();
        self.new
    }

    fn op(&mut self, op: OpId) -> ValueId {
        let node = &self.old.ops[op];
        let Some(scaling) = node.op.channel_scaling() else {
            return self.push(node, node.op.clone(), &node.inputs, node.params.clone());
        };
        let before = self.old.producer(node.inputs[0]).filter(|p| self.absorbed.get(p) == Some(&op));
        match before.and_then(|p| Some((p, self.old.ops[p].op.absorb_scaling()?))) {
            Some((before, absorbed)) => self.fold(&self.old.ops[before], absorbed, node, &scaling),
            None => self.scale_and_shift(node, scaling),
        }
    }

    /// The op before with the scaling in its parameters.
    fn fold(
        &mut self,
        before: &Node,
        Absorbed { op, transposed }: Absorbed,
        node: &Node,
        scaling: &ChannelScaling,
    ) -> ValueId {
        let [weight, bias @ ..] = before.params.as_slice() else {
            unreachable!("an op that absorbs a scaling has weights")
        };
        let (weight_name, channels) = (&self.old.params[*weight].name, self.channels(node));
        let bias_name = match bias.first() {
            Some(&bias) => self.old.params[bias].name.clone(),
            None => beside(weight_name, "bias"),
        };
        let formula = |formula, transposed| Formula { formula, eps: scaling.eps, transposed };
        let weights = self.derive(
            format!("{weight_name}.folded"),
            self.old.params[*weight].dims.clone(),
            formula(FormulaKind::Weights, transposed),
            &[&[*weight], node.params.as_slice()].concat(),
        );
        let bias = self.derive(
            format!("{bias_name}.folded"),
            channels,
            formula(FormulaKind::Bias, None),
            &[bias, node.params.as_slice()].concat(),
        );
        self.push(node, op, &before.inputs, vec![weights, bias])
    }

    fn scale_and_shift(&mut self, node: &Node, ChannelScaling { eps, op }: ChannelScaling) -> ValueId {
        let mut derive = |kind, suffix| {
            let name = beside(&self.old.params[node.params[0]].name, suffix);
            let formula = Formula { formula: kind, eps, transposed: None };
            self.derive(name, self.channels(node), formula, &node.params)
        };
        let params = vec![derive(FormulaKind::Scale, "scale"), derive(FormulaKind::Shift, "shift")];
        self.push(node, op, &node.inputs, params)
    }

    /// The shape of the scaling's parameters: one value a channel.
    fn channels(&self, node: &Node) -> Vec<u64> {
        self.old.params[node.params[0]].dims.clone()
    }

    fn derive(&mut self, name: String, dims: Vec<u64>, formula: Formula, sources: &[ParamId]) -> ParamId {
        let derived = Some(Derived { formula, sources: sources.to_vec() });
        let name = self.free_name(name);
        self.new.params.push(Param { name, dims, derived })
    }

    /// The name, or one like it that no parameter has.
    fn free_name(&mut self, name: String) -> String {
        let others = (1..).map(|i| format!("{name}.{i}"));
        let free = iter::once(name.clone()).chain(others).find(|name| !self.names.contains(name));
        let name = free.unwrap_or(name);
        self.names.insert(name.clone());
        name
    }

    /// Adds an op that computes the value of `node`.
    fn push(&mut self, node: &Node, op: Arc<dyn Op>, inputs: &[ValueId], params: Vec<ParamId>) -> ValueId {
        let value = &self.old.values[node.output];
        let inputs = inputs.iter().map(|v| self.values[v]).collect();
        self.new.push_op(&value.name, op, inputs, params, value.ty.clone(), node.origin())
    }
}

/// The name of a parameter beside another one of the same op.
fn beside(name: &str, suffix: &str) -> String {
    let path = name.rsplit_once('.').map_or("", |(path, _)| path);
    format!("{path}.{suffix}")
}
