//! What the edge answers itself: reflection and health, for all domains.

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::house::House;

async fn channel(house: &House) -> Channel {
    Endpoint::from_shared(house.url("")).unwrap().connect().await.unwrap()
}

macro_rules! reflects {
    ($test:ident, $version:ident) => {
        #[tokio::test]
        async fn $test() {
            use tonic_reflection::pb::$version::{
                ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
                server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
            };
            let house = House::start().await;
            let mut client = ServerReflectionClient::new(channel(&house).await);
            let ask = |message_request| ServerReflectionRequest { host: String::new(), message_request: Some(message_request) };
            let questions = [
                ask(MessageRequest::ListServices(String::new())),
                ask(MessageRequest::FileContainingSymbol("fixture.notes.v1.Notes".into())),
            ];
            let mut answers = client.server_reflection_info(tokio_stream::iter(questions)).await.unwrap().into_inner();
            let listed = answers.message().await.unwrap().unwrap().message_response.unwrap();
            let MessageResponse::ListServicesResponse(listed) = listed else { panic!("{listed:?}") };
            let names: Vec<_> = listed.service.iter().map(|service| service.name.as_str()).collect();
            for name in ["fixture.notes.v1.Notes", "weft.auth.v1.Auth", "grpc.health.v1.Health"] {
                assert!(names.contains(&name), "{name} in {names:?}");
            }
            let file = answers.message().await.unwrap().unwrap().message_response.unwrap();
            let MessageResponse::FileDescriptorResponse(file) = file else { panic!("{file:?}") };
            assert!(!file.file_descriptor_proto.is_empty());
        }
    };
}

reflects!(contracts_are_reflected, v1);
reflects!(contracts_are_reflected_to_older_clients, v1alpha);

/// The states of a service as they change, until the wanted one.
async fn until(client: &mut HealthClient<Channel>, service: &str, wanted: ServingStatus) {
    let question = HealthCheckRequest { service: service.to_owned() };
    let mut states = client.watch(question).await.unwrap().into_inner();
    let found = async { while states.message().await.unwrap().unwrap().status() != wanted {} };
    tokio::time::timeout(Duration::from_secs(10), found).await.unwrap_or_else(|_| panic!("{service} is never {wanted:?}"));
}

#[tokio::test]
async fn health_is_what_the_domains_report() {
    let house = House::start().await;
    let mut client = HealthClient::new(channel(&house).await);
    for service in ["fixture.notes.v1.Notes", "weft.auth.v1.Auth", ""] {
        until(&mut client, service, ServingStatus::Serving).await;
    }
    house.mesh.running().drain().await;
    for service in ["fixture.notes.v1.Notes", ""] {
        until(&mut client, service, ServingStatus::NotServing).await;
    }
}
