//! What a run took: time a section, and memory, planned and measured.

use serde::Serialize;

/// One section of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SectionStats {
    /// Its name.
    pub name: String,
    /// Tiles run.
    pub tiles: u64,
    /// Wall-clock time.
    pub nanoseconds: u64,
    /// Bytes of the tile buffers and scratch of one worker.
    pub sram_bytes: u64,
    /// Time spent in each instruction of the body, summed over the workers; empty unless asked for
    /// ([`super::Options::profile`]).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub instructions: Vec<u64>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunStats {
    /// Wall-clock time.
    pub nanoseconds: u64,
    /// Workers that ran.
    pub threads: usize,
    /// The sections in order.
    pub sections: Vec<SectionStats>,
    /// SRAM of a worker as planned: tile buffers, scratch and one block of weights.
    pub planned_sram_bytes: u64,
    /// SRAM of a worker as allocated: tile buffers and scratch.
    pub peak_sram_bytes: u64,
    /// Scratch alone, as the hungriest kernel asked for it.
    pub scratch_bytes: u64,
    /// Device memory as planned: composites, packed weights and accumulators.
    pub planned_device_bytes: u64,
    /// Device memory as allocated.
    pub peak_device_bytes: u64,
    /// The largest resident set of the process so far; 0 where the system does not tell.
    pub peak_rss_bytes: u64,
    /// Growth of the process' anonymous memory during load and runs: the arenas and whatever else was touched meanwhile,
    /// pages of the caller's outputs included.
    pub measured_anonymous_bytes: u64,
}

/// Memory of the process as the system counts it, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ProcessMemory {
    /// Anonymous pages that are resident.
    pub(super) anonymous: u64,
    /// The most pages that were ever resident.
    pub(super) peak_rss: u64,
}

impl ProcessMemory {
    /// As of now; zeros where the system does not tell.
    pub(super) fn now() -> Self {
        std::fs::read_to_string("/proc/self/status").map_or(Self::default(), |status| Self::parse(&status))
    }

    fn parse(status: &str) -> Self {
        let bytes = |name: &str| {
            let line = status.lines().find_map(|l| l.strip_prefix(name));
            let kib = line.and_then(|l| l.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
            kib.unwrap_or(0).saturating_mul(1024)
        };
        Self { anonymous: bytes("RssAnon:"), peak_rss: bytes("VmHWM:") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read() {
        let status = "Name:\tcat\nVmHWM:\t    1956 kB\nRssAnon:\t      84 kB\n";
        assert_eq!(ProcessMemory::parse(status), ProcessMemory { anonymous: 84 << 10, peak_rss: 1956 << 10 });
        assert_eq!(ProcessMemory::parse(""), ProcessMemory::default());
    }
}
