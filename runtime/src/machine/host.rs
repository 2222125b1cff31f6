//! What can be found out about the machine at hand.

use std::fs;
use std::path::Path;

use super::Machine;

/// The built-in description of the host, with what could be found out put in its place.
pub(super) fn detect(fallback: Machine) -> Machine {
    Machine {
        sram: sram(Path::new("/sys/devices/system/cpu/cpu0/cache")).unwrap_or(fallback.sram),
        memory: memory().unwrap_or(fallback.memory),
        units: std::thread::available_parallelism()
            .ok()
            .and_then(|n| u32::try_from(n.get()).ok())
            .unwrap_or(fallback.units),
        lanes: lanes().unwrap_or(fallback.lanes),
        clock: clock().unwrap_or(fallback.clock),
        ..fallback
    }
}

/// Half a thread's share of the L3 cache, between 2 and 16 MiB: the other half is for weights and what streams by.
fn sram(caches: &Path) -> Option<u64> {
    let l3 = fs::read_dir(caches)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|cache| read(&cache.join("level")).is_some_and(|level| level == "3"))?;
    let threads = count_cpus(&read(&l3.join("shared_cpu_list"))?)?;
    let share = cache_size(&read(&l3.join("size"))?)? / threads;
    // Whole KiB, whatever the number of threads.
    Some((share / 2).clamp(2 << 20, 16 << 20) & !1023)
}

/// Half of the physical memory, or of what the control group may take: inputs, outputs and the rest of the process want
/// theirs too.
fn memory() -> Option<u64> {
    let info = read(Path::new("/proc/meminfo"))?;
    let kib = info.lines().find_map(|l| l.strip_prefix("MemTotal:")?.trim().strip_suffix("kB"))?;
    let physical = kib.trim().parse::<u64>().ok()?.checked_mul(1024)?;
    let group = read(Path::new("/sys/fs/cgroup/memory.max")).and_then(|max| max.parse().ok());
    let half = physical.min(group.unwrap_or(u64::MAX)) / 2;
    Some((half & !((1 << 20) - 1)).max(1 << 20))
}

/// f32 multiply-adds a cycle of a core that starts two vector instructions a cycle.
fn lanes() -> Option<u32> {
    #[cfg(target_arch = "x86_64")]
    {
        let vector = if is_x86_feature_detected!("avx512f") {
            16
        } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            8
        } else {
            4
        };
        Some(2 * vector)
    }
    #[cfg(not(target_arch = "x86_64"))]
    None
}

/// The highest frequency in Hz, in steps of 100 MHz: what a virtual machine reports is measured, and plans are not to depend
/// on its noise.
fn clock() -> Option<f64> {
    let khz = || -> Option<f64> {
        read(Path::new("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"))?.parse().ok()
    };
    let mhz = || -> Option<f64> {
        let info = read(Path::new("/proc/cpuinfo"))?;
        let line = info.lines().find(|l| l.starts_with("cpu MHz"))?;
        line.split_once(':')?.1.trim().parse().ok()
    };
    let hz = khz().map(|k| k * 1e3).or_else(|| mhz().map(|m| m * 1e6))?;
    let steps = (hz / 1e8).round();
    (steps.is_finite() && steps >= 1.0).then_some(steps * 1e8)
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// `32768K`, as sysfs writes it.
fn cache_size(text: &str) -> Option<u64> {
    let (number, shift) = match (text.strip_suffix('K'), text.strip_suffix('M')) {
        (Some(kib), _) => (kib, 10),
        (_, Some(mib)) => (mib, 20),
        _ => (text, 0),
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Number of processors in a list such as `0-3,8-11`; at least 1.
fn count_cpus(list: &str) -> Option<u64> {
    let count = |range: &str| -> Option<u64> {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        last.trim().parse::<u64>().ok()?.checked_sub(first.trim().parse().ok()?)?.checked_add(1)
    };
    list.split(',').map(count).try_fold(0u64, |sum, n| sum.checked_add(n?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_lists_are_counted() {
        assert_eq!(count_cpus("0"), Some(1));
        assert_eq!(count_cpus("0-3,8-11"), Some(8));
        assert_eq!(count_cpus("3-0"), None);
        assert_eq!(count_cpus("0-18446744073709551615"), None);
        assert_eq!(count_cpus(""), None);
    }

    #[test]
    fn sram_is_half_a_share_of_the_l3() {
        let caches = tempfile::tempdir().unwrap();
        let write = |cache: &str, level: &str, size: &str, cpus: &str| {
            let dir = caches.path().join(cache);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("level"), level).unwrap();
            fs::write(dir.join("size"), size).unwrap();
            fs::write(dir.join("shared_cpu_list"), cpus).unwrap();
        };
        assert_eq!(sram(caches.path()), None);
        write("index0", "1\n", "32K\n", "0\n");
        assert_eq!(sram(caches.path()), None);
        write("index3", "3\n", "32768K\n", "0-3\n");
        assert_eq!(sram(caches.path()), Some(4 << 20));
        write("index3", "3\n", "32768K\n", "0-31\n");
        assert_eq!(sram(caches.path()), Some(2 << 20));
        write("index3", "3\n", "512M\n", "0-1\n");
        assert_eq!(sram(caches.path()), Some(16 << 20));
        write("index3", "3\n", "32768K\n", "garbage\n");
        assert_eq!(sram(caches.path()), None);
    }
}
