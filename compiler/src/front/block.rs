//! Blocks.

use zellige_grammar::ast::{Block, Call};
use zellige_grammar::{Code, Diagnostic, Span};

use super::arguments::{Formal, Given};
use super::expander::{CallSite, Expander, Flow, Frame, closing_brace, count};
use super::function::FUNCTIONS;
use super::value::Value;

impl<'a> Expander<'a> {
    pub(super) fn declare_block(&mut self, block: &'a Block) {
        let name = block.name.value.as_str();
        if self.ops.contains_key(name) || FUNCTIONS.contains(&name) || name == "const" {
            let problem = Diagnostic::error(Code::E0204, format!("`{name}` is an op already"))
                .label(block.name.span, "a block cannot be called so");
            self.error(problem);
        } else if let Some(first) = self.blocks.insert(name, block) {
            let hint = "give each block a name of its own";
            self.defined_twice(name, first.name.span, block.name.span, hint);
        }
        for (i, param) in block.params.iter().enumerate() {
            let earlier = &block.params[..i];
            if let Some(first) = earlier.iter().find(|other| other.name.value == param.name.value) {
                let hint = "give each parameter a name of its own";
                self.defined_twice(&param.name.value, first.name.span, param.name.span, hint);
            } else if param.name.value == "name" {
                let problem = Diagnostic::error(Code::E0204, "a parameter cannot be called `name`")
                    .label(param.name.span, "reserved")
                    .note("in a call, `name:` is what the paths of the block's weights begin with");
                self.error(problem);
            }
        }
    }

    /// Expands a block where it is called.
    pub(super) fn call_block(
        &mut self,
        block: &'a Block,
        call: &'a Call,
        given: Vec<Given<'a>>,
        name: Option<&str>,
    ) -> Value {
        if self.calls.iter().any(|site| site.block == block.name.value) {
            let problem =
                Diagnostic::error(Code::E0215, format!("the block `{}` calls itself", block.name.value))
                    .label(call.callee.span, "called while it is being expanded")
                    .secondary(block.name.span, "defined here")
                    .hint("a `for` loop repeats; blocks cannot");
            self.error(problem);
            return Value::Unknown;
        }
        let formals = block
            .params
            .iter()
            .map(|param| Formal { required: param.default.is_none(), ..Formal::optional(&param.name.value) });
        let formals: Vec<_> = formals.collect();
        let Some(matched) = self.match_arguments(call, given, &formals, Some(block.name.span)) else {
            return Value::Unknown;
        };
        let prefix = match &matched.path {
            Some((path, _)) => format!("{}{path}.", self.frame.prefix),
            None => self.frame.prefix.clone(),
        };
        let results = name.map(str::to_owned).into_iter().collect();
        let frame = Frame { prefix, results, ..Frame::default() };
        let caller = std::mem::replace(&mut self.frame, frame);
        self.calls.push(CallSite { block: &block.name.value, span: call.span });
        self.frame.scopes.push();
        for (param, arg) in block.params.iter().zip(matched.args) {
            let value = match (arg, &param.default) {
                (Some(arg), _) => arg.value,
                (None, Some(default)) => self.eval(default, None),
                (None, None) => Value::Unknown,
            };
            self.frame.scopes.define(&param.name.value, value, param.name.span);
        }
        let flow = self.body(&block.body);
        let value = self.result(block, flow);
        self.calls.pop();
        self.frame = caller;
        value
    }

    fn result(&mut self, block: &'a Block, flow: Flow<'a>) -> Value {
        let name = &block.name.value;
        let problem = match flow {
            Flow::Unknown => return Value::Unknown,
            Flow::Return(values, stmt) => match <[(Value, Span); 1]>::try_from(values) {
                Ok([(value, _)]) => return value,
                Err(values) => {
                    let message = format!("a block returns one value, not {}", values.len());
                    Diagnostic::error(Code::E0211, message)
                        .label(stmt.span, count(values.len(), "value"))
                        .hint("what has several results can be written as several blocks")
                }
            },
            Flow::Next => Diagnostic::error(Code::E0218, format!("the block `{name}` returns nothing"))
                .label(closing_brace(&block.body), "a `return` is missing here"),
        };
        self.error(problem);
        Value::Unknown
    }
}
