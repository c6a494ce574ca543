//! The chart deploys the domains that the binary holds, from the table that the binary prints.

use std::{fs, path::Path};

use serde_json::Value;

use crate::given::weft;

#[test]
fn the_chart_and_the_binary_have_the_same_table_of_domains() {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../k8s/chart/weft/domains.json");
    let chart: Value = serde_json::from_slice(&fs::read(chart).unwrap()).unwrap();
    let told: Value = serde_json::from_str(&weft().run(&["routes", "--json"]).stdout).unwrap();
    assert_eq!(chart["domains"], told["domains"], "run: just chart-domains");
}
