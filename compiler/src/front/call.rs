//! Calls: what is called.

use zellige_grammar::ast::{Call, Ident};
use zellige_grammar::suggest::did_you_mean;
use zellige_grammar::{Code, Diagnostic, Span};

use super::arguments::Given;
use super::expander::Expander;
use super::function::FUNCTIONS;
use super::optimizer;
use super::value::Value;

/// What other frameworks call ops.
const ELSEWHERE: [(&str, &str); 33] = [
    ("conv", "conv2d"),
    ("convolution", "conv2d"),
    ("deconv", "conv_transpose2d"),
    ("conv_transpose", "conv_transpose2d"),
    ("cat", "concat"),
    ("concatenate", "concat"),
    ("interpolate", "upsample"),
    ("resize", "upsample"),
    ("depth_to_space", "pixel_shuffle"),
    ("space_to_depth", "pixel_unshuffle"),
    ("narrow", "slice"),
    ("maxpool", "max_pool2d"),
    ("avgpool", "avg_pool2d"),
    ("adaptive_avg_pool2d", "global_avg_pool"),
    ("zero_pad2d", "pad"),
    ("center_crop", "crop"),
    ("clamp", "clip"),
    ("multiply", "mul"),
    ("dense", "linear"),
    ("bmm", "matmul"),
    ("layernorm", "layer_norm"),
    ("layer_norm2d", "layer_norm"),
    ("reduce_mean", "mean"),
    ("reduce_sum", "sum"),
    ("mse_loss", "mse"),
    ("l1_loss", "l1"),
    ("mae", "l1"),
    ("bce", "bce_with_logits"),
    ("binary_cross_entropy", "bce_with_logits"),
    ("binary_cross_entropy_with_logits", "bce_with_logits"),
    ("nll", "cross_entropy"),
    ("nll_loss", "cross_entropy"),
    ("dice_loss", "dice"),
];

impl<'a> Expander<'a> {
    /// The value of a call; `piped` is what goes into it as its first argument.
    pub(super) fn call(&mut self, call: &'a Call, piped: Option<(Value, Span)>, name: Option<&str>) -> Value {
        let given = self.arguments(call, piped);
        let callee = call.callee.value.as_str();
        if let Some(block) = self.blocks.get(callee).copied() {
            return self.call_block(block, call, given, name);
        }
        match callee {
            "const" => self.constant(call, given, name),
            "crop" if given.iter().any(|given| given.is_called("to")) => self.crop_to(call, given, name),
            _ if FUNCTIONS.contains(&callee) => self.function(call, given),
            _ => match self.ops.get(callee).cloned() {
                Some(def) => self.call_op(&def, call, given, name),
                None => self.unknown_callee(&call.callee),
            },
        }
    }

    fn arguments(&mut self, call: &'a Call, piped: Option<(Value, Span)>) -> Vec<Given<'a>> {
        let mut given = Vec::with_capacity(call.args.len() + 1);
        given.extend(piped.map(|(value, span)| Given { name: None, value, span }));
        for arg in &call.args {
            let value = self.eval(&arg.value, None);
            given.push(Given { name: arg.name.as_ref(), value, span: arg.value.span });
        }
        given
    }

    fn unknown_callee(&mut self, callee: &Ident) -> Value {
        let name = callee.value.as_str();
        let problem = Diagnostic::error(Code::E0201, format!("no op or block is called `{name}`"))
            .label(callee.span, "unknown op");
        let folded = name.to_lowercase();
        let problem = match ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == folded) {
            Some((_, here)) => problem.hint(format!("here it is `{here}`")),
            None if optimizer::find(name).is_some() => problem
                .hint("optimizers and schedules stand in a training section: `optimizer …;`, `schedule …;`"),
            None => {
                // Sorted, since the order of a map is nobody's choice.
                let mut ops: Vec<&str> = self.ops.keys().copied().collect();
                ops.sort_unstable();
                let known = self.blocks.keys().copied().chain(ops).chain(FUNCTIONS).chain(["const"]);
                problem.maybe_hint(did_you_mean(name, known))
            }
        };
        self.error(problem);
        Value::Unknown
    }

    pub(super) fn given_twice(&mut self, name: &str, first: Span, second: Span) {
        self.error(
            Diagnostic::error(Code::E0208, format!("`{name}` is given twice"))
                .label(second, "given again")
                .secondary(first, "first given here"),
        );
    }
}
