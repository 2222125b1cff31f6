//! Pooling over windows; taps outside the extent are left out.

use serde::Deserialize;

use super::{Definition, Meaning, Operation, Window};

/// A pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Pool {
    /// What is computed of a window.
    pub(in super::super) kind: PoolKind,
    /// The window.
    pub(in super::super) window: Window,
}

/// What is computed of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) enum PoolKind {
    /// The largest value.
    Max,
    /// The sum, divided by the number of taps in the extent widened by so much (top, left, bottom, right).
    Average([i64; 4]),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Attrs {
    kernel: [u32; 2],
    stride: [u32; 2],
    pad: [i64; 4],
    dilation: Option<[u32; 2]>,
    /// Whether windows hang over the end: the size of the result.
    #[serde(default)]
    #[expect(dead_code, reason = "the size of the result, which is compared itself")]
    ceil_mode: bool,
    count_include_pad: Option<bool>,
}

impl Attrs {
    pub(super) fn window(&self) -> Option<Window> {
        Window {
            kernel: self.kernel.map(i64::from),
            stride: self.stride.map(i64::from),
            dilation: self.dilation.unwrap_or([1; 2]).map(i64::from),
            pad: [self.pad[0], self.pad[1]],
        }
        .bounded()
    }

    /// How far outside the extent the taps of an average count.
    pub(super) fn margin(&self) -> Option<[i64; 4]> {
        Some(if self.count_include_pad? { self.pad } else { [0; 4] })
    }

    fn definition(&self, kind: PoolKind) -> Option<Definition> {
        Some(Definition::Apply(Meaning::Pool(Pool { kind, window: self.window()? })))
    }
}

pub(super) fn max_pool2d(op: &Operation<'_>) -> Option<Definition> {
    let attrs: Attrs = op.attrs()?;
    attrs.definition(PoolKind::Max)
}

pub(super) fn avg_pool2d(op: &Operation<'_>) -> Option<Definition> {
    let attrs: Attrs = op.attrs()?;
    attrs.definition(PoolKind::Average(attrs.margin()?))
}
