//! Random models under random plans, against the untiled network.

#![no_main]

use libfuzzer_sys::fuzz_target;
use zellige_tests::fuzz;

fuzz_target!(|seeds: [u64; 2]| {
    fuzz::lossless(seeds);
});
