//! Each contender alone, for profiling: `cargo bench -p weft-bench-transcode -- strings/1 MB/read`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use weft_bench_transcode::{Contest, Shape, Size};

fn transcode(criterion: &mut Criterion) {
    for shape in Shape::ALL {
        for size in Size::ALL {
            let Ok(contest) = Contest::new(shape, size) else { continue };
            let name = format!("{}/{}", shape.message().to_lowercase(), size.name());
            for (direction, tasks) in [("read", contest.readers()), ("print", contest.printers())] {
                let mut group = criterion.benchmark_group(format!("{name}/{direction}"));
                group.throughput(Throughput::Bytes(contest.json.len() as u64));
                for (contender, task) in tasks {
                    group.bench_function(contender, |bencher| bencher.iter(&task));
                }
                group.finish();
            }
        }
    }
}

criterion_group!(benches, transcode);
criterion_main!(benches);
