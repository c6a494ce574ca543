//! What finding a route costs among 10 and among 5,000.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto,
};
use weft_transcode::{Router, Schema};

use crate::stopwatch::Stopwatch;

const ROUNDS: usize = 7;

/// Adds the table.
pub(crate) fn report(report: &mut String, slice: Duration) -> anyhow::Result<()> {
    let counts = [10, 5_000];
    let schemas = counts.iter().map(|count| schema(*count)).collect::<anyhow::Result<Vec<_>>>()?;
    let routers = schemas.iter().map(Router::build).collect::<Result<Vec<_>, _>>()?;
    let mut rounds = vec![Vec::new(); counts.len()];
    for _ in 0..ROUNDS {
        for (i, router) in routers.iter().enumerate() {
            rounds[i].push(nanoseconds(router, counts[i], slice));
        }
    }
    write!(report, "### Finding a route\n\n| routes | ns |\n|---|---|\n")?;
    for (count, mut times) in counts.iter().zip(rounds) {
        times.sort_by(f64::total_cmp);
        writeln!(report, "| {count} | {:.0} |", times[ROUNDS / 2])?;
    }
    writeln!(report)?;
    Ok(())
}

/// The mean over paths all over the table.
fn nanoseconds(router: &Router, routes: usize, slice: Duration) -> f64 {
    let paths: Vec<String> = (0..10).map(|i| format!("/api/v1/things{}/some-id/parts/7:act", i * routes / 10)).collect();
    let (start, cpu, mut runs) = (Instant::now(), Stopwatch::start(), 0u32);
    while start.elapsed() < slice {
        for path in &paths {
            black_box(router.find("GET", path).is_ok());
        }
        runs += 10;
    }
    cpu.seconds() * 1e9 / f64::from(runs)
}

/// A service of `count` methods, each with a route of its own.
fn schema(count: usize) -> anyhow::Result<Schema> {
    let field = |name: &str, number| FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(1),
        r#type: Some(9),
        ..FieldDescriptorProto::default()
    };
    let message = DescriptorProto {
        name: Some("Thing".to_owned()),
        field: vec![field("id", 1), field("part", 2)],
        ..DescriptorProto::default()
    };
    let mut file = FileDescriptorProto {
        name: Some("routes.proto".to_owned()),
        package: Some("routes".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: vec![message],
        ..FileDescriptorProto::default()
    };
    file.service.push(ServiceDescriptorProto { name: Some("Things".to_owned()), ..ServiceDescriptorProto::default() });
    let mut set = FileDescriptorSet { file: vec![file] }.encode_to_vec();
    // Typed options drop extensions, so the service is written by hand into a second file.
    let mut service = prefixed(1, b"Routes");
    for i in 0..count {
        let rule = prefixed(2, format!("/api/v1/things{i}/{{id}}/parts/{{part}}:act").as_bytes());
        let mut method = MethodDescriptorProto {
            name: Some(format!("Act{i}")),
            input_type: Some(".routes.Thing".to_owned()),
            output_type: Some(".routes.Thing".to_owned()),
            ..MethodDescriptorProto::default()
        }
        .encode_to_vec();
        method.extend(prefixed(4, &prefixed(72_295_728, &rule)));
        service.extend(prefixed(2, &method));
    }
    let mut file = [prefixed(1, b"service.proto"), prefixed(2, b"routes"), prefixed(12, b"proto3")].concat();
    file.extend(prefixed(6, &service));
    set.extend(prefixed(1, &file));
    Ok(Schema::from_descriptor_set(&set)?)
}

/// A field that has a length.
fn prefixed(number: u64, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for mut value in [number << 3 | 2, content.len() as u64] {
        while value >= 0x80 {
            bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        bytes.push((value & 0x7f) as u8);
    }
    bytes.extend_from_slice(content);
    bytes
}
