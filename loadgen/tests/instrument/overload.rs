//! METHOD M6: a generator that really cannot keep up makes the run invalid, and the exit code says
//! so; a server that cannot keep up loses deliveries, and each of them is accounted for.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use loadgen::preflight;
use results::Run;
use results::run::{BlockResult, Severity};

/// Runs the program; gives its exit code and the run it left.
fn run(arguments: &str, folder: &Path) -> (Option<i32>, Run) {
    let out = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(arguments.split(' '))
        .args(["--scenario", "smoke", "--set", "sweep=[]", "--quiet", "-o"])
        .arg(folder)
        .output()
        .unwrap();
    let run = Run::load(folder).unwrap_or_else(|err| panic!("{err:#}: {out:?}"));
    (out.status.code(), run)
}

/// Share of a core that a side used while publishing.
fn share(run: &Run, cpu_ns: fn(&BlockResult) -> u64) -> f64 {
    let blocks = || run.trials.iter().flat_map(|trial| &trial.blocks);
    blocks().map(cpu_ns).sum::<u64>() as f64 / blocks().map(|block| block.span_ns).sum::<u64>() as f64
}

fn told(run: &Run, severity: Severity, text: &str) -> bool {
    run.warnings.iter().any(|one| one.severity == severity && one.text.contains(text))
}

/// The generator's core is shared with so many busy threads that its part of it is a fifth of what
/// a calm run showed it to need.
pub fn an_overloaded_generator_is_invalid() {
    let folder = tempfile::tempdir().unwrap();
    let load = "--lanes ws-h1 -c 1000 -r 20 -d 3s --set block=3s";
    let (_, calm) = run(load, &folder.path().join("calm"));
    assert!(!told(&calm, Severity::Invalid, "generator"), "{:?}", calm.warnings);
    let needed = share(&calm, |block| block.client_cpu_ns);

    let busy = (5.0 / needed).ceil() as usize;
    let done = AtomicBool::new(false);
    let (code, run) = std::thread::scope(|scope| {
        for _ in 0..busy {
            scope.spawn(|| {
                servers::host::pin(preflight::cores().client.unwrap_or(0)).unwrap();
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let told = run(load, &folder.path().join("overload"));
        done.store(true, Ordering::Relaxed);
        told
    });
    assert_eq!(code, Some(97), "{:?}", run.warnings);
    assert!(told(&run, Severity::Invalid, "generator limited"), "{:?}", run.warnings);
}

/// Five times what one core of the server can send, of events too large to leave together. Its hub lets slow
/// subscribers lose events, and the ledger explains every one.
pub fn what_an_overloaded_server_drops_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let calm = "--lanes ws-h1 -c 1000 -r 20 -d 1s --set block=1s --set payload=text:9k";
    let (_, calm) = run(calm, &folder.path().join("calm"));
    let rate = (5.0 * 20.0 / share(&calm, |block| block.server_cpu_ns)).ceil();
    let load =
        format!("--lanes ws-h1 -c 1000 -r {rate} -d 2s --set block=2s --set lag=16 --set payload=text:9k");
    let (_, run) = run(&load, &folder.path().join("overload"));
    let ledger = run.trials[0].ledger;
    assert!(ledger.closes() && ledger.lost > 0, "{ledger:?}");
    assert_eq!(ledger.dropped_by_server, ledger.lost, "{ledger:?}");
    assert!(told(&run, Severity::Doubt, "deliveries were lost"), "{:?}", run.warnings);
    assert!(told(&run, Severity::Doubt, "stress: the server"), "{:?}", run.warnings);
}
