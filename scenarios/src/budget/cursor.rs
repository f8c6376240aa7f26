//! Reads a budget from left to right, and says of what it cannot read where it is and what should stand there.

use super::{
    AGGREGATES, Abort, Aggregate, Bound, Budget, BudgetError, COMPARISONS, Comparison, Measure, Subject,
    UNITS, Unit,
};
use crate::lane::Lane;
use crate::quantity::Span;

type Read<T> = Result<T, BudgetError>;

/// A place in a budget.
pub struct Cursor<'a> {
    text: &'a str,
    /// Bytes before it.
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text: text.trim(), at: 0 }
    }

    /// All of it.
    pub fn budget(mut self) -> Read<Budget> {
        let subject = self.subject()?;
        let comparison = self.comparison()?;
        let bound = self.bound()?;
        let text = self.text[..self.at].trim_end().to_owned();
        self.skip();
        let abort = self.abort()?;
        match self.rest() {
            "" => Ok(Budget { text, subject, comparison, bound, abort }),
            _ => Err(self.expected("nothing more, or `abortOnFail`, or `abortOnFail after 10s`")),
        }
    }

    fn subject(&mut self) -> Read<Subject> {
        let began = self.at;
        let word = self.word()?;
        if word == "ratio" && self.take("(") {
            let (a, b) = (self.lane(&["/"])?, self.lane(&[","])?);
            let of = self.word()?;
            let measure = self.measure(of)?;
            self.skip();
            if !self.take(")") {
                return Err(self.expected("`)`"));
            }
            return Ok(Subject::Ratio(measure, a, b));
        }
        if self.rest().starts_with('(') {
            self.at = began;
            return Err(self.expected("a metric, or `ratio(LANE/LANE,METRIC)`"));
        }
        let lane = if self.take("{") { self.selector()? } else { None };
        Ok(Subject::Each(self.measure(word)?, lane))
    }

    /// A metric's word or name, in quotes where it holds what ends a word.
    fn word(&mut self) -> Read<String> {
        self.skip();
        let said = "a metric, such as `latency`, `lost` or `bytes_per_event`";
        if self.take("\"") {
            let Some(length) = self.rest().find('"').filter(|length| *length > 0) else {
                return Err(self.expected("a metric's name and `\"`"));
            };
            let word = self.rest()[..length].to_owned();
            self.at += length + 1;
            self.skip();
            return Ok(word);
        }
        let rest = self.rest();
        let length = rest.find(|c: char| "{}:<>=!,()\"".contains(c)).unwrap_or(rest.len());
        let word = rest[..length].trim_end().to_owned();
        if !word.starts_with(char::is_alphabetic) {
            return Err(self.expected(said));
        }
        self.at += length;
        Ok(word)
    }

    /// Behind `{`.
    fn selector(&mut self) -> Read<Option<Lane>> {
        self.skip();
        if !self.take("lane:") {
            return Err(self.expected("`lane:`, such as `{lane:sse-h1}`"));
        }
        self.skip();
        if self.take("*") {
            self.skip();
            return if self.take("}") { Ok(None) } else { Err(self.expected("`}`")) };
        }
        let lane = self.lane(&["}"])?;
        self.skip();
        Ok(Some(lane))
    }

    /// A lane up to one of these, and that.
    fn lane(&mut self, ends: &[&str]) -> Read<Lane> {
        self.skip();
        let found = ends.iter().filter_map(|end| Some((self.rest().find(end)?, *end))).min();
        let Some((length, end)) = found else {
            return Err(self.expected(&format!("a lane such as `sse-h1`, and `{}`", ends[0])));
        };
        let lane = self.rest()[..length].trim().parse::<Lane>();
        let lane = lane.map_err(|err| self.expected(&format!("a lane ({err})")))?;
        self.at += length + end.len();
        Ok(lane)
    }

    /// A measure of this word: what follows it may say what of it.
    fn measure(&mut self, word: String) -> Read<Measure> {
        self.skip();
        let aggregate = if self.take(":") { Some(self.aggregate()?) } else { None };
        Ok(Measure { word, aggregate })
    }

    fn aggregate(&mut self) -> Read<Aggregate> {
        self.skip();
        if self.take("p(") {
            let began = self.at;
            let percent = self.number()?;
            if !(percent > 0.0 && percent < 100.0) {
                self.at = began;
                return Err(self.expected("a percentile above 0 and below 100; the ends are `min` and `max`"));
            }
            self.skip();
            return match self.take(")") {
                true => Ok(Aggregate::Percentile(percent)),
                false => Err(self.expected("`)`")),
            };
        }
        let found = AGGREGATES.iter().find(|(name, _)| self.take_word(name));
        found.map(|(_, aggregate)| *aggregate).ok_or_else(|| {
            let names: Vec<&str> = AGGREGATES.iter().map(|(name, _)| *name).collect();
            self.expected(&format!("p(99) or one of {}", names.join(", ")))
        })
    }

    fn comparison(&mut self) -> Read<Comparison> {
        self.skip();
        let found = COMPARISONS.iter().find(|(sign, _)| self.take(sign));
        found.map(|(_, comparison)| *comparison).ok_or_else(|| self.expected("one of < <= > >= == !="))
    }

    fn bound(&mut self) -> Read<Bound> {
        self.skip();
        if self.take_word("baseline") {
            return Ok(Bound::Baseline(1.0));
        }
        let number = self.number()?;
        self.skip();
        if self.take("x") {
            self.skip();
            return match self.take_word("baseline") && number > 0.0 {
                true => Ok(Bound::Baseline(number)),
                false => Err(self.expected("`baseline`, such as `1.01x baseline`")),
            };
        }
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphabetic() || c == '%')).unwrap_or(rest.len());
        let name = &rest[..end];
        if name.is_empty() || name == "abortOnFail" {
            return Ok(Bound::Number(number, None));
        }
        let Some(unit) = Unit::named(name) else {
            let names: Vec<&str> = UNITS.iter().map(|unit| unit.name).collect();
            return Err(
                self.expected(&format!("a unit ({}), `x baseline`, or nothing more", names.join(", ")))
            );
        };
        self.at += end;
        Ok(Bound::Number(number, Some(unit)))
    }

    fn number(&mut self) -> Read<f64> {
        self.skip();
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_digit() || "._-".contains(c))).unwrap_or(rest.len());
        match rest[..end].replace('_', "").parse::<f64>() {
            Ok(number) if number.is_finite() => {
                self.at += end;
                Ok(number)
            }
            Ok(_) | Err(_) => Err(self.expected("a number")),
        }
    }

    fn abort(&mut self) -> Read<Option<Abort>> {
        if !self.take_word("abortOnFail") {
            return Ok(None);
        }
        self.skip();
        if !self.take_word("after") {
            return Ok(Some(Abort::default()));
        }
        self.skip();
        let delay = self.rest().parse::<Span>().map_err(|_| self.expected("a time, such as `10s`"))?;
        self.at = self.text.len();
        Ok(Some(Abort { delay }))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        let is_there = self.rest().starts_with(token);
        self.at += if is_there { token.len() } else { 0 };
        is_there
    }

    /// The same of a word that nothing may go on with.
    fn take_word(&mut self, word: &str) -> bool {
        let goes_on = |rest: &str| rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let is_there = self.rest().strip_prefix(word).is_some_and(|rest| !goes_on(rest));
        is_there && self.take(word)
    }

    fn expected(&self, what: &str) -> BudgetError {
        let at = self.text[..self.at].chars().count();
        BudgetError { text: self.text.to_owned(), at, expected: what.to_owned() }
    }
}
