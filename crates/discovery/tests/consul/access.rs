//! Tokens and TLS.

use secrecy::SecretString;
use weft_discovery::{ClientCertificate, Consul, ConsulError, ConsulSettings, Resolver, Token};
use weft_test_consul::{Agent, Certificate};

use crate::given::{agent, endpoint, healthy, orders, settings, until, until_stale};

const TOKEN: &str = "0e6ed8a0-7b0d-4dc2-a4f8-3fcf5b0d4f1f";

fn token(text: &str) -> Token {
    Token::new(Some(&SecretString::from(text))).unwrap()
}

#[tokio::test]
async fn only_who_shows_the_token_is_registered_and_finds() {
    let agent = agent(Agent::with_token(TOKEN));
    let address = agent.http().unwrap();
    let with_token = |text: &str| ConsulSettings { token: token(text), ..settings(address.clone()) };
    let insider = Consul::new(&with_token(TOKEN)).unwrap();
    let outsider = Consul::new(&with_token("6b5e1c7e-58a1-4c07-a4ad-1a1f5ad6a7a4")).unwrap();
    let _refused = outsider.register(orders(2), healthy);
    let _registration = insider.register(orders(1), healthy);
    until(&mut insider.watch("orders"), &[endpoint(1)]).await;
    until_stale(&outsider, true).await;
    assert_eq!(insider.endpoints("orders"), [endpoint(1)]);
    assert!(outsider.endpoints("orders").is_empty());
}

#[tokio::test]
async fn a_token_that_is_replaced_is_shown_from_the_next_request_on() {
    let agent = agent(Agent::with_token(TOKEN));
    let replaced = token("6b5e1c7e-58a1-4c07-a4ad-1a1f5ad6a7a4");
    let settings = ConsulSettings { token: replaced.clone(), ..settings(agent.http().unwrap()) };
    let consul = Consul::new(&settings).unwrap();
    let _registration = consul.register(orders(1), healthy);
    until_stale(&consul, true).await;
    replaced.replace(Some(&TOKEN.into())).unwrap();
    until(&mut consul.watch("orders"), &[endpoint(1)]).await;
    until_stale(&consul, false).await;
}

#[test]
fn a_token_is_not_shown() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _inside = runtime.enter();
    let settings = ConsulSettings { token: token(TOKEN), ..settings("http://127.0.0.1:1".parse().unwrap()) };
    let shown = format!("{settings:?} {:?}", Consul::new(&settings).unwrap());
    assert!(!shown.contains(TOKEN), "{shown}");
    let refusal = Token::new(Some(&"hunter2\n".into())).unwrap_err();
    assert!(matches!(refusal, ConsulError::Token) && !format!("{refusal} {refusal:?}").contains("hunter2"), "{refusal:?}");
}

/// An authority and a certificate for `localhost` by it.
fn authority() -> (String, String, String) {
    let (certificate, issuer) = issuer();
    let (leaf, key) = certificate_by(&issuer);
    (certificate, leaf, key)
}

fn issuer() -> (String, rcgen::Issuer<'static, rcgen::KeyPair>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::default();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = parameters.self_signed(&key).unwrap();
    (certificate.pem(), rcgen::Issuer::new(parameters, key))
}

fn certificate_by(issuer: &rcgen::Issuer<'static, rcgen::KeyPair>) -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, issuer).unwrap();
    (leaf.pem(), key.serialize_pem())
}

#[tokio::test]
async fn an_agent_that_asks_for_a_certificate_is_shown_one() {
    let (authority, issuer) = issuer();
    let ((chain, key), (own_chain, own_key)) = (certificate_by(&issuer), certificate_by(&issuer));
    let agent = agent(Agent::with_mutual_tls(Certificate { chain: &chain, key: &key }, &authority));
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let without = ConsulSettings { ca_file: Some(file("ca.pem", &authority)), ..settings(agent.https().unwrap()) };
    let own = ClientCertificate { chain_file: file("own.pem", &own_chain), key_file: file("own.key", &own_key) };
    let consul = Consul::new(&ConsulSettings { certificate: Some(own.clone()), ..without.clone() }).unwrap();
    let _registration = consul.register(orders(1), healthy);
    until(&mut consul.watch("orders"), &[endpoint(1)]).await;
    let stranger = Consul::new(&without).unwrap();
    let _watch = stranger.watch("orders");
    until_stale(&stranger, true).await;
    let other_key = ClientCertificate { key_file: file("other.key", &key), ..own };
    let refusal = Consul::new(&ConsulSettings { certificate: Some(other_key), ..without }).unwrap_err();
    assert!(matches!(refusal, ConsulError::ClientCertificate(_)), "{refusal:?}");
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
    assert!(matches!(refusal, ConsulError::File { setting: "consul.ca_file", .. }), "{refusal:?}");
    std::fs::write(path, "").unwrap();
    let refusal = Consul::new(&named).unwrap_err();
    assert!(matches!(refusal, ConsulError::Authority(_)), "{refusal:?}");
}
