//! An OTLP collector that takes all spans and keeps none, so that exporting them costs what it costs.

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use tokio::runtime::Runtime;
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

/// The collector; it ends when it is dropped.
pub(crate) struct Collector {
    _runtime: Runtime,
    /// Where it listens, as the setting `otel.endpoint` takes it.
    pub(crate) endpoint: String,
}

struct Sink;

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(&self, _: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let incoming = runtime.block_on(async { TcpIncoming::bind(([127, 0, 0, 1], 0).into()) })?;
        let endpoint = format!("http://{}", incoming.local_addr()?);
        runtime.spawn(Server::builder().add_service(TraceServiceServer::new(Sink)).serve_with_incoming(incoming));
        Ok(Self { _runtime: runtime, endpoint })
    }
}
