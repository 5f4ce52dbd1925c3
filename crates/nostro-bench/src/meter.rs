//! What a run used: CPU by group of processes, log written and flushed, rows written, memory.

use crate::database::{Counters, Session};
use crate::error::BenchError;
use crate::process;
use crate::rig::Rig;
use std::collections::BTreeMap;
use std::time::Duration;

/// Looks at all processes and counters.
#[derive(Debug)]
pub(crate) struct Meter {
    /// One session for each cluster, with its name and its postmaster.
    clusters: Vec<(String, Option<u32>, Session)>,
}

/// One look; figures only grow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    cpu: BTreeMap<String, Duration>,
    counters: Counters,
}

/// The difference of two looks.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    pub(crate) cpu: BTreeMap<String, Duration>,
    pub(crate) counters: Counters,
    pub(crate) server_peak_kib: u64,
}

impl Meter {
    /// Two branches in one cluster are looked at once.
    pub(crate) async fn new(rig: &Rig) -> Result<Self, BenchError> {
        let mut clusters = Vec::new();
        let mut seen = Vec::new();
        for branch in &rig.branches {
            let place = (branch.database.get_hosts().to_vec(), branch.database.get_ports().to_vec());
            if seen.contains(&place) {
                continue;
            }
            seen.push(place);
            let session = Session::open(&branch.database).await?;
            let postmaster = session.postmaster().await?;
            clusters.push((format!("postgres_{}", branch.code.to_string().to_lowercase()), postmaster, session));
        }
        Ok(Self { clusters })
    }

    /// Groups that cannot be seen, such as databases elsewhere, are left out.
    pub(crate) async fn look(&self, rig: &Rig) -> Result<Sample, BenchError> {
        let mut sample = Sample::default();
        for (name, postmaster, session) in &self.clusters {
            let counters = session.counters().await?;
            sample.counters.wal_bytes += counters.wal_bytes;
            sample.counters.wal_flushes += counters.wal_flushes;
            sample.counters.rows += counters.rows;
            if let Some(postmaster) = postmaster {
                sample.cpu.insert(name.clone(), process::cpu_with_children(*postmaster));
            }
        }
        for (at, server) in rig.servers.iter().enumerate() {
            let name = if rig.servers.len() == 1 { "server".to_owned() } else { format!("server_{}", at + 1) };
            sample.cpu.insert(name, process::cpu(server.pid));
        }
        sample.cpu.insert("load".to_owned(), process::cpu(std::process::id()));
        Ok(sample)
    }
}

/// From `before` to `after`.
pub(crate) fn used(before: &Sample, after: &Sample, rig: &Rig) -> Used {
    let since = |(name, time): (&String, &Duration)| {
        let begin = before.cpu.get(name).copied().unwrap_or_default();
        (name.clone(), time.saturating_sub(begin))
    };
    let peaks = rig.servers.iter().filter_map(|server| process::peak_memory_kib(server.pid));
    Used {
        cpu: after.cpu.iter().map(since).collect(),
        counters: Counters {
            wal_bytes: after.counters.wal_bytes.saturating_sub(before.counters.wal_bytes),
            wal_flushes: after.counters.wal_flushes.saturating_sub(before.counters.wal_flushes),
            rows: after.counters.rows.saturating_sub(before.counters.rows),
        },
        server_peak_kib: peaks.max().unwrap_or(0),
    }
}
