//! The gate tried on a user's own machine: sessions of this program against itself and against itself made worse, recorded and
//! resampled.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Result;
use results::duet::{Duet, evaluate};
use scenarios::Moment;
use servers::inject::Inject;

use super::session::{self, Subject};
use super::{Setting, duet, server};
use crate::exit::{BadInput, Exit};
use crate::lane::Cores;
use crate::progress::Progress;

/// Pairs of a recorded session: short, because starts of processes are worth more than pairs.
const PAIRS: usize = 48;

/// What is recorded, in this order: as many starts without an effect as there is time for, and a few with one.
const RECORDED: [Option<f64>; 8] = [None, None, Some(0.10), None, None, Some(0.10), None, None];

/// No session begins after so long: with the longest one and the resampling it stays within ten minutes.
const LAST_START: Duration = Duration::from_secs(8 * 60);

/// Records and evaluates, and keeps the sessions in a folder for `--evaluate`, if one is named; what was found, for people.
///
/// # Errors
/// A process cannot be started, or dies.
pub fn run(
    setting: &Setting<'_>,
    evaluations: u64,
    output: Option<&Path>,
    cores: Cores,
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<(Exit, String)> {
    let began = Moment::now();
    let mut recorded: Vec<Duet> = Vec::new();
    for (index, share) in RECORDED.into_iter().enumerate() {
        if session::is_stopped(stop) {
            return Ok((Exit::Interrupted, String::new()));
        }
        if Moment::now().since(began) > LAST_START {
            progress.line("time is up: fewer sessions than planned");
            break;
        }
        let inject = share.map(Inject::CpuShare);
        let what = inject.map_or("against itself".to_owned(), |inject| format!("with {inject}"));
        progress.line(&format!("session {} of {}: this program {what}", index + 1, RECORDED.len()));
        let (a, b) = (server("A", setting.a, None), server("B", setting.a, inject));
        let pairs = PAIRS.min(setting.pairs);
        let subject = Subject { servers: [&a, &b], scenario: setting.scenario, pairs, cores, limit: None };
        let mut one = duet(setting, inject, cores);
        let seed = setting.scenario.seed + index as u64;
        one.sessions.extend(session::run(&subject, seed, None, progress, stop)?);
        if let Some(folder) = output {
            let own =
                crate::folder::made(Some(&folder.join(format!("session-{}", index + 1))), "duet", "duet")?;
            results::duet::write(&one, &own)?;
        }
        recorded.push(one);
    }
    let rates = evaluate::evaluate(&recorded, setting.pairs, evaluations).map_err(BadInput)?;
    let head = format!(
        "Recorded {} sessions of {} pairs in {} s.\n",
        recorded.iter().map(|one| one.sessions.len()).sum::<usize>(),
        PAIRS.min(setting.pairs),
        Moment::now().since(began).as_secs()
    );
    Ok((Exit::Good, head + &rates))
}
