//! Tokens and TLS.

use secrecy::SecretString;
use weft_discovery::{Consul, ConsulError, ConsulSettings, Resolver};
use weft_test_consul::{Agent, Certificate};

use crate::given::{agent, endpoint, healthy, orders, settings, until, until_stale};

const TOKEN: &str = "0e6ed8a0-7b0d-4dc2-a4f8-3fcf5b0d4f1f";

#[tokio::test]
async fn only_who_shows_the_token_is_registered_and_finds() {
    let agent = agent(Agent::with_token(TOKEN));
    let address = agent.http().unwrap();
    let with_token = |token: &str| ConsulSettings { token: Some(SecretString::from(token)), ..settings(address.clone()) };
    let insider = Consul::new(&with_token(TOKEN)).unwrap();
    let outsider = Consul::new(&with_token("6b5e1c7e-58a1-4c07-a4ad-1a1f5ad6a7a4")).unwrap();
    let _refused = outsider.register(orders(2), healthy);
    let _registration = insider.register(orders(1), healthy);
    until(&mut insider.watch("orders"), &[endpoint(1)]).await;
    until_stale(&outsider, true).await;
    assert_eq!(insider.endpoints("orders"), [endpoint(1)]);
    assert!(outsider.endpoints("orders").is_empty());
}

#[test]
fn a_token_is_not_shown() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _inside = runtime.enter();
    let settings = ConsulSettings { token: Some(TOKEN.into()), ..settings("http://127.0.0.1:1".parse().unwrap()) };
    let shown = format!("{settings:?} {:?}", Consul::new(&settings).unwrap());
    assert!(!shown.contains(TOKEN), "{shown}");
    let broken = ConsulSettings { token: Some("hunter2\n".into()), ..settings };
    let refusal = Consul::new(&broken).unwrap_err();
    assert!(matches!(refusal, ConsulError::Token) && !format!("{refusal} {refusal:?}").contains("hunter2"), "{refusal:?}");
}

/// An authority and a certificate for `localhost` by it.
fn authority() -> (String, String, String) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::default();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = parameters.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(parameters, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (certificate.pem(), leaf.pem(), key.serialize_pem())
}

#[tokio::test]
async fn an_agent_behind_tls_is_believed_by_its_authority_alone() {
    let (authority_pem, chain, key) = authority();
    let agent = agent(Agent::with_tls(Certificate { chain: &chain, key: &key }));
    let folder = tempfile::tempdir().unwrap();
    let (right, wrong) = (folder.path().join("right.pem"), folder.path().join("wrong.pem"));
    std::fs::write(&right, authority_pem).unwrap();
    std::fs::write(&wrong, authority().0).unwrap();
    let trusting = |path| ConsulSettings { ca_file: Some(path), ..settings(agent.https().unwrap()) };

    let trusted = Consul::new(&trusting(right)).unwrap();
    let _registration = trusted.register(orders(1), healthy);
    until(&mut trusted.watch("orders"), &[endpoint(1)]).await;
    assert!(!trusted.is_stale());

    let other = Consul::new(&trusting(wrong)).unwrap();
    let mut watch = other.watch("orders");
    until_stale(&other, true).await;
    assert!(watch.borrow_and_update().is_empty());
}

#[tokio::test]
async fn an_authority_that_cannot_be_had_is_refused_at_the_start() {
    let https = settings("https://localhost:1".parse().unwrap());
    assert!(matches!(Consul::new(&https), Err(ConsulError::AuthorityMissing)));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("authority.pem");
    let named = ConsulSettings { ca_file: Some(path.clone()), ..https };
    let refusal = Consul::new(&named).unwrap_err();
    assert!(matches!(refusal, ConsulError::AuthorityFile { .. }), "{refusal:?}");
    std::fs::write(path, "").unwrap();
    let refusal = Consul::new(&named).unwrap_err();
    assert!(matches!(refusal, ConsulError::Authority(_)), "{refusal:?}");
}
