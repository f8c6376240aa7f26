//! News articles as JSON, 3 to 7 KB: few, large, read by many.

use serde_json::json;

use super::{pick, prose, stamp};
use crate::seed::SplitMix;

const SECTIONS: [&str; 6] = ["politics", "business", "science", "sport", "culture", "local"];
const AUTHORS: [&str; 6] = ["A. Lindqvist", "M. Okafor", "J. Tanaka", "R. Moreau", "S. Novak", "L. Haddad"];

/// One article.
pub fn body(seed: u64, seq: u64) -> String {
    let mut draw = SplitMix::new(seed, seq.wrapping_add(1));
    let section = SECTIONS[pick(&mut draw, SECTIONS.len())];
    let headline = prose::clause(&mut draw);
    let summary = prose::paragraph(&mut draw, 2);
    let paragraphs = 6 + draw.below(5);
    let paragraphs: Vec<String> = (0..paragraphs)
        .map(|_| {
            let sentences = 3 + draw.below(3);
            prose::paragraph(&mut draw, sentences)
        })
        .collect();
    json!({
        "id": format!("{section}-{seq}"),
        "section": section,
        "author": AUTHORS[pick(&mut draw, AUTHORS.len())],
        "published": stamp(seq * 300_000),
        "url": format!("https://news.example/{section}/{seq}"),
        "headline": headline,
        "summary": summary,
        "body": paragraphs,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_article_is_some_kilobytes_with_all_its_parts() {
        let sizes: Vec<usize> = (0..500).map(|seq| body(1, seq).len()).collect();
        assert!(sizes.iter().all(|size| (2_500..8_000).contains(size)), "{sizes:?}");
        assert!((4_000..6_000).contains(&(sizes.iter().sum::<usize>() / sizes.len())));
        let article: serde_json::Value = serde_json::from_str(&body(1, 7)).unwrap();
        assert!(article["body"].as_array().unwrap().len() >= 6 && article["headline"].is_string());
    }
}
