//! Weight gradients: no tile, thread, engine or running sum changes a bit.

use super::{Control, EngineKind, Executable, Options, engines, outputs};
use crate::program::sample::weight_gradients;

#[test]
fn tiles_threads_engines_and_running_sums_change_no_bit() {
    let jit = Options { engine: EngineKind::Jit, threads: 1, ..Options::default() };
    let expected = outputs(&weight_gradients([40, 96], false), &jit);
    assert!(expected.iter().flatten().any(|&b| b != 0));
    for tile in [[40, 96], [8, 32], [16, 64], [24, 32]] {
        for running in [false, true] {
            let program = weight_gradients(tile, running);
            for options in engines() {
                for (checked, threads) in [(true, 2), (false, 1), (false, 3)] {
                    let options = Options { checked, threads, ..options.clone() };
                    assert!(outputs(&program, &options) == expected, "{tile:?} {running} {options:?}");
                }
            }
        }
    }
}

#[test]
fn sums_begin_at_zero_in_every_run() {
    use crate::engine::{ArrayView, ArrayViewMut};
    let mut exe = Executable::load(weight_gradients([8, 32], true), &Options::default()).unwrap();
    let [image, gradient] = [super::values(1, 2 * 3 * 37 * 70), super::values(2, 2 * 20 * 37 * 70)];
    let dims = |c| crate::program::Dims { n: 2, c, h: 37, w: 70 };
    let mut run = || {
        let [mut direct, mut transposed] = [vec![0.0; 20 * 27], vec![0.0; 20 * 12]];
        let of = |n, c| crate::program::Dims { n, c, h: 1, w: 1 };
        exe.run(
            &[
                ("image", ArrayView { dims: dims(3), data: &image }),
                ("gradient", ArrayView { dims: dims(20), data: &gradient }),
            ],
            &mut [
                ("direct", ArrayViewMut { dims: of(20, 27), data: &mut direct }),
                ("transposed", ArrayViewMut { dims: of(20, 12), data: &mut transposed }),
            ],
            &Control::default(),
        )
        .unwrap();
        (super::bits(&direct), super::bits(&transposed))
    };
    assert!(run() == run());
}
