//! The reader of weights.

#![no_main]

use libfuzzer_sys::fuzz_target;
use zellige_tests::fuzz;

fuzz_target!(|bytes: &[u8]| {
    fuzz::safetensors(bytes);
});
