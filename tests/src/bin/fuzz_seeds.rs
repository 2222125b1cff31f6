//! Writes inputs that fuzzing begins with: `fuzz-seeds DIR` makes a folder for each fuzz target.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use zellige_runtime::io::Format;
use zellige_tests::fuzz::seeds;

fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1) else {
        eprintln!("usage: fuzz-seeds DIR");
        return ExitCode::from(2);
    };
    match write_all(Path::new(&dir)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn write_all(dir: &Path) -> io::Result<()> {
    let bytes = |texts: Vec<String>| texts.into_iter().map(String::into_bytes).collect();
    write(&dir.join("model"), bytes(seeds::models()))?;
    write(&dir.join("ir"), bytes(seeds::ir()))?;
    write(&dir.join("program"), seeds::programs().iter().map(seeds::bytes_of).collect())?;
    write(&dir.join("png"), seeds::arrays(Format::Png))?;
    write(&dir.join("jpeg"), seeds::arrays(Format::Jpeg))?;
    write(&dir.join("npy"), seeds::arrays(Format::Npy))?;
    write(&dir.join("safetensors"), seeds::safetensors())?;
    write(&dir.join("lossless"), (0..64u8).map(|i| [[i; 8], [i ^ 0x5a; 8]].concat()).collect())
}

fn write(dir: &Path, seeds: Vec<Vec<u8>>) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    seeds.iter().enumerate().try_for_each(|(i, seed)| fs::write(dir.join(format!("seed-{i:03}")), seed))
}
