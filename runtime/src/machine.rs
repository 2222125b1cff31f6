//! Machines that programs are planned for: small TOML files.
//!
//! ```toml
//! name = "tiny"
//! sram = "64KiB"     # a size is a number of bytes, or a number with KiB, MiB, GiB or TiB
//! memory = "1GiB"
//! bandwidth = 8e9
//! units = 1
//! lanes = 16
//! clock = 1e9
//! ```

mod host;
mod size;

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use size::{format_size, parse_size};

/// Size and speed of a dataflow unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Name, as on the command line.
    pub name: String,
    /// SRAM a worker's tile buffers may take, in bytes.
    #[serde(with = "size")]
    pub sram: u64,
    /// Device memory, in bytes.
    #[serde(with = "size")]
    pub memory: u64,
    /// Device memory bandwidth, bytes a second.
    pub bandwidth: f64,
    /// Compute units.
    pub units: u32,
    /// f32 lanes of a compute unit: multiply-adds a cycle.
    pub lanes: u32,
    /// Cycles a second.
    pub clock: f64,
}

/// The machines that need no file.
const BUILTIN: [(&str, &str); 4] = [
    ("host", include_str!("../machines/host.toml")),
    ("tiny", include_str!("../machines/tiny.toml")),
    ("sn10", include_str!("../machines/sn10.toml")),
    ("sn40l", include_str!("../machines/sn40l.toml")),
];

/// Why there is no machine.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// Neither a built-in machine nor a file.
    #[error(
        "there is no machine `{name}`: built in are {}; anything else is the path of a .toml file",
        Machine::builtin_names().collect::<Vec<_>>().join(", ")
    )]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is not a machine.
    #[error("{line}:{column}: {message}")]
    Toml {
        /// What is wrong.
        message: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// Bytes of the text at fault, where known.
        span: Option<Range<usize>>,
    },
    /// Everything is there, but no machine is like that.
    #[error("`{field}` of a machine is {rule}, not {value}")]
    Value {
        /// The field.
        field: &'static str,
        /// What it should be.
        rule: &'static str,
        /// What it is.
        value: String,
    },
}

impl Machine {
    /// Names of the built-in machines.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// A built-in machine; `host` is the one at hand.
    pub fn builtin(name: &str) -> Option<Self> {
        let (_, text) = BUILTIN.iter().find(|(n, _)| *n == name)?;
        let machine = Self::parse(text).ok()?;
        Some(if name == "host" { host::detect(machine) } else { machine })
    }

    /// A built-in machine, or the one that a TOML file describes.
    ///
    /// # Errors
    ///
    /// The name is none of the built-in ones and no file either, or the file is at fault.
    pub fn load(name_or_path: &str) -> Result<Self, MachineError> {
        if let Some(machine) = Self::builtin(name_or_path) {
            return Ok(machine);
        }
        let path = Path::new(name_or_path);
        let is_path = path.extension().is_some() || path.components().count() > 1 || path.is_file();
        if !is_path {
            return Err(MachineError::Unknown { name: name_or_path.to_owned() });
        }
        let text = std::fs::read_to_string(path)
            .map_err(|source| MachineError::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// The machine that a TOML text describes.
    ///
    /// # Errors
    ///
    /// The text is not TOML, a field is missing, unknown or of another type, or a value makes no sense.
    pub fn parse(text: &str) -> Result<Self, MachineError> {
        let machine: Self = toml::from_str(text).map_err(|e| toml_error(text, &e))?;
        machine.check()?;
        Ok(machine)
    }

    /// Whether the numbers make sense: what is divided by is positive and finite.
    ///
    /// # Errors
    ///
    /// The first field that does not.
    pub fn check(&self) -> Result<(), MachineError> {
        let counts = [("sram", self.sram), ("memory", self.memory)];
        let counts = counts.into_iter().chain([("units", self.units.into()), ("lanes", self.lanes.into())]);
        for (field, value) in counts {
            if value == 0 {
                return Err(MachineError::Value { field, rule: "at least 1", value: value.to_string() });
            }
        }
        for (field, value) in [("bandwidth", self.bandwidth), ("clock", self.clock)] {
            if !(value.is_finite() && value > 0.0) {
                let rule = "a positive finite number";
                return Err(MachineError::Value { field, rule, value: value.to_string() });
            }
        }
        Ok(())
    }
}

fn toml_error(text: &str, error: &toml::de::Error) -> MachineError {
    let span = error.span();
    let before = span.as_ref().and_then(|s| text.get(..s.start)).unwrap_or("");
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    MachineError::Toml {
        message: error.message().to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        span,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> &'static str {
        BUILTIN[1].1
    }

    #[test]
    fn every_builtin_machine_loads() {
        for name in Machine::builtin_names() {
            assert_eq!(Machine::load(name).unwrap().name, name);
        }
        let sn10 = Machine::builtin("sn10").unwrap();
        let flops = f64::from(sn10.units) * f64::from(sn10.lanes) * 2.0 * sn10.clock;
        assert!((flops / 300e12 - 1.0).abs() < 0.01, "{flops}");
        assert_eq!(sn10.sram, 640 << 19);
        let sn40l = Machine::builtin("sn40l").unwrap();
        let flops = f64::from(sn40l.units) * f64::from(sn40l.lanes) * 2.0 * sn40l.clock;
        assert!((flops / 638e12 - 1.0).abs() < 0.01, "{flops}");
        assert_eq!(sn40l.sram, 1040 << 19);
    }

    #[test]
    fn the_host_is_within_its_bounds() {
        let host = Machine::builtin("host").unwrap();
        assert!((2 << 20..=16 << 20).contains(&host.sram), "{host:?}");
        host.check().unwrap();
    }

    #[test]
    fn an_unknown_machine_names_the_known_ones() {
        let error = Machine::load("sn30").unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no machine `sn30`: built in are host, tiny, sn10, sn40l; anything else is the path of a .toml file"
        );
        let error = Machine::load("nowhere/m.toml").unwrap_err().to_string();
        assert!(error.starts_with("cannot read nowhere/m.toml: "), "{error}");
    }

    #[test]
    fn errors_point_into_the_text() {
        let text = tiny().replace("\"64KiB\"", "\"64kB\"");
        let MachineError::Toml { line, column, span, message } = Machine::parse(&text).unwrap_err() else {
            panic!("another error")
        };
        assert_eq!((line, column, &text[span.unwrap()]), (3, 8, "\"64kB\""));
        assert!(message.contains("64KiB"), "{message}");

        let text = tiny().replace("lanes", "lames");
        let error = Machine::parse(&text).unwrap_err();
        assert!(matches!(error, MachineError::Toml { line: 7, column: 1, .. }), "{error}");
        assert!(error.to_string().contains("lames"), "{error}");
    }

    #[test]
    fn values_without_sense_are_refused() {
        let refused =
            |from: &str, to: &str| Machine::parse(&tiny().replace(from, to)).unwrap_err().to_string();
        assert_eq!(
            refused("clock = 1e9", "clock = 0"),
            "`clock` of a machine is a positive finite number, not 0"
        );
        assert_eq!(
            refused("clock = 1e9", "clock = nan"),
            "`clock` of a machine is a positive finite number, not NaN"
        );
        assert_eq!(refused("units = 1", "units = 0"), "`units` of a machine is at least 1, not 0");
    }

    #[test]
    fn a_machine_comes_back_from_text_and_from_bytes() {
        let machine = Machine::builtin("tiny").unwrap();
        let text = toml::to_string(&machine).unwrap();
        assert!(text.contains("sram = \"64KiB\""), "{text}");
        assert_eq!(Machine::parse(&text).unwrap(), machine);
        let bytes = postcard::to_stdvec(&machine).unwrap();
        assert_eq!(postcard::from_bytes::<Machine>(&bytes).unwrap(), machine);
    }
}
