//! The timetable of a session, known before it begins: pairs of blocks, their order drawn and mirrored, a stretch for each
//! look.

use results::duet::looks;
use scenarios::seed::SplitMix;
use scenarios::{Block, Plan, Repetition, Scenario};

/// A session as a plan: sides of a lane stand beside each other (A and B of the first, A and B of the second), and each
/// repetition is the stretch from one look to the next, of the same processes. A block's round is its pair, of all in the session.
#[must_use]
pub fn plan(name: &str, scenario: &Scenario, pairs: usize) -> Plan {
    let sides = scenario.lanes.iter().flat_map(|lane| [*lane; 2]).collect::<Vec<_>>();
    let mut draw = SplitMix::new(scenario.seed, 0xD0E7);
    let mut order: Vec<usize> = (0..sides.len()).collect();
    draw.shuffle(&mut order);
    let mut plan = Plan {
        name: name.to_owned(),
        scenario: Scenario { lanes: sides, ..scenario.clone() },
        repetitions: Vec::new(),
    };
    let (mut first, mut b_first) = (0, vec![false; scenario.lanes.len()]);
    for look in looks(pairs) {
        let blocks = stretch(&plan, first..look.pairs, &mut draw, &mut b_first);
        plan.repetitions.push(Repetition { order: order.clone(), blocks });
        first = look.pairs;
    }
    plan
}

/// Whose turn is first is drawn for every second pair and mirrored in the one behind it (ABBA or BAAB), so that a drift cancels
/// and both sides come first equally often.
fn stretch(
    plan: &Plan,
    pairs: std::ops::Range<usize>,
    draw: &mut SplitMix,
    b_first: &mut [bool],
) -> Vec<Block> {
    let scenario = &plan.scenario;
    let nanos = |span: std::time::Duration| u64::try_from(span.as_nanos()).expect("bounded by its checks");
    let (events, span_ns) = (plan.events_in_a_block(scenario.rate), nanos(scenario.block.0));
    let (mut blocks, mut start_ns, mut next_seq) = (Vec::new(), 0, vec![0; plan.lanes().len()]);
    for pair in pairs {
        for (lane, b_first) in b_first.iter_mut().enumerate() {
            *b_first = if pair % 2 == 0 { draw.below(2) == 1 } else { !*b_first };
            for side in if *b_first { [2 * lane + 1, 2 * lane] } else { [2 * lane, 2 * lane + 1] } {
                blocks.push(Block {
                    lane: side,
                    round: pair as u64,
                    start_ns,
                    span_ns,
                    first_seq: next_seq[side],
                    events,
                });
                next_seq[side] += events;
                start_ns += span_ns + nanos(scenario.gap_after(plan.lanes()[side]));
            }
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sides_are_balanced_mirrored_and_beside_each_other(seed in 0u64..500, quads in 6usize..40, two: bool) {
            let lanes = if two { "[\"sse-h1\", \"ws-h1\"]" } else { "[\"sse-h1\"]" };
            let overrides = [("lanes".to_owned(), lanes.to_owned()), ("seed".to_owned(), seed.to_string())];
            let scenario = Scenario::load("duet", &overrides).unwrap().1;
            let pairs = 2 * quads;
            let plan = plan("duet", &scenario, pairs);
            let blocks: Vec<&Block> = plan.repetitions.iter().flat_map(|one| &one.blocks).collect();
            prop_assert_eq!(blocks.len(), 2 * pairs * scenario.lanes.len());
            for lane in 0..scenario.lanes.len() {
                let own: Vec<&&Block> = blocks.iter().filter(|block| block.lane / 2 == lane).collect();
                let firsts: Vec<usize> = own.chunks(2).map(|pair| pair[0].lane % 2).collect();
                prop_assert!(own.chunks(2).all(|pair| pair[0].round == pair[1].round && pair[0].lane != pair[1].lane));
                prop_assert!(own.chunks(2).all(|pair| pair[0].first_seq == pair[1].first_seq));
                prop_assert!(firsts.chunks(2).all(|two| two[0] != two[1]), "{:?}", firsts);
            }
            for stretch in &plan.repetitions {
                prop_assert!(stretch.blocks.windows(2).all(|two| two[0].end_ns() < two[1].start_ns));
                prop_assert_eq!(stretch.blocks[0].start_ns, 0);
            }
        }
    }

    #[test]
    fn the_default_fits_two_and_a_half_minutes_with_the_longest_warm_up() {
        let scenario = Scenario::load("duet", &[]).unwrap().1;
        let plan = plan("duet", &scenario, 120);
        let blocks: u64 =
            plan.repetitions.iter().filter_map(|one| one.blocks.last()).map(Block::end_ns).sum();
        let warmup = plan.warmup(scenario.warmup.0, &[1, 1]).last().unwrap().end_ns();
        assert!(blocks + warmup <= 140_000_000_000, "{blocks} {warmup}");
        assert_eq!(scenario.warmup.0 % 2, 0, "both sides are warmed alike");
    }

    #[test]
    fn another_seed_gives_another_order() {
        let scenario = Scenario::load("duet", &[]).unwrap().1;
        let order = |seed| {
            let plan = plan("duet", &Scenario { seed, ..scenario.clone() }, 24);
            plan.repetitions.iter().flat_map(|one| &one.blocks).map(|block| block.lane).collect::<Vec<_>>()
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }
}
