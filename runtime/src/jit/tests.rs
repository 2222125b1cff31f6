//! The shared cases, against the scalar reference.

use super::Jit;
use crate::memory::Kernel;
use crate::testing::{Case, Family, check};

fn compile(case: &Case) -> Option<Box<dyn Kernel>> {
    compile_with(Jit::new().unwrap(), case)
}

fn compile_with(mut jit: Jit, case: &Case) -> Option<Box<dyn Kernel>> {
    jit.add(&case.program, &case.section, &case.instr).unwrap();
    jit.finish().unwrap().pop()
}

macro_rules! families {
    ($($name:ident $family:ident;)*) => {$(
        #[test]
        fn $name() {
            check(Family::$family, 300, compile);
        }
    )*};
}

families! {
    conv2d_is_the_reference Conv2d;
    conv_transpose2d_is_the_reference ConvTranspose2d;
    pool_is_the_reference Pool;
    nearest_is_the_reference Nearest;
    pixel_shuffle_is_the_reference PixelShuffle;
    copy_is_the_reference Copy;
    map_is_the_reference Map;
}

/// Without FMA and SSE4.1, code calls functions of the host.
#[test]
fn processors_without_fma_give_the_same_bits() {
    for family in Family::ALL {
        check(family, 40, |case| {
            let baseline = cranelift_native::builder_with_options(false).unwrap();
            compile_with(Jit::for_isa(baseline).unwrap(), case)
        });
    }
}
