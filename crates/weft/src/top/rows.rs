//! From two readings of every process to a row a domain.

use std::collections::{BTreeMap, BTreeSet};

use super::metrics::{Reading, Series};

/// The codes by which it is the mesh that failed, and not the request.
const FAILURES: [&str; 5] = ["UNKNOWN", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "DEADLINE_EXCEEDED"];
/// What the front door is called.
const EDGE: &str = "edge";

/// What a domain does. Rates are a second; a state that nobody told is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    pub(super) domain: String,
    /// Calls that ended.
    pub(super) calls: f64,
    /// The share of them that failed, from 0 to 1.
    pub(super) errors: Option<f64>,
    /// Within how many seconds half of them ended.
    pub(super) median: Option<f64>,
    /// Within how many seconds 99 of 100 ended.
    pub(super) tail: Option<f64>,
    /// Calls it works on.
    pub(super) in_flight: Option<f64>,
    /// How many it works on at once.
    pub(super) limit: Option<f64>,
    /// Calls refused before they began.
    pub(super) shed: f64,
    /// Calls to it that were sent again.
    pub(super) retries: f64,
    /// Its endpoints that a caller's breaker leaves alone.
    pub(super) ejected: usize,
    /// Its events that the carrier does not have yet.
    pub(super) backlog: Option<f64>,
    /// Keys whose events it does not try to handle any more.
    pub(super) parked: Option<f64>,
    /// How many seconds the certificate holds that ends first.
    pub(super) certificate: Option<f64>,
}

/// What is summed on the way to a row.
#[derive(Default)]
struct Sums {
    row: Row,
    failed: f64,
    /// Calls by the bound of their histogram's bucket, in order.
    buckets: BTreeMap<Bound, f64>,
    ejected: BTreeSet<String>,
}

/// An upper bound of a bucket, in seconds, ordered as numbers are.
#[derive(Clone, Copy, PartialEq)]
struct Bound(f64);

impl Eq for Bound {}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bound {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// The rows of all processes' readings, by the domains' names.
pub(super) fn of<'a>(readings: impl Iterator<Item = (&'a Reading, &'a Reading)>) -> Vec<Row> {
    let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
    for (before, now) in readings {
        count(before, now, &mut sums);
        state(now, &mut sums);
    }
    sums.into_iter().map(|(domain, sums)| finished(domain, sums)).collect()
}

/// Whose calls a series counts: those that a domain serves, and those that come in at the edge.
fn counted(series: &Series) -> Option<String> {
    match series.label("side") {
        "edge" => Some(EDGE.to_owned()),
        "server" => Some(series.label("domain").to_owned()),
        _ => None,
    }
}

/// Adds what grew between the readings.
fn count(before: &Reading, now: &Reading, sums: &mut BTreeMap<String, Sums>) {
    let seconds = now.at.saturating_duration_since(before.at).as_secs_f64().max(f64::EPSILON);
    // A counter that fell began anew.
    let grown = |series: &Series, value: f64| match before.samples.get(series) {
        Some(earlier) if *earlier <= value => value - earlier,
        _ => value,
    };
    for (series, value) in now.of("weft_calls_total") {
        let Some(domain) = counted(series) else { continue };
        let (grown, sums) = (grown(series, value), sums.entry(domain).or_default());
        sums.row.calls += grown / seconds;
        if FAILURES.contains(&series.label("code")) {
            sums.failed += grown / seconds;
        }
    }
    for (series, value) in now.of("weft_call_duration_seconds_bucket") {
        let (Some(domain), Ok(bound)) = (counted(series), series.label("le").parse()) else { continue };
        *sums.entry(domain).or_default().buckets.entry(Bound(bound)).or_default() += grown(series, value);
    }
    for (series, value) in now.of("weft_calls_shed_total") {
        let Some(domain) = counted(series) else { continue };
        sums.entry(domain).or_default().row.shed += grown(series, value) / seconds;
    }
    for (series, value) in now.of("weft_retries_total") {
        sums.entry(series.label("domain").to_owned()).or_default().row.retries += grown(series, value) / seconds;
    }
}

/// Adds what holds now.
fn state(now: &Reading, sums: &mut BTreeMap<String, Sums>) {
    let add = |to: &mut Option<f64>, value: f64| *to = Some(to.unwrap_or_default() + value);
    for (series, value) in now.of("weft_concurrency_in_flight") {
        let Some(domain) = counted(series) else { continue };
        add(&mut sums.entry(domain).or_default().row.in_flight, value);
    }
    for (series, value) in now.of("weft_concurrency_limit") {
        let Some(domain) = counted(series) else { continue };
        add(&mut sums.entry(domain).or_default().row.limit, value);
    }
    for (series, value) in now.of("weft_events_backlog") {
        add(&mut sums.entry(series.label("domain").to_owned()).or_default().row.backlog, value);
    }
    for (series, value) in now.of("weft_events_parked") {
        add(&mut sums.entry(series.label("domain").to_owned()).or_default().row.parked, value);
    }
    for (series, value) in now.of("weft_endpoint_ejected") {
        if value > 0.0 {
            let ejected = &mut sums.entry(series.label("domain").to_owned()).or_default().ejected;
            ejected.insert(series.label("endpoint").to_owned());
        }
    }
    for (series, value) in now.of("weft_certificate_expiry_seconds") {
        let certificate = &mut sums.entry(series.label("workload").to_owned()).or_default().row.certificate;
        *certificate = Some(certificate.map_or(value, |earlier| earlier.min(value)));
    }
}

fn finished(domain: String, sums: Sums) -> Row {
    let Sums { row, failed, buckets, ejected } = sums;
    Row {
        domain,
        errors: (row.calls > 0.0).then(|| failed / row.calls),
        median: quantile(&buckets, 0.5),
        tail: quantile(&buckets, 0.99),
        ejected: ejected.len(),
        ..row
    }
}

/// The value that a share of all observations is not above, as Prometheus' `histogram_quantile` has it: between the bounds
/// of its bucket they are taken to be even, and in the last bucket it is the greatest bound.
fn quantile(buckets: &BTreeMap<Bound, f64>, share: f64) -> Option<f64> {
    let all = *buckets.values().next_back()?;
    if all <= 0.0 {
        return None;
    }
    let rank = share * all;
    let (mut lower, mut below) = (0.0, 0.0);
    for (bound, count) in buckets {
        if *count >= rank {
            let within = if *count > below { (rank - below) / (count - below) } else { 0.0 };
            return Some(if bound.0.is_finite() { lower + (bound.0 - lower) * within } else { lower });
        }
        (lower, below) = (bound.0, *count);
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use std::time::{Duration, Instant};

    use super::*;

    fn rows(before: &str, now: &str) -> Vec<Row> {
        let at = Instant::now();
        of([(&Reading::parse(before, at), &Reading::parse(now, at + Duration::from_secs(2)))].into_iter())
    }

    #[test]
    fn calls_are_what_was_counted_between_the_readings() {
        let before = "weft_calls_total{side=\"server\",domain=\"orders\",code=\"OK\"} 100";
        let now = "weft_calls_total{side=\"server\",domain=\"orders\",code=\"OK\"} 106\n\
                   weft_calls_total{side=\"server\",domain=\"orders\",code=\"INTERNAL\"} 2\n\
                   weft_calls_total{side=\"client\",domain=\"orders\",code=\"OK\"} 50\n\
                   weft_calls_total{side=\"edge\",domain=\"orders\",code=\"NOT_FOUND\"} 4";
        let rows = rows(before, now);
        let names: Vec<_> = rows.iter().map(|row| (row.domain.as_str(), row.calls, row.errors)).collect();
        assert_eq!(names, [("edge", 2.0, Some(0.0)), ("orders", 4.0, Some(0.25))]);
    }

    #[test]
    fn a_counter_that_fell_began_anew() {
        let series = "weft_calls_total{side=\"server\",domain=\"orders\",code=\"OK\"}";
        assert!((rows(&format!("{series} 100"), &format!("{series} 8"))[0].calls - 4.0).abs() < 1e-9);
    }

    #[test]
    fn quantiles_are_found_between_the_bounds() {
        let bucket = |bound: &str, count| {
            format!("weft_call_duration_seconds_bucket{{side=\"server\",domain=\"orders\",le=\"{bound}\"}} {count}\n")
        };
        let now = [bucket("0.1", 50), bucket("0.2", 98), bucket("+Inf", 100)].concat();
        let row = rows("", &now).remove(0);
        assert!((row.median.unwrap() - 0.1).abs() < 1e-9);
        assert!((row.tail.unwrap() - 0.2).abs() < 1e-9, "beyond the greatest bound nothing is known");
    }

    #[test]
    fn a_state_is_that_of_now() {
        let now = "weft_concurrency_in_flight{side=\"server\",domain=\"orders\"} 3\nweft_events_backlog{domain=\"orders\"} 7\n\
                   weft_endpoint_ejected{caller=\"a\",domain=\"orders\",endpoint=\"h:1\"} 1\n\
                   weft_endpoint_ejected{caller=\"b\",domain=\"orders\",endpoint=\"h:1\"} 1\n\
                   weft_endpoint_ejected{caller=\"b\",domain=\"orders\",endpoint=\"h:2\"} 0\n\
                   weft_certificate_expiry_seconds{workload=\"orders\"} 60";
        let row = rows("", now).remove(0);
        assert_eq!((row.in_flight, row.limit, row.backlog, row.ejected), (Some(3.0), None, Some(7.0), 1));
        assert_eq!((row.certificate, row.errors, row.tail), (Some(60.0), None, None));
    }
}
