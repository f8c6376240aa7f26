//! Whose time is it? The sampled deliveries, joined from both ends of their connection.
//!
//! The server stamps each write with the offset of its stream, the client each read with the
//! kernel's stamp and the offset of each event's last byte: an event left with the first write that
//! reaches its last byte (METHOD M6). No byte on the wire differs for it.

use results::run::Stages;
use scenarios::{Moment, Schedule};
use servers::contract::{RanPhase, SampledWrites, Totals};

use crate::contract::{Phase, SampledRead};

/// Splits the sampled deliveries of one host and its fleet, adding to `stages`.
///
/// The kernel's stamp of a read is that of its last segment. When a late read takes several events
/// at once, each of them is given the network time of the last: they waited since they came in, not
/// since their successor did.
pub fn split(
    stages: &mut Stages,
    start: Moment,
    schedule: &Schedule,
    ran: &RanPhase,
    totals: &Totals,
    phase: &Phase,
) {
    stages.connections += totals.samples.len() as u64;
    for reads in phase.samples.chunk_by(|a, b| (a.port, a.read) == (b.port, b.read)) {
        let Some(last) = reads.last() else { continue };
        let writes = totals.samples.iter().find(|sample| sample.peer_port == last.port);
        let of = |read: &SampledRead| moments(start, schedule, ran, writes, read);
        let Some([_, _, written]) = of(last) else { continue };
        let network = last.kernel.nanos_since(written);
        for (read, [intended, published, written]) in reads.iter().filter_map(|read| Some((read, of(read)?)))
        {
            stages.publish.record(published.nanos_since(intended));
            stages.fanout.record(written.nanos_since(published));
            stages.network.record(network);
            stages.pickup.record(read.read.nanos_since(written.plus_nanos(network)));
            stages.decode.record(read.decoded.nanos_since(read.read));
            stages.service.record(read.decoded.nanos_since(published));
        }
    }
}

/// Intended, published and written moments of a read; `None` if the server did not sample it.
fn moments(
    start: Moment,
    schedule: &Schedule,
    ran: &RanPhase,
    writes: Option<&SampledWrites>,
    read: &SampledRead,
) -> Option<[Moment; 3]> {
    let index = usize::try_from(read.seq.checked_sub(schedule.first_seq())?).ok()?;
    let writes = &writes?.writes;
    let write = writes.get(writes.partition_point(|(end, _)| *end < read.end_offset))?;
    let intended = start.plus_nanos(schedule.intended(read.seq)?);
    Some([intended, *ran.published.get(index)?, write.1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarios::{Arrivals, Block};

    const MS: u64 = 1_000_000;

    /// METHOD M6: a delay of 10 ms planted in one stage shows in that stage and in no other.
    #[test]
    fn a_planted_delay_shows_in_its_stage_only() {
        for planted in 0..5 {
            let block = Block { lane: 0, round: 0, start_ns: 0, span_ns: 500 * MS, first_seq: 4, events: 2 };
            let schedule = Schedule::new(Arrivals::Constant, 1, vec![block]);
            let mut at = schedule.intended(5).unwrap();
            let moments: Vec<Moment> = (0..5)
                .map(|stage| {
                    at += MS + if stage == planted { 10 * MS } else { 0 };
                    Moment::from_nanos(at)
                })
                .collect();
            let ran = RanPhase { published: vec![Moment::default(), moments[0]], ..RanPhase::default() };
            let writes = vec![(100, Moment::from_nanos(1)), (200, moments[1]), (300, Moment::from_nanos(2))];
            let totals =
                Totals { samples: vec![SampledWrites { peer_port: 9, writes }], ..Totals::default() };
            let read = SampledRead {
                port: 9,
                seq: 5,
                end_offset: 200,
                kernel: moments[2],
                read: moments[3],
                decoded: moments[4],
            };
            let phase = Phase { samples: vec![read], ..Phase::default() };
            let mut stages = Stages::default();
            split(&mut stages, Moment::from_nanos(0), &schedule, &ran, &totals, &phase);
            let seen: Vec<u64> =
                [&stages.publish, &stages.fanout, &stages.network, &stages.pickup, &stages.decode]
                    .map(|stage| stage.quantile(0.5).unwrap() / MS)
                    .to_vec();
            let expected: Vec<u64> = (0..5).map(|stage| if stage == planted { 11 } else { 1 }).collect();
            assert_eq!(seen, expected);
        }
    }

    /// A late read takes two events whose stamp is the second's: both waited from their own coming.
    #[test]
    fn events_of_one_read_waited_from_their_own_coming() {
        let at = |ms: u64| Moment::from_nanos(ms * MS);
        let block = Block { lane: 0, round: 0, start_ns: 0, span_ns: 200 * MS, first_seq: 0, events: 2 };
        let schedule = Schedule::new(Arrivals::Constant, 1, vec![block]);
        let ran = RanPhase { published: vec![at(0), at(100)], ..RanPhase::default() };
        let writes = vec![(50, at(0)), (90, at(100))];
        let totals = Totals { samples: vec![SampledWrites { peer_port: 9, writes }], ..Totals::default() };
        let read = |seq, end_offset| SampledRead {
            port: 9,
            seq,
            end_offset,
            kernel: at(102),
            read: at(150),
            decoded: at(150),
        };
        let phase = Phase { samples: vec![read(0, 50), read(1, 90)], ..Phase::default() };
        let mut stages = Stages::default();
        split(&mut stages, at(0), &schedule, &ran, &totals, &phase);
        let ms = |histogram: &results::LatencyHistogram, q| histogram.quantile(q).unwrap() / MS;
        assert_eq!([ms(&stages.network, 0.5), ms(&stages.network, 1.0)], [2, 2]);
        assert_eq!([ms(&stages.pickup, 0.5), ms(&stages.pickup, 1.0)], [48, 148]);
    }
}
