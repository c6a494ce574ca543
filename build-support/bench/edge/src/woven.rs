//! The edge alone, as `weft edge` starts it: the same library, the same kind of runtime.

use std::{io::Write, path::PathBuf, sync::Arc};

use weft_access::EDGE;
use weft_call::Clock;
use weft_discovery::{Endpoint, Static};
use weft_edge::{Alone, SchemaSource, Settings, UPSTREAM};
use weft_telemetry::{Format, Metrics};
use weft_transport::{LiveTuning, Upstreams};

/// All clients come from one address here.
const ONE_ADDRESS: usize = 0;
/// More than are held at once.
const CONNECTIONS: usize = 12_000;

/// Serves until it is killed; tells its port.
pub(crate) fn serve(descriptors: PathBuf, upstream: u16) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let telemetry = weft_telemetry::init(&weft_telemetry::Settings {
            // Without a line for each request, as the others.
            level: "warn".to_owned(),
            format: Format::Json,
            otel_endpoint: None,
            sample_ratio: 0.0,
            service_name: "weft".to_owned(),
        })?;
        let metrics = Metrics::new();
        let resolver = Arc::new(Static::of(UPSTREAM, vec![Endpoint::new("127.0.0.1", upstream)]));
        let upstreams = Upstreams::plaintext(EDGE.parse()?, resolver, metrics.clone(), LiveTuning::default());
        let settings = Settings {
            address: ([127, 0, 0, 1], 0).into(),
            max_connections: CONNECTIONS,
            max_connections_per_address: ONE_ADDRESS,
            ..Settings::default()
        };
        let schema = SchemaSource::File(descriptors);
        let edge = Alone { settings, schema, upstreams, clock: Clock::system(), metrics }.start().await?;
        println!("{}", edge.local_addr.port());
        std::io::stdout().flush()?;
        // Until standard input ends.
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
        telemetry.shutdown().await?;
        Ok(())
    })
}
