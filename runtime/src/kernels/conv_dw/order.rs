//! How running sums lie, and which weight each of them is of.

use crate::program::Section;
use crate::program::instr::ConvDw;
use crate::weights::ConvLayout;

/// The order of running sums of products: that of packed weights, `[group][out block][row][16 out]`, where a *row* is an input
/// channel and a tap, `[in block][ky][kx][in in block]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WeightOrder {
    pub(super) layout: ConvLayout,
    transposed: bool,
}

/// Input channel of a group and tap of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) input: usize,
    pub(super) tap: [usize; 2],
}

impl WeightOrder {
    /// That of an instruction's weights; `None` if they are none, or too many.
    pub(crate) fn new(section: &Section, instr: &ConvDw) -> Option<Self> {
        let (x, dy) = (section.buffers.get(instr.x.index())?, section.buffers.get(instr.dy.index())?);
        let groups = u64::from(instr.groups);
        let (inputs, outputs) = (x.channels.checked_div(groups)?, dy.channels.checked_div(groups)?);
        let layout = ConvLayout::new(groups, outputs, inputs, instr.window.kernel.map(u64::from))?;
        Some(Self { layout, transposed: instr.transposed })
    }

    /// Number of running sums, padding included.
    pub(crate) fn len(&self) -> usize {
        self.layout.packed_len()
    }

    /// Calls `f` with the place of each running sum and the number of its weight, row-major.
    pub(crate) fn for_each(&self, mut f: impl FnMut(usize, usize)) {
        for group in 0..self.layout.groups() {
            for out in 0..self.layout.out_per_group() {
                for row in 0..self.rows() {
                    let at = self.row(row);
                    let [ky, kx] = at.tap;
                    f(self.layout.offset(group, out, at.input, ky, kx), self.weight(group, out, at));
                }
            }
        }
    }

    /// Number of rows of a group and an output block.
    pub(super) fn rows(&self) -> usize {
        self.layout.in_per_group() * self.taps()
    }

    /// Taps of the kernel.
    pub(super) fn taps(&self) -> usize {
        let [kh, kw] = self.layout.kernel();
        kh * kw
    }

    /// Row number `row`.
    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> Row {
        let of_block = LANES * self.taps();
        let (block, rest) = (row / of_block, row % of_block);
        let inputs = self.layout.in_block_len(block);
        let (tap, input) = (rest / inputs, rest % inputs);
        let kw = self.layout.kernel()[1];
        Row { input: block * LANES + input, tap: [tap / kw, tap % kw] }
    }

    /// The number of a weight: `[out, in/groups, kh, kw]`, or transposed `[in, out/groups, kh, kw]`.
    #[inline(always)]
    pub(super) fn weight(&self, group: usize, out: usize, Row { input, tap: [ky, kx] }: Row) -> usize {
        let (inputs, outputs) = (self.layout.in_per_group(), self.layout.out_per_group());
        let pair = if self.transposed {
            (group * inputs + input) * outputs + out
        } else {
            (group * outputs + out) * inputs + input
        };
        let [kh, kw] = self.layout.kernel();
        (pair * kh + ky) * kw + kx
    }
}

const LANES: usize = crate::weights::BLOCK;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_packed_weights_and_every_weight_has_one() {
        for (groups, outputs, inputs, kernel) in [(1, 20, 35, [3, 2]), (3, 5, 7, [1, 1]), (2, 16, 16, [2, 3])]
        {
            for transposed in [false, true] {
                let layout = ConvLayout::new(groups, outputs, inputs, kernel).unwrap();
                let order = WeightOrder { layout, transposed };
                let mut seen = vec![false; (groups * outputs * inputs * kernel[0] * kernel[1]) as usize];
                order.for_each(|place, weight| {
                    assert!(place < order.len() && !std::mem::replace(&mut seen[weight], true));
                });
                assert!(seen.iter().all(|seen| *seen));
                for row in 0..order.rows() {
                    let Row { input, tap: [ky, kx] } = order.row(row);
                    assert_eq!(layout.offset(0, 0, input, ky, kx), row * LANES);
                }
            }
        }
    }
}
