//! Sentences from a small stock of words: text that looks and compresses like text.

use super::pick;
use crate::seed::SplitMix;

const SUBJECTS: [&str; 12] = [
    "the city council",
    "a group of researchers",
    "the national bank",
    "the harbour authority",
    "the home side",
    "an independent panel",
    "the ministry of transport",
    "the company's board",
    "a regional court",
    "the space agency",
    "the festival's director",
    "the public broadcaster",
];
const VERBS: [&str; 12] = [
    "announced",
    "rejected",
    "is reviewing",
    "has published",
    "agreed to",
    "questioned",
    "will vote on",
    "confirmed",
    "presented",
    "has delayed",
    "defended",
    "abandoned",
];
const OBJECTS: [&str; 14] = [
    "a plan to rebuild the old railway line",
    "new figures on rents and household income",
    "the results of a three-year study of coastal erosion",
    "an offer for the northern power grid",
    "changes to the rules on night flights",
    "the budget for schools and libraries",
    "a cautious forecast for the coming quarter",
    "its first findings on the bridge closure",
    "a ceasefire proposal brokered by neighbouring states",
    "the launch of its second weather satellite",
    "a settlement worth several million",
    "the timetable for the repairs",
    "an appeal by residents of the valley",
    "the transfer of its captain",
];
const TAILS: [&str; 12] = [
    "after a debate that lasted well into the night",
    "citing costs that have doubled since spring",
    "despite warnings from engineers",
    "according to documents seen by this newspaper",
    "a spokesperson said on Tuesday",
    "although several members abstained",
    "while talks with the unions continue",
    "two years later than planned",
    "and said that a decision was expected within weeks",
    "for the first time since the merger",
    "as heavy rain moved in from the west",
    "to the surprise of most observers",
];

/// A clause such as a headline, without a full stop.
pub fn clause(draw: &mut SplitMix) -> String {
    let [subject, verb, object] =
        [&SUBJECTS[..], &VERBS, &OBJECTS].map(|words| words[pick(draw, words.len())]);
    let mut clause = format!("{subject} {verb} {object}");
    clause[..1].make_ascii_uppercase();
    clause
}

/// A sentence.
pub fn sentence(draw: &mut SplitMix) -> String {
    let tail = TAILS[pick(draw, TAILS.len())];
    format!("{}, {tail}.", clause(draw))
}

/// So many sentences.
pub fn paragraph(draw: &mut SplitMix, sentences: u64) -> String {
    (0..sentences).map(|_| sentence(draw)).collect::<Vec<_>>().join(" ")
}
