//! How near convolutions and their weight gradients come to the FMA peak of a core: `cargo test --release -p zellige-runtime peak -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use super::simd::{Avx2, Avx512, LANES, Portable, Simd, Vectorize};
use super::{Isa, prepare};
use crate::testing::{Layer, Products};

const ROUNDS: usize = 200_000;

/// `CHAINS` independent chains of multiply-adds.
struct Fmas<'a, const CHAINS: usize>(&'a mut [f32]);

impl<const CHAINS: usize> Vectorize for Fmas<'_, CHAINS> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (a, b) = (simd.splat(black_box(0.999)), simd.splat(black_box(0.001)));
        let mut acc = [simd.splat(1.0); CHAINS];
        for _ in 0..ROUNDS {
            for v in &mut acc {
                *v = simd.fma(*v, a, b);
            }
        }
        for (to, v) in self.0.chunks_exact_mut(LANES).zip(acc) {
            // SAFETY: a chunk is 16 f32s.
            unsafe { simd.store(to.as_mut_ptr(), v) };
        }
    }
}

/// GFLOP/s. As many chains as hide the latency of two units and fit the registers.
fn peak(isa: Isa) -> f64 {
    let mut out = [0.0; 12 * LANES];
    let mut best = 0.0f64;
    for _ in 0..5 {
        let start = Instant::now();
        let chains = match isa {
            Isa::Avx512 => {
                Avx512::detect().unwrap().vectorize(Fmas::<12>(&mut out));
                12
            }
            Isa::Avx2 => {
                Avx2::detect().unwrap().vectorize(Fmas::<6>(&mut out));
                6
            }
            Isa::Portable => {
                Portable.vectorize(Fmas::<1>(&mut out));
                1
            }
        };
        black_box(out);
        let flops = (ROUNDS * chains * LANES * 2) as f64;
        best = best.max(flops / start.elapsed().as_secs_f64() / 1e9);
    }
    best
}

#[test]
#[ignore = "a measurement"]
fn peak_of_convolutions() {
    let layer = Layer {
        inputs: 64,
        outputs: 64,
        kernel: 3,
        rows: 64,
        cols: 256,
        src_lanes: 16,
        dst_lanes: 16,
        relu: true,
    };
    let layers = [
        layer,
        Layer { relu: false, ..layer },
        Layer { rows: 20, cols: 20, ..layer },
        Layer { inputs: 32, outputs: 32, ..layer },
        Layer { inputs: 256, outputs: 256, rows: 32, cols: 64, ..layer },
        Layer { kernel: 1, ..layer },
        Layer { outputs: 48, ..layer },
        Layer { inputs: 3, src_lanes: 4, ..layer },
        Layer { inputs: 3, src_lanes: 1, ..layer },
        Layer { outputs: 3, dst_lanes: 4, ..layer },
        Layer { outputs: 3, dst_lanes: 1, ..layer },
    ];
    for isa in Isa::available().into_iter().filter(|&isa| isa != Isa::Portable) {
        let peak = peak(isa);
        println!("{isa}: {peak:.1} GFLOP/s");
        for layer in layers {
            let case = layer.case();
            let kernel = prepare(isa, &case.program, &case.section, &case.instr).unwrap();
            let rate = layer.flops() / case.seconds(&*kernel, 20) / 1e9;
            println!("{:5.2} of it {rate:7.1} GFLOP/s {layer:?}", rate / peak);
        }
    }
}

#[test]
#[ignore = "a measurement"]
fn peak_of_weight_gradients() {
    for isa in Isa::available().into_iter().filter(|&isa| isa != Isa::Portable) {
        let peak = peak(isa);
        println!("{isa}: {peak:.1} GFLOP/s");
        for (inputs, outputs, groups, extent) in [
            (32, 32, 1, [8, 256]),
            (32, 32, 1, [8, 1024]),
            (64, 64, 1, [8, 256]),
            (64, 64, 1, [32, 256]),
            (64, 64, 1, [8, 1024]),
            (3, 64, 1, [8, 256]),
            (64, 3, 1, [8, 256]),
            (64, 64, 64, [8, 256]),
        ] {
            let mut case = Products::layer(inputs, outputs, groups, extent);
            let kernel = prepare(isa, &case.program, &case.section, &case.instr).unwrap();
            let rate = case.rate(&*kernel, 20) / 1e9;
            println!(
                "{:5.2} of it {rate:7.1} GFLOP/s {inputs} to {outputs} channels in {groups} groups of {extent:?}",
                rate / peak
            );
        }
    }
}
