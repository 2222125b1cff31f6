//! Writes the random models that are compared with onnxruntime: `export-models DIR`. What to do then says
//! `tests/python/random_models.py`.

use std::path::Path;
use std::process::ExitCode;

use zellige_tests::onnxruntime;

fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1) else {
        eprintln!("usage: export-models DIR");
        return ExitCode::from(2);
    };
    match onnxruntime::export(Path::new(&dir)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
