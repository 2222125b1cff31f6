//! Loads that address their tensor otherwise, and copies that fold.

use expect_test::expect;

use super::{fields, refused};
use crate::program::instr::{Addressing, Folding};
use crate::program::{Instr, sample};

#[test]
fn mirrored_borders_are_smaller_than_the_source() {
    let sample = sample::every_instruction;
    refused(
        sample(),
        &expect![
            "section 1 `s1`, instruction 5 (copy): the first mirrored coordinate is -34, not between -33 and 1099511627776"
        ],
        |p| fields!(p, 1, 5, Copy).shift = [-34, 0],
    );
    refused(
        sample(),
        &expect![
            "section 1 `s1`, instruction 5 (copy): the last mirrored coordinate is 101, not between -50 and 100"
        ],
        |p| fields!(p, 1, 5, Copy).shift = [0, 51],
    );
    refused(
        sample(),
        &expect![
            "section 1 `s1`, instruction 5 (copy): the last mirrored coordinate is 67, not between -33 and 66"
        ],
        |p| fields!(p, 1, 5, Copy).shift = [32, 0],
    );
    refused(
        sample(),
        &expect![
            "section 1 `s1`, instruction 5 (copy): the shift is -9223372036854775808, not between -1099511627776 and 1099511627776"
        ],
        |p| fields!(p, 1, 5, Copy).shift = [i64::MIN, 0],
    );
}

#[test]
fn what_is_folded_to_is_there() {
    let sample = sample::every_instruction;
    refused(
        sample(),
        &expect!["section 1 `s1`: instruction 5, step 1 of y: reads 8..24 of %b3, which holds 11..27"],
        |p| fields!(p, 1, 5, Copy).shift = [-4, 0],
    );
    refused(
        sample(),
        &expect!["section 1 `s1`: instruction 5, step 0 of y: reads 5..21 of %b3, which holds -1..15"],
        |p| {
            let copy = fields!(p, 1, 5, Copy);
            (copy.fold, copy.shift) = (Some(Folding::Clamped), [5, 0]);
        },
    );
}

#[test]
fn addressed_tensors_have_what_is_loaded() {
    let sample = sample::every_instruction;
    refused(
        sample(),
        &expect![
            "section 1 `s1`, instruction 4 (load): @t1 is [2, 2, 32, 48] where [2, 2, 34, 51] is needed"
        ],
        |p| fields!(p, 1, 4, Load).addressing = None,
    );
    refused(
        sample(),
        &expect![
            "section 1 `s1`, instruction 4 (load): @t1 is [2, 2, 48, 32] where [2, 2, 34, 51] is needed"
        ],
        |p| fields!(p, 1, 4, Load).addressing = Some(Addressing::Transposed),
    );
    refused(
        sample(),
        &expect![
            "section 1 `s1`, instruction 4 (load): lanes of a tensor that is reshaped: 16 where 1 is needed"
        ],
        |p| fields!(p, 1, 4, Load).addressing = Some(Addressing::Reshaped),
    );
    refused(
        sample(),
        &expect![
            "section 1 `s1`, instruction 4 (load): the shift is 9223372036854775807, not between -1099511627776 and 1099511627776"
        ],
        |p| {
            fields!(p, 1, 4, Load).addressing = Some(Addressing::Wrapped { shift: [i64::MAX, 0] });
        },
    );
    refused(
        sample(),
        &expect![
            "section 1 `s1`, instruction 4 (load): @t1 is [2, 2, 34, 51] where [2, 1, 34, 51] is needed"
        ],
        |p| p.sections[1].buffers[3].channels = 1,
    );
    // A planar tensor of another size.
    refused(
        sample(),
        &expect!["section 1 `s1`, instruction 4 (load): elements of an image: 3072 where 3468 is needed"],
        |p| {
            fields!(p, 1, 4, Load).addressing = Some(Addressing::Reshaped);
            p.tensors.iter_mut().for_each(|t| t.lanes = 1);
        },
    );
}
