//! Tiles that are added up in memory: in the order of colours, whoever runs them, wherever the sum lies.

use super::{EngineKind, Options, bits, engines, outputs};
use crate::program::sample::sums;

/// Tiles of the output's gradient; one, many, and tiles smaller than what they share.
const TILES: [[i64; 2]; 5] = [[19, 26], [8, 8], [5, 26], [2, 3], [1, 1]];

#[test]
fn threads_engines_and_files_change_no_bit() {
    for tile in TILES {
        let jit = Options { engine: EngineKind::Jit, threads: 1, ..Options::default() };
        let expected = outputs(&sums(tile, false), &jit);
        for spilled in [false, true] {
            let program = sums(tile, spilled);
            for options in engines() {
                for (checked, threads) in [(true, 2), (false, 1), (false, 3)] {
                    let options = Options { checked, threads, ..options.clone() };
                    assert!(outputs(&program, &options) == expected, "{tile:?} {spilled} {options:?}");
                }
            }
        }
    }
}

#[test]
fn every_tiling_gives_the_same_up_to_rounding() {
    let values = |tile| {
        let found = outputs(&sums(tile, false), &Options::default());
        found[0].iter().map(|&b| f32::from_bits(b)).collect::<Vec<_>>()
    };
    let whole = values(TILES[0]);
    let largest = whole.iter().fold(0f32, |m, v| m.max(v.abs()));
    assert!(largest > 0.0);
    for tile in TILES {
        let tiled = values(tile);
        let far = tiled.iter().zip(&whole).find(|(a, b)| (*a - *b).abs() > 1e-6 * largest);
        assert!(far.is_none(), "{tile:?}: {far:?}");
        assert!(
            tile == TILES[0] || bits(&tiled) != bits(&whole),
            "another order of additions rounds otherwise"
        );
    }
}

#[test]
fn the_order_of_additions_is_that_of_colours() {
    let tile = [8, 26];
    let expected = outputs(&sums(tile, false), &Options::default());
    // With as many colours as steps, tiles run from top to bottom: another order, and another sum.
    let mut program = sums(tile, false);
    assert_eq!((program.sections[0].colours, program.sections[0].y.steps), ([2, 1], 3));
    program.sections[0].colours = [3, 1];
    let downwards = outputs(&program, &Options::default());
    assert_eq!(outputs(&program, &Options { threads: 3, ..Options::default() }), downwards);
    // Where two tiles meet, either order gives the same.
    assert_eq!(downwards, expected);
    let mut program = sums([1, 26], false);
    let expected = outputs(&program, &Options::default());
    program.sections[0].colours = [19, 1];
    assert_ne!(outputs(&program, &Options::default()), expected);
}
