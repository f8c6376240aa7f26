//! The command line without measuring: what it shows, and what it answers to bad input.
//!
//! One table of arguments and the parts their message must have; apart from `runs`, because nothing
//! here measures, so that all of it may run at once.
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod common;

use std::path::Path;

use common::{LOADGEN, command, ended, loadgen};

const BAD_INPUT: i32 = 104;

/// Arguments, and what stderr must say: what is wrong, and what is allowed.
const REFUSED: &[(&[&str], &[&str])] = &[
    (&["-s", "tickr"], &["unknown scenario `tickr`", "did you mean `ticker`?", "`loadgen list`"]),
    (&["-s", "none.toml"], &["cannot read scenario none.toml", "No such file"]),
    (&["-s", "./"], &["cannot read scenario ./"]),
    (&["--lanes", "ssh-h1"], &["unknown lane `ssh-h1`", "did you mean `sse-h1`?", "`loadgen list`"]),
    (&["--lanes", "raw,ws-h1@tungsten"], &["unknown lane", "did you mean `ws-h1@tungstenite`?"]),
    (&["--lanes", "raw,raw"], &["lane `raw` is named twice"]),
    (&["--set", "lanes=[]"], &["`lanes` is empty", "sse-h1"]),
    (&["-c", "0"], &["`subscribers` is 0", "1 to 200000"]),
    (&["-c", "1M"], &["`subscribers` is 1000000", "1 to 200000"]),
    (&["-c=-3"], &["subscribers", "`-3` is not a count", "10k"]),
    (&["-c", "-3"], &["subscribers", "`-3` is not a count", "10k"]),
    (&["--repetitions", "-1"], &["repetitions", "`-1` is not a count"]),
    (&["-r", "-5"], &["`rate` is -5", "0.01 to 100000"]),
    (&["--seed", "-1"], &["cannot set seed=-1", "expected u64"]),
    (&["-c", "99999999999999999999"], &["subscribers", "is not a count"]),
    (&["-r", "0"], &["`rate` is 0", "0.01 to 100000"]),
    (&["-r", "1e12"], &["`rate` is 1000000000000", "0.01 to 100000"]),
    (&["-r", "nan"], &["`rate` is NaN", "0.01 to 100000"]),
    (&["-r", "fast"], &["cannot set rate=fast", "invalid type"]),
    (&["-d", "10ms"], &["`duration` is 10ms", "500ms to 3600s"]),
    (&["-d", "-1s"], &["`-1s` is not a duration", "100ms"]),
    (&["-d", "soon"], &["`soon` is not a duration", "100ms"]),
    (&["-d", "500ms", "--set", "block=1s"], &["`duration` 500ms is shorter than one `block` of 1s"]),
    (&["-r", "1", "--set", "block=500ms"], &["holds no event at rate 1", "lengthen `block`"]),
    (&["--repetitions", "0"], &["`repetitions` is 0", "1 to 1000"]),
    (&["--seed", "x"], &["cannot set seed=x", "invalid type"]),
    (&["--set", "rate"], &["--set rate", "FIELD=VALUE", "--set rate=40"]),
    (&["--set", "subscriber=5"], &["no field `subscriber`", "did you mean `subscribers`?", "congestion"]),
    (&["--set", "share.pigeon=0.5"], &["unknown lane `pigeon`", "`loadgen list`"]),
    (&["--set", "share.raw=7"], &["`share` is 7", "0.01 to 1"]),
    (&["--set", "payload=text:5m"], &["`payload` is above 1 MiB"]),
    (&["--set", "payload=vidio"], &["unknown payload `vidio`", "did you mean `video`?", "text:1k"]),
    (
        &["--set", "payload=video:16k"],
        &["lane `sse-h1` carries only UTF-8 text", "base64", "ws-h1, ws-h2, raw, with any"],
    ),
    (&["--set", "payload=binary:9", "--set", "envelope=json"], &["`json` is text", "`binary:9`", "lines"]),
    (&["--set", "payload=tokens", "--set", "identity=none"], &["identity `none`", "of `tokens`"]),
    (&["--set", "payload=text:19", "--set", "identity=none"], &["identity `none`", "`text:20` or more"]),
    (&["--set", "memory=[100001]"], &["`memory` is 100001", "1 to 100000"]),
    (&["--set", "congestion=pigeon"], &["no congestion control `pigeon`", "--set congestion="]),
    (&["--budget", "lost=0"], &["expected one of < <= > >= == !=", "lost=0\n      ^"]),
    (&["--budget", "latencies: p(99)<5ms"], &["no metric `latencies`", "did you mean `latency`?"]),
    (&["-s", "smoke", "--budget", "latency: p(99)<50ms"], &["1,000 instants", "at 25 in all repetitions"]),
    (
        &["-s", "smoke", "--budget", "lost{lane:ws-h2}==0"],
        &["`ws-h2` is not in this run", "sse-h1, ws-h1, raw"],
    ),
    (&["-s", "smoke", "--budget", "memory<5KiB"], &["reads no memory"]),
    (&["--budget", "cpu<1.1x baseline"], &["there is no baseline", "--baseline"]),
    (&["--budget", "lost==0", "--baseline", "nowhere"], &["cannot read run nowhere"]),
    (&["--set", "budgets=[\"lost=0\"]"], &["cannot set budgets", "expected one of"]),
    (&["gate", "--baseline", "nowhere"], &["nowhere/exact.toml: cannot read it", "--update-baseline"]),
    (&["gate", "--lanes", "poll-h1"], &["cannot read it"]),
    (&["gate", "--inject", "bytes"], &["cannot inject `bytes`", "drop=1"]),
    (&["gate", "--tolerance", "wirtes=1%"], &["did you mean `writes`?"]),
    (&["--nonsense"], &["unexpected argument '--nonsense'", "--help"]),
    (&["--format", "xml"], &["unknown format `xml`", "text, json, csv, markdown"]),
    (&["pigeon"], &["unrecognized subcommand 'pigeon'"]),
    (&["report"], &["<RUN>"]),
    (&["report", "nowhere"], &["nowhere"]),
    (&["report", "--format", "xml", "."], &["unknown format `xml`"]),
    (&["survey", "--quick", "--full"], &["cannot be used with"]),
    (&["survey", "--only", "byts"], &["a default survey has no run `byts`", "ticker"]),
    (&["survey", "--rate", "0"], &["--rate is 0", "more than 0"]),
    (&["survey", "-c", "many"], &["`many` is not a count"]),
    (&["survey", "--for", "tickr"], &["unknown scenario `tickr`", "did you mean `ticker`?"]),
    (&["survey", "--readers", "cats"], &["unknown readers `cats`", "browsers"]),
    (&["survey", "--resume", "nowhere"], &["cannot read survey nowhere/survey.json"]),
    (&["survey", "--resume", "nowhere", "--quick"], &["belong to a new one"]),
    (&["compare"], &["<A>", "<B>"]),
    (&["compare", "nowhere", "nowhere"], &["cannot read run nowhere"]),
    (&["compare", ".", "."], &[". holds no run.json, and no folder with one"]),
    (&["compare", "a", "b", "--margin", "-1"], &["`-1` is no percentage from 0 to 100"]),
    (&["compare", "a", "b", "--lanes", "ssh-h1"], &["unknown lane `ssh-h1`", "did you mean `sse-h1`?"]),
    (&["compare", "a", "b", "--format", "xml"], &["unknown format `xml`", "junit, github"]),
    (&["history"], &["cannot read history results/history.csv"]),
    (&["duet"], &["needs two builds", "rev:main", "--aa"]),
    (&["duet", "--a", "http://localhost/events"], &["by their URL cannot be targets yet", "rev:REVISION"]),
    (&["duet", "--a", "rev:main"], &["cannot find rev:main", "in no git repository"]),
    (&["duet", "--a", "no-such-program"], &["there is no program no-such-program", "rev:REVISION"]),
    (&["duet", "--aa", "--b", "rev:main"], &["cannot be used with"]),
    (&["duet", "--inject", "cpu=10"], &["cannot inject `cpu=10`", "cpu=10%, delay=2ms"]),
    (&["duet", "--inject", "bytes=5%", "--lanes", "sse-h1%axum"], &["`sse-h1%axum`", "lanes that can"]),
    (&["duet", "--aa", "--lanes", "sse-h1+gzip-buffered"], &["holds events back"]),
    (&["duet", "--aa", "--pairs", "10"], &["a duet of 10 pairs", "24 to 10000"]),
    (&["duet", "--aa", "-s", "finite"], &["this scenario has sessions"]),
    (&["duet", "--aa", "-s", "chat", "--set", "upstream=1"], &["this scenario has messages upward"]),
    (&["duet", "--evaluate", "."], &["cannot evaluate .", "0 valid sessions", "--record"]),
    (&["duet", "--evaluate", "nowhere"], &["cannot read folder nowhere"]),
    (&["doctor", "-s", "smok"], &["unknown scenario `smok`", "did you mean `smoke`?"]),
];

/// Bad input is answered at once: the code, the reason, nothing on stdout, nothing left behind.
fn refused(folder: &Path, arguments: &[&str], parts: &[&str]) -> String {
    let before = std::fs::read_dir(folder).unwrap().count();
    let answer = loadgen(folder, arguments);
    assert_eq!((answer.code, answer.stdout.as_str()), (BAD_INPUT, ""), "{arguments:?}: {}", answer.stderr);
    for part in parts {
        assert!(answer.stderr.contains(part), "{arguments:?} lacks `{part}`:\n{}", answer.stderr);
    }
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), before, "{arguments:?} left something behind");
    answer.stderr
}

#[test]
fn bad_input_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, parts) in REFUSED {
        refused(folder.path(), arguments, parts);
    }
}

#[test]
fn help_and_list_are_as_committed() {
    let folder = tempfile::tempdir().unwrap();
    for (name, arguments) in [
        ("help", "--help"),
        ("list", "list"),
        ("report_help", "report --help"),
        ("survey_help", "survey --help"),
        ("compare_help", "compare --help"),
        ("history_help", "history --help"),
        ("duet_help", "duet --help"),
    ] {
        let answer = loadgen(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
        assert_eq!((answer.code, answer.stderr.as_str()), (0, ""), "{name}");
        insta::assert_snapshot!(name, answer.stdout);
    }
    let version = loadgen(folder.path(), &["--version"]);
    assert_eq!((version.code, version.stdout), (0, format!("loadgen {}\n", env!("CARGO_PKG_VERSION"))));
}

/// A change to the scenario `smoke` as text, and what the message about its file must have.
const WRONG_FILES: &[(&str, &str, &[&str])] = &[
    ("rate = 50", "rte = 50", &["line 5, column 1", "unknown field `rte`", "`rate`"]),
    ("subscribers = 250", "subscribers = \"many\"", &["line 4, column 15", "`many` is not a count", "10k"]),
    ("\"raw\"]", "\"row\"]", &["line 3,", "unknown lane `row`", "did you mean `raw`?"]),
    ("duration = \"500ms\"", "duration = 500", &["line 6, column 12", "expected a string"]),
    ("[32, 100, 200]", "[32, ", &["line 13,", "array"]),
];

#[test]
fn a_wrong_scenario_file_is_shown_with_its_line_and_a_caret() {
    let folder = tempfile::tempdir().unwrap();
    let smoke = scenarios::catalog::text("smoke").unwrap();
    for (right, wrong, parts) in WRONG_FILES {
        assert!(smoke.contains(right), "smoke has no {right} any more");
        std::fs::write(folder.path().join("my.toml"), smoke.replace(right, wrong)).unwrap();
        let message = refused(folder.path(), &["-s", "my.toml"], parts);
        assert!(message.contains("my.toml") && message.lines().any(|line| line.trim_end().ends_with('^')));
    }
    std::fs::write(folder.path().join("my.toml"), smoke.replace("rate = 50", "")).unwrap();
    refused(folder.path(), &["-s", "my.toml"], &["my.toml", "missing field `rate`"]);
    std::fs::write(folder.path().join("my.toml"), smoke.replace("rate = 50", "rate = 0")).unwrap();
    refused(folder.path(), &["-s", "my.toml"], &["my.toml", "`rate` is 0", "0.01 to 100000"]);
}

#[test]
fn a_folder_that_cannot_take_a_run_is_refused_before_measuring() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    std::fs::create_dir(folder.path().join("run")).unwrap();
    std::fs::write(folder.path().join("run/run.json"), "{}").unwrap();
    let smoke = |output| ["-s", "smoke", "-o", output];
    refused(folder.path(), &smoke("file/run"), &["cannot write into file/run", "Not a directory", "with -o"]);
    refused(folder.path(), &smoke("file"), &["cannot write into file", "with -o"]);
    refused(folder.path(), &smoke("run"), &["run holds a run already", "another folder with -o"]);
    assert_eq!(std::fs::read(folder.path().join("run/run.json")).unwrap(), b"{}");
}

#[test]
fn too_few_descriptors_are_refused_with_the_command_that_raises_them() {
    let folder = tempfile::tempdir().unwrap();
    let few = |arguments: &str| {
        let line = format!("ulimit -Sn 300; ulimit -Hn 300; exec \"$0\" {arguments}");
        ended(command("sh", folder.path(), &["-c", &line, LOADGEN]))
    };
    let reason =
        "250 connections need 750 descriptors in a process, the limit is 300; raise it with `ulimit -n 750`";
    let run = few("-s smoke");
    assert_eq!(run.code, BAD_INPUT, "{}", run.stderr);
    assert!(run.stderr.contains(reason), "{}", run.stderr);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let doctor = few("doctor -s smoke");
    assert_eq!(doctor.code, BAD_INPUT, "{}", doctor.stderr);
    assert!(doctor.stdout.contains(&format!("in the way: {reason}")), "{}", doctor.stdout);
}

#[test]
fn the_doctor_says_what_the_machine_is_and_how_long_it_takes() {
    let folder = tempfile::tempdir().unwrap();
    let answer = loadgen(folder.path(), &["doctor", "--scenario", "smoke"]);
    assert_eq!((answer.code, answer.stderr.as_str()), (0, ""), "{}", answer.stdout);
    for part in ["\"kernel\":", "\"descriptors\":", "smoke takes about "] {
        assert!(answer.stdout.contains(part), "{part}: {}", answer.stdout);
    }
}

/// What a run.json holds that is none, and what the message about it must have.
const NO_RUNS: &[(&str, &[&str])] = &[
    ("", &["run.json"]),
    ("{\"schema\": 1,", &["run.json", "EOF"]),
    ("[]", &["run.json"]),
    ("{\"schema\": 1}", &["run.json is not a run file of schema 1", "missing field"]),
    ("{\"schema\": 99}", &["run.json has schema 99", "reads schema 1"]),
];

#[test]
fn a_report_of_what_is_no_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    refused(folder.path(), &["report", "."], &["run.json", "No such file"]);
    for (text, parts) in NO_RUNS {
        std::fs::write(folder.path().join("run.json"), text).unwrap();
        for path in [".", "run.json"] {
            refused(folder.path(), &["report", path], parts);
        }
    }
}

/// The committed run and an edited copy of it: exit codes, one line on stdout, and all forms in a folder.
#[test]
fn comparing_ends_with_a_code_that_ci_can_trust() {
    let folder = tempfile::tempdir().unwrap();
    let reference = concat!(env!("CARGO_MANIFEST_DIR"), "/../results/reference/ticker");
    let compared = |b: &str, more: &[&str]| {
        let arguments = [&["compare", reference, b, "--format", "line"], more].concat();
        loadgen(folder.path(), &arguments)
    };
    let same = compared(reference, &[]);
    assert_eq!((same.code, same.stderr.as_str()), (0, ""), "{}", same.stdout);
    assert!(
        same.stdout.starts_with("compare: passed: ") && same.stdout.lines().count() == 1,
        "{}",
        same.stdout
    );

    let text = std::fs::read_to_string(Path::new(reference).join("run.json")).unwrap();
    let write = |name: &str, edit: &dyn Fn(&mut serde_json::Value)| {
        let mut run: serde_json::Value = serde_json::from_str(&text).unwrap();
        edit(&mut run);
        std::fs::create_dir_all(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join("run.json"), run.to_string()).unwrap();
    };
    write("fatter", &|run| {
        run["started"] = "2030-01-01T00:00:00Z".into();
        let trials = run["trials"].as_array_mut().unwrap();
        for trial in trials.iter_mut().filter(|trial| trial["lane"] == "ws-h1") {
            let count = |of: &serde_json::Value| of.as_u64().unwrap();
            let fatter = count(&trial["bytes"]["transport_framing"]) + count(&trial["ledger"]["delivered"]);
            trial["bytes"]["transport_framing"] = fatter.into();
        }
    });
    let fatter = compared("fatter", &["-o", "out"]);
    assert_eq!(fatter.code, 98, "{}{}", fatter.stdout, fatter.stderr);
    assert!(
        fatter.stdout.contains("FAILED: 1 worse")
            && fatter.stdout.contains("transport framing (ws-h1) 4 -> 5 B/event"),
        "{}",
        fatter.stdout
    );
    assert_eq!(std::fs::read_dir(folder.path().join("out")).unwrap().count(), 6);
    assert_eq!(compared("fatter", &["--margin", "30"]).code, 0);

    write("faster", &|run| run["scenario"]["rate"] = 40.0.into());
    let refused = compared("faster", &[]);
    assert_eq!((refused.code, refused.stdout.as_str()), (BAD_INPUT, ""));
    assert!(refused.stderr.contains("scenario.rate: A 20.0, B 40.0"), "{}", refused.stderr);

    write("partial", &|run| run["partial"] = true.into());
    let partial = compared("partial", &[]);
    assert_eq!(partial.code, 97, "{}{}", partial.stdout, partial.stderr);
}
