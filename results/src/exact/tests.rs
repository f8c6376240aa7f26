//! Baselines that are made up: what is read, found and refused.

use super::*;

fn exact() -> Exact {
    let by_size =
        [("payload", 32, 1_920), ("payload", 200, 12_000), ("segments", 32, 60), ("writes", 32, 60)];
    let by_size = by_size.map(|(name, size, count)| ((name.to_owned(), size), count));
    let counts = Counts {
        by_size: by_size.into(),
        of_lane: BTreeMap::from([("handshake_up".to_owned(), 288)]),
        digest: Some("ab".repeat(32)),
    };
    let words = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    Exact {
        settings: words(&[("deliveries", "60"), ("sizes", "32, 200")]),
        made: words(&[("rustc", "rustc 1.95.0")]),
        lanes: BTreeMap::from([("sse-h1".to_owned(), counts.clone()), ("sse-h1%axum".to_owned(), counts)]),
        deliveries: 60,
    }
}

type Edit = fn(&mut Counts);

/// What differs from the baseline on one lane, what must be found, and whether the exchange must find the opposite.
const EDITS: [(Edit, &str, Verdict, bool); 6] = [
    (|c| *c.by_size.get_mut(&("payload".into(), 32)).unwrap() += 60, "payload, 32 B", Verdict::Worse, true),
    (|c| *c.by_size.get_mut(&("segments".into(), 32)).unwrap() += 1, "segments, 32 B", Verdict::Worse, true),
    (|c| c.by_size.extend([(("control".into(), 32), 1)]), "control, 32 B", Verdict::Worse, true),
    (|c| c.by_size.retain(|key, _| key.0 != "writes"), "writes, 32 B", Verdict::Better, true),
    (|c| c.of_lane.extend([("lost".into(), 1)]), "lost", Verdict::Worse, true),
    (|c| c.digest = Some("cd".repeat(32)), "bytes of a fixed sequence", Verdict::Worse, false),
];

#[test]
fn one_more_of_anything_is_found_and_the_exchange_finds_the_opposite() {
    let then = exact();
    let none = Tolerance::default();
    let apart = |judged: Judged| -> Vec<(String, Verdict)> {
        let findings = judged.findings.into_iter().filter(|finding| finding.verdict != Verdict::Same);
        findings
            .map(|finding| (format!("{} {}", finding.lane.unwrap(), finding.name), finding.verdict))
            .collect()
    };
    assert_eq!(apart(then.judge(&then, &none).unwrap()), []);
    for (edit, name, verdict, flips) in EDITS {
        let mut now = then.clone();
        edit(now.lanes.get_mut("sse-h1").unwrap());
        let name = format!("sse-h1 {name}");
        assert_eq!(apart(then.judge(&now, &none).unwrap()), [(name.clone(), verdict)]);
        let other = if verdict == Verdict::Worse { Verdict::Better } else { Verdict::Worse };
        let other = if flips { other } else { verdict };
        assert_eq!(apart(now.judge(&then, &none).unwrap()), [(name.clone(), other)]);
        let changes = then.changes(&now);
        assert_eq!(changes.len(), 1, "{changes:?}");
    }
}

#[test]
fn a_tolerance_is_stated_and_bears_so_much() {
    let then = exact();
    let mut now = then.clone();
    EDITS[0].0(now.lanes.get_mut("sse-h1").unwrap());
    let worse = |tolerances: &[&str]| {
        let mut tolerance = Tolerance::default();
        tolerances.iter().for_each(|text| tolerance.add(text).unwrap());
        let judged = then.judge(&now, &tolerance).unwrap();
        (judged.with(Verdict::Worse).count(), judged.notes[0].clone())
    };
    // 60 of 1,920 are 3.125 %.
    assert_eq!(worse(&["3%"]).0, 1);
    assert_eq!(worse(&["3.2%"]), (0, "borne is 3.20 % more than the baseline".to_owned()));
    assert_eq!(worse(&["writes=5%"]).0, 1);
    let own = worse(&["payload=5%"]);
    assert_eq!(own, (0, "borne is 0 % more than the baseline, 5 % more payload".to_owned()));
    for wrong in ["1", "-1%", "101%", "wirtes=1%", "much"] {
        assert!(Tolerance::default().add(wrong).is_err(), "{wrong}");
    }
    assert!(Tolerance::default().add("wirtes=1%").unwrap_err().contains("did you mean `writes`?"));
}

#[test]
fn what_is_written_reads_back_and_is_sorted() {
    let exact = exact();
    let text = exact.text();
    assert_eq!(Exact::parse(&text).unwrap(), exact);
    assert!(text.contains("[lanes.\"sse-h1%axum\"]\n"), "{text}");
    assert!(
        text.contains("handshake_up = 288\npayload.32 = 1920\npayload.200 = 12000\nsegments.32 = 60\n"),
        "{text}"
    );
    assert_eq!(Exact::parse(&text).unwrap().text(), text);
}

#[test]
fn baselines_that_are_none_are_refused_with_the_reason() {
    let text = exact().text();
    for (from, to, said) in [
        ("[settings]", "[setings]", "no section [settings]"),
        ("deliveries = \"60\"", "deliveries = \"many\"", "how many `deliveries`"),
        ("payload.32 = 1920", "payload.32 = -1", "not below 0"),
        ("payload.32 = 1920", "payload.32 = 1920.5", "no count at a size"),
        ("payload.32 = 1920", "pay.32 = 1920", "`pay` is nothing that is counted"),
        ("payload.32 = 1920", "lost = \"none\"", "`lost` is nothing that is counted, or no count"),
        ("payload.32 = 1920", "payload.32 = ", "TOML parse error"),
        ("payload.32 = 1920", "payload.32 = 1\npayload.32 = 2", "duplicate key"),
    ] {
        let broken = text.replacen(from, to, 1);
        assert_ne!(broken, text);
        let why = Exact::parse(&broken).unwrap_err();
        assert!(why.contains(said), "{why}");
    }
    for length in 0..text.len() {
        // Cut anywhere: an error, or a smaller baseline; never a panic.
        let _cut = Exact::parse(&text[..length]);
    }
}

#[test]
fn what_cannot_be_compared_is_no_pass() {
    let then = exact();
    let none = Tolerance::default();
    let mut now = then.clone();
    now.settings.insert("sizes".into(), "32".into());
    let why = then.judge(&now, &none).unwrap_err();
    assert!(why.contains("sizes: 32, 200, now 32") && why.contains("--update-baseline"), "{why}");
    let mut now = then.clone();
    let counts = now.lanes["sse-h1"].clone();
    now.lanes.insert("ws-h9".into(), counts);
    assert!(then.judge(&now, &none).unwrap_err().contains("no lane ws-h9"));
    let mut now = then.clone();
    now.made.insert("rustc".into(), "rustc 1.96.0".into());
    let notes = then.judge(&now, &none).unwrap().notes;
    assert!(notes[1].contains("rustc: rustc 1.95.0, now rustc 1.96.0"), "{notes:?}");
}
