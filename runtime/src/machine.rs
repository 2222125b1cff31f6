//! Machines that programs are planned for: small TOML files.

use serde::{Deserialize, Serialize};

/// Size and speed of a dataflow unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Name, as on the command line.
    pub name: String,
    /// SRAM a worker's tile buffers may take, in bytes.
    pub sram: u64,
    /// Device memory, in bytes.
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
