//! The reader of JPEG files.

#![no_main]

use libfuzzer_sys::fuzz_target;
use zellige_runtime::io::Format;
use zellige_tests::fuzz;

fuzz_target!(|bytes: &[u8]| {
    fuzz::array(Format::Jpeg, bytes);
});
