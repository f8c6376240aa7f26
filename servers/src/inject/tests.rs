//! Each kind of fault on purpose: how it is written, where it is refused, and that it is as large as it says. Apart for
//! its length.

use super::*;

fn of(text: &str) -> Inject {
    text.parse().unwrap()
}

fn lane(name: &str) -> Lane {
    name.parse().unwrap()
}

#[test]
fn what_is_written_is_read_and_what_is_wrong_is_said() {
    for text in
        ["cpu=10%", "delay=2ms", "bytes=5%", "drop=0.1%", "cpu=0.5%", "bytes=1", "drop=1", "segment=2"]
    {
        assert_eq!(of(text).to_string(), text);
        let json = serde_json::to_string(&of(text)).unwrap();
        assert_eq!(
            (json.as_str(), serde_json::from_str(&json).unwrap()),
            (&*format!("\"{text}\""), of(text))
        );
    }
    for (text, why) in [
        ("cpu", "there is no amount"),
        ("cpu=10", "a share above 0 %"),
        ("bytes=0%", "a share above 0 %"),
        ("drop=101%", "up to 100 %"),
        ("delay=2", "a time above 0"),
        ("delay=2s", "below 1s"),
        ("rain=2%", "no such kind"),
    ] {
        let said = text.parse::<Inject>().unwrap_err();
        assert!(said.contains(why) && said.contains("cpu=10%, delay=2ms"), "{said}");
    }
}

#[test]
fn the_gate_takes_counts_and_a_duet_takes_shares() {
    for (text, is_counted) in
        [("bytes=1", true), ("segment=1", true), ("drop=1%", false), ("delay=1ms", false)]
    {
        assert_eq!(
            (Inject::read_counted(text).is_ok(), Inject::read_share(text).is_ok()),
            (is_counted, !is_counted)
        );
    }
    for wrong in ["bytes", "bytes=0", "bytes=11", "drop=-1", "cpu=1", "segment=x"] {
        assert!(Inject::read_counted(wrong).unwrap_err().contains("segment=1"), "{wrong}");
    }
}

#[test]
fn lanes_that_cannot_be_made_worse_so_are_refused() {
    let scenario = Scenario::load("smoke", &[]).unwrap().1;
    for (name, inject) in
        [("sse-h1%axum", "bytes=5%"), ("ws-h1+deflate", "bytes=5%"), ("longpoll-h1", "drop=1%")]
    {
        let said = of(inject).refusal(lane(name), &scenario).unwrap();
        assert!(said.contains(name) && said.contains("lanes that can"), "{said}");
    }
    for (name, inject) in
        [("sse-h1%axum", "cpu=5%"), ("ws-h1", "bytes=5%"), ("raw", "drop=1%"), ("poll-h1", "delay=1ms")]
    {
        assert_eq!(of(inject).refusal(lane(name), &scenario), None);
    }
    let session = Scenario::load("finite", &[]).unwrap().1;
    assert!(of("cpu=5%").refusal(lane("sse-h1"), &session).is_some());
}

/// Each reading of this clock takes a microsecond.
fn burnt(share: f64, work: &[u64]) -> (u64, u64) {
    let burner = of(&format!("cpu={}%", share * 100.0)).burner().unwrap();
    let (mut now, mut worked) = (0, 0);
    for one in work {
        (now, worked) = (now + one, worked + one);
        let before = now;
        burner.burn_by(|| {
            now += 1_000;
            now
        });
        // The first reading is the process's own work here, as it is in a server.
        worked += 1_000;
        assert!(now > before);
    }
    (worked, now)
}

#[test]
fn cpu_rises_by_the_share_that_was_asked_for() {
    for share in [0.05, 0.1, 0.5, 1.0] {
        let (worked, used) = burnt(share, &[700_000; 200]);
        let rise = used as f64 / worked as f64 - 1.0;
        // To the microsecond of a reading, for each of 700.
        assert!((rise - share).abs() < 0.002, "{share}: {rise}");
    }
}

#[test]
fn a_process_that_did_nothing_burns_nothing() {
    let burner = of("cpu=10%").burner().unwrap();
    burner.paid_ns.store(5_000, Relaxed);
    let mut readings = 0;
    burner.burn_by(|| {
        readings += 1;
        5_000
    });
    assert_eq!((readings, burner.paid_ns.load(Relaxed)), (1, 5_000));
}

#[test]
fn the_process_clock_moves_with_its_work() {
    let burner = of("cpu=100%").burner().unwrap();
    burner.burn();
    let before = used_ns();
    while used_ns() - before < 2_000_000 {}
    let worked = used_ns();
    burner.burn();
    assert!(used_ns() - worked >= worked - before - 1_000);
}

#[test]
fn padding_is_its_share_and_clients_skip_it() {
    let golden = |transport: &str, frame: &'static [u8], share: f64| {
        Inject::BytesShare(share).padding(lane(transport)).unwrap().beside(&Bytes::from_static(frame))
    };
    assert_eq!(golden("sse-h1", b"data: 12\n\n", 0.5), "data: 12\n\n:   \n");
    assert_eq!(golden("ws-h1", b"\x81\x03abc", 0.8), &b"\x81\x03abc\x8A\x02\0\0"[..]);
    assert_eq!(golden("raw", b"\0\0\0\x04abcd", 0.9), &b"\0\0\0\x04abcd\0\0\0\0"[..]);
    for transport in ["sse-h1", "ws-h2", "raw", "longpoll-h1"] {
        let mut padding = of("bytes=5%").padding(lane(transport)).unwrap();
        let frame = Bytes::from(vec![b'x'; 33]);
        let sent: usize = (0..1_000).map(|_| padding.beside(&frame).len()).sum();
        assert!((33_000 + 1_646..=33_000 + 1_650).contains(&sent), "{transport}: {sent}");
    }
    let large = golden("ws-h1", &[b'x'; 1_000], 0.5);
    assert_eq!(large.len(), 1_500);
}

#[test]
fn drops_are_their_share_spread_over_readers_and_events() {
    let drops = of("drop=10%").drops(3).unwrap();
    let taken = |reader: usize| (0..1_000).filter(|event| drops.takes(reader, *event)).count();
    let by_reader: Vec<usize> = (0..20).map(taken).collect();
    assert!(by_reader.iter().all(|count| (60..140).contains(count)), "{by_reader:?}");
    assert!((1_900..2_100).contains(&by_reader.iter().sum::<usize>()), "{by_reader:?}");
    assert_ne!(of("drop=10%").drops(4), of("drop=10%").drops(3));
}
