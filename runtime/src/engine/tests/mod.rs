//! Whole programs: every way of running them gives the same bits, and what is wrong is refused.

mod blocks;
mod network;
mod products;
mod sums;

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::*;
use crate::memory::scratch_bytes;
use crate::program::{Dims, Program, Role, sample};
use network::{Sizes, len, naive, values};

const SIZES: Sizes =
    Sizes { images: 2, h: 37, w: 30, channels: 20, lanes: 16, features_tile: [16, 8], pooled_tile: [5, 4] };

/// The bits of both outputs.
type Bits = (Vec<u32>, Vec<u32>);

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn image(sizes: Sizes) -> Vec<f32> {
    values(99, len(sizes.image()))
}

fn expected(sizes: Sizes) -> Bits {
    let (features, pooled) = naive(sizes, &image(sizes));
    (bits(&features), bits(&pooled))
}

fn executable(sizes: Sizes, options: &Options) -> Executable {
    Executable::load(network::program(sizes), options).unwrap()
}

fn run_controlled(
    exe: &mut Executable,
    sizes: Sizes,
    control: &Control<'_>,
) -> Result<(Bits, RunStats), EngineError> {
    let image = image(sizes);
    let mut features = vec![0.0; len(sizes.features()) as usize];
    let mut pooled = vec![0.0; len(sizes.pooled()) as usize];
    let stats = exe.run(
        &[("image", ArrayView { dims: sizes.image(), data: &image })],
        &mut [
            ("pooled", ArrayViewMut { dims: sizes.pooled(), data: &mut pooled }),
            ("features", ArrayViewMut { dims: sizes.features(), data: &mut features }),
        ],
        control,
    )?;
    Ok(((bits(&features), bits(&pooled)), stats))
}

fn run(exe: &mut Executable, sizes: Sizes) -> (Bits, RunStats) {
    run_controlled(exe, sizes, &Control::default()).unwrap()
}

fn engines() -> Vec<Options> {
    let native = Isa::available().into_iter().map(|isa| Options { isa: Some(isa), ..Options::default() });
    native.chain([Options { engine: EngineKind::Jit, ..Options::default() }]).collect()
}

#[test]
fn every_engine_gives_the_same_bits() {
    let expected = expected(SIZES);
    for options in engines() {
        for sizes in [SIZES, SIZES.untiled()] {
            let mut exe = executable(sizes, &Options { threads: 1, ..options.clone() });
            assert!(run(&mut exe, sizes).0 == expected, "{options:?} {sizes:?}");
        }
    }
}

#[test]
fn tiles_and_lanes_change_no_bit() {
    let expected = expected(SIZES);
    for lanes in [1, 4, 8, 16] {
        for features_tile in [[8, 8], [24, 16], [8, 32], [40, 8]] {
            for pooled_tile in [[1, 15], [7, 3]] {
                let sizes = Sizes { lanes, features_tile, pooled_tile, ..SIZES };
                let mut exe = executable(sizes, &Options { threads: 2, ..Options::default() });
                assert!(run(&mut exe, sizes).0 == expected, "{sizes:?}");
            }
        }
    }
}

#[test]
fn threads_change_no_bit_and_runs_repeat() {
    let expected = expected(SIZES);
    for threads in [1, 2, 5] {
        let mut exe = executable(SIZES, &Options { threads, ..Options::default() });
        for _ in 0..20 {
            let (bits, stats) = run(&mut exe, SIZES);
            assert_eq!(stats.threads, threads);
            assert!(bits == expected, "{threads} threads");
        }
    }
}

#[test]
fn no_engine_strays_or_reads_what_it_did_not_write() {
    let expected = expected(SIZES);
    for options in engines() {
        for (lanes, threads) in [(1, 2), (4, 1), (16, 2)] {
            let sizes = Sizes { lanes, ..SIZES };
            let mut exe = executable(sizes, &Options { checked: true, threads, ..options.clone() });
            for _ in 0..2 {
                assert!(run(&mut exe, sizes).0 == expected, "{options:?} {lanes} lanes");
            }
        }
    }
}

#[test]
fn rings_change_no_bit() {
    let outputs = |program: Program, options: &Options| {
        let mut exe = Executable::load(program, options).unwrap();
        let sizes = |role| exe.program().tensors.iter().find(|t| t.role == role).unwrap().clone();
        let (input, output) = (sizes(Role::Input), sizes(Role::Output));
        let image = values(7, len(input.dims));
        let mut result = vec![0.0; len(output.dims) as usize];
        exe.run(
            &[(&input.name, ArrayView { dims: input.dims, data: &image })],
            &mut [(&output.name, ArrayViewMut { dims: output.dims, data: &mut result })],
            &Control::default(),
        )
        .unwrap();
        bits(&result)
    };
    for program in [sample::two_sections(), sample::every_instruction()] {
        let expected = outputs(program.clone(), &Options::default());
        for options in engines() {
            for (checked, threads) in [(true, 1), (true, 2), (false, 2)] {
                let options = Options { checked, threads, ..options.clone() };
                let strips = sample::with_rings(program.clone());
                assert!(strips.sections.iter().any(|s| s.has_rings()));
                assert!(outputs(strips, &options) == expected, "{options:?}");
            }
        }
    }
}

#[test]
fn nans_leave_as_the_canonical_one() {
    let mut exe = executable(SIZES, &Options::default());
    let image = vec![f32::from_bits(0xffc0_1234); len(SIZES.image()) as usize];
    let mut features = vec![0.0; len(SIZES.features()) as usize];
    let mut pooled = vec![0.0; len(SIZES.pooled()) as usize];
    let inputs = [("image", ArrayView { dims: SIZES.image(), data: &image })];
    let mut outputs = [
        ("pooled", ArrayViewMut { dims: SIZES.pooled(), data: &mut pooled }),
        ("features", ArrayViewMut { dims: SIZES.features(), data: &mut features }),
    ];
    exe.run(&inputs, &mut outputs, &Control::default()).unwrap();
    let all = || features.iter().chain(&pooled);
    assert!(all().all(|v| !v.is_nan() || v.to_bits() == 0x7fc0_0000));
}

#[test]
fn statistics_say_what_was_planned_and_measured() {
    let mut exe = executable(SIZES, &Options { threads: 2, profile: true, ..Options::default() });
    let (_, stats) = run(&mut exe, SIZES);
    let tiles: Vec<_> = stats.sections.iter().map(|s| s.tiles).collect();
    assert_eq!(tiles, [2 * 3 * 4, 2 * 4 * 4]);
    assert_eq!(stats.sections[0].instructions.len(), 6);
    assert!(stats.peak_sram_bytes > stats.planned_sram_bytes);
    assert!(stats.peak_sram_bytes <= stats.planned_sram_bytes + stats.scratch_bytes);
    let (nodes, operands) = (3, 2);
    assert!(stats.scratch_bytes <= scratch_bytes(nodes, operands));
    assert_eq!(stats.peak_device_bytes, stats.planned_device_bytes);
    assert!(stats.sections.iter().all(|s| s.nanoseconds > 0 && s.nanoseconds <= stats.nanoseconds));
    assert!(stats.peak_rss_bytes > 0 && stats.measured_anonymous_bytes <= stats.peak_rss_bytes);
}

#[test]
fn progress_ends_with_all_tiles() {
    let seen = RefCell::new(Vec::new());
    let note = |p| seen.borrow_mut().push(p);
    let mut exe = executable(SIZES, &Options { threads: 2, ..Options::default() });
    run_controlled(&mut exe, SIZES, &Control { cancel: None, progress: Some(&note) }).unwrap();
    let seen = seen.into_inner();
    assert!(seen.is_sorted_by_key(|p: &Progress| p.tiles_done));
    assert_eq!(seen.last(), Some(&Progress { section: 1, sections: 2, tiles_done: 56, tiles: 56 }));
}

#[test]
fn a_run_can_be_cancelled_and_repeated() {
    for threads in [1, 2] {
        let mut exe = executable(SIZES, &Options { threads, ..Options::default() });
        let cancel = AtomicBool::new(true);
        let control = Control { cancel: Some(&cancel), progress: None };
        assert!(matches!(run_controlled(&mut exe, SIZES, &control), Err(EngineError::Cancelled)));

        cancel.store(false, Relaxed);
        let stop = |_| cancel.store(true, Relaxed);
        let control = Control { cancel: Some(&cancel), progress: Some(&stop) };
        assert!(matches!(run_controlled(&mut exe, SIZES, &control), Err(EngineError::Cancelled)));
        assert!(run(&mut exe, SIZES).0 == expected(SIZES));
    }
}

#[test]
fn a_panic_is_an_error() {
    let mut exe = executable(SIZES, &Options { threads: 3, ..Options::default() });
    let fail = |_| panic!("no more");
    let error =
        run_controlled(&mut exe, SIZES, &Control { cancel: None, progress: Some(&fail) }).unwrap_err();
    assert_eq!(error.to_string(), "internal error in section `a`: no more");
    assert!(run(&mut exe, SIZES).0 == expected(SIZES));
}

/// The error of a run with these inputs, each of the given shape and number of values.
fn refused(inputs: &[(&str, Dims, usize)], outputs: &[(&str, Dims, usize)]) -> String {
    let mut exe = executable(SIZES, &Options { threads: 1, ..Options::default() });
    let zeros = vec![0.0; 100_000];
    let inputs: Vec<_> =
        inputs.iter().map(|&(name, dims, n)| (name, ArrayView { dims, data: &zeros[..n] })).collect();
    let mut memory: Vec<Vec<f32>> = outputs.iter().map(|o| vec![0.0; o.2]).collect();
    let mut outputs: Vec<_> = outputs
        .iter()
        .zip(&mut memory)
        .map(|(&(name, dims, _), data)| (name, ArrayViewMut { dims, data }))
        .collect();
    exe.run(&inputs, &mut outputs, &Control::default()).unwrap_err().to_string()
}

#[test]
fn arrays_that_do_not_fit_are_refused() {
    let image = ("image", SIZES.image(), len(SIZES.image()) as usize);
    let features = ("features", SIZES.features(), len(SIZES.features()) as usize);
    let pooled = ("pooled", SIZES.pooled(), len(SIZES.pooled()) as usize);
    let small = Dims { h: 16, w: 16, ..SIZES.image() };
    assert_eq!(
        refused(&[("image", small, len(small) as usize)], &[features, pooled]),
        "input `image` is f32[2, 3, 16, 16], but the program is compiled for f32[2, 3, 37, 30]"
    );
    assert_eq!(
        refused(&[("image", SIZES.image(), 10)], &[features, pooled]),
        "input `image` is f32[2, 3, 37, 30], but its slice holds 10 values"
    );
    assert_eq!(refused(&[], &[features, pooled]), "input `image` of the program is missing");
    assert_eq!(refused(&[image], &[features]), "output `pooled` of the program is missing");
    assert_eq!(refused(&[image, image], &[]), "input `image` is given twice");
    assert_eq!(
        refused(&[image], &[("image", SIZES.image(), 1)]),
        "the program has no output `image`; it has `features`, `pooled`"
    );
}

#[test]
fn a_malformed_program_is_refused() {
    let mut program: Program = network::program(SIZES);
    program.sections[0].buffers[0].offset = 1 << 40;
    let result = Executable::load(program, &Options::default());
    assert!(matches!(result.err(), Some(EngineError::Verify(_))));
}

/// The bits of all outputs for inputs that look random.
fn outputs(program: &Program, options: &Options) -> Vec<Vec<u32>> {
    let of = |role| program.tensors.iter().filter(move |t| t.role == role);
    let data: Vec<_> = of(Role::Input).map(|t| (t, values(7, len(t.dims)))).collect();
    let inputs: Vec<_> =
        data.iter().map(|(t, data)| (t.name.as_str(), ArrayView { dims: t.dims, data })).collect();
    let mut results: Vec<_> = of(Role::Output).map(|t| vec![0.0; len(t.dims) as usize]).collect();
    let mut outputs: Vec<_> = of(Role::Output)
        .zip(&mut results)
        .map(|(t, data)| (t.name.as_str(), ArrayViewMut { dims: t.dims, data }))
        .collect();
    let mut exe = Executable::load(program.clone(), options).unwrap();
    exe.run(&inputs, &mut outputs, &Control::default()).unwrap();
    results.iter().map(|r| bits(r)).collect()
}

#[test]
fn native_kernels_agree_with_compiled_code_on_every_instruction() {
    for program in [
        sample::two_sections(),
        sample::every_instruction(),
        sample::whole_axes(),
        sample::adjoints(),
        sample::dropped(),
    ] {
        let jit = Options { engine: EngineKind::Jit, threads: 1, ..Options::default() };
        let expected = outputs(&program, &jit);
        assert!(expected.iter().flatten().any(|&b| b != 0));
        for options in engines() {
            for checked in [false, true] {
                let options = Options { checked, threads: 2, ..options.clone() };
                assert!(outputs(&program, &options) == expected, "{}: {options:?}", program.name);
            }
        }
    }
}
