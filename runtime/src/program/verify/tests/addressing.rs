//! Loads that address their tensor otherwise, and copies that fold.

use expect_test::expect;

use super::{fields, refused};
use crate::program::instr::{Addressing, Fold};
use crate::program::{Instr, sample};

#[test]
fn mirrored_borders_are_smaller_than_the_source() {
    let sample = sample::every_instruction;
    refused(sample(), &expect![""], |p| fields!(p, 1, 5, Copy).shift = [-34, 0]);
    refused(sample(), &expect![""], |p| fields!(p, 1, 5, Copy).shift = [0, 51]);
    refused(sample(), &expect![""], |p| fields!(p, 1, 5, Copy).shift = [32, 0]);
    refused(sample(), &expect![""], |p| fields!(p, 1, 5, Copy).shift = [i64::MIN, 0]);
}

#[test]
fn what_is_folded_to_is_there() {
    let sample = sample::every_instruction;
    refused(sample(), &expect![""], |p| fields!(p, 1, 5, Copy).fold = None);
    refused(sample(), &expect![""], |p| fields!(p, 1, 5, Copy).shift = [-4, 0]);
    refused(sample(), &expect![""], |p| {
        let copy = fields!(p, 1, 5, Copy);
        (copy.fold, copy.shift) = (Some(Fold::Clamped), [5, 0]);
    });
}

#[test]
fn addressed_tensors_have_what_is_loaded() {
    let sample = sample::every_instruction;
    refused(sample(), &expect![""], |p| fields!(p, 1, 4, Load).addressing = None);
    refused(sample(), &expect![""], |p| fields!(p, 1, 4, Load).addressing = Some(Addressing::Transposed));
    refused(sample(), &expect![""], |p| fields!(p, 1, 4, Load).addressing = Some(Addressing::Reshaped));
    refused(sample(), &expect![""], |p| {
        fields!(p, 1, 4, Load).addressing = Some(Addressing::Wrapped { shift: [i64::MAX, 0] });
    });
    refused(sample(), &expect![""], |p| p.sections[1].buffers[3].channels = 1);
    // A planar tensor of another size, and one of the same size that is not planar.
    refused(sample(), &expect![""], |p| {
        fields!(p, 1, 4, Load).addressing = Some(Addressing::Reshaped);
        p.tensors.iter_mut().for_each(|t| t.lanes = 1);
    });
}
