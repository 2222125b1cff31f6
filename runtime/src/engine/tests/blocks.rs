//! Tensors that are kept tile by tile: the same bits, whoever runs the tiles, in memory and in files.

use super::{Options, engines, outputs};
use crate::program::{Program, Role, sample};

fn programs() -> [Program; 3] {
    let rings = sample::with_rings(sample::halos());
    [sample::halos(), rings, sample::two_sections()]
}

#[test]
fn blocks_change_no_bit() {
    for program in programs() {
        let expected = outputs(&program, &Options::default());
        for spilled in [false, true] {
            let program = sample::in_blocks(program.clone(), spilled);
            assert!(program.tensors.iter().any(|t| t.blocks.is_some()), "{}", program.name);
            for options in engines() {
                for (checked, threads) in [(true, 2), (false, 1), (false, 3)] {
                    let options = Options { checked, threads, ..options.clone() };
                    assert!(
                        outputs(&program, &options) == expected,
                        "{} {spilled} {options:?}",
                        program.name
                    );
                }
            }
        }
    }
}

#[test]
fn what_blocks_share_is_stored_in_each() {
    let blocks = sample::in_blocks(sample::halos(), false);
    let (shared, whole) = (&blocks.tensors[1], &sample::halos().tensors[1]);
    assert!(matches!(shared.role, Role::Composite(_)));
    // 5 x 3 tiles of 4 x 9 pixels and a border of one, instead of 19 x 26 pixels.
    assert_eq!(shared.bytes().unwrap() * 19 * 26, whole.bytes().unwrap() * 5 * 3 * 6 * 11);
}
