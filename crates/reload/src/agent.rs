//! The Consul agent that the configuration names.

use std::{collections::BTreeMap, time::Duration};

use secrecy::SecretString;
use weft_config::{Consul, ConsulKeys};
use weft_consul::{Client, ClientCertificate, ConsulError, ConsulSettings, Token};

/// Why a configuration that is partly in Consul cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The agent cannot be asked at all.
    #[error("consul: {0}")]
    Settings(#[source] ConsulError),
    /// A key of a secret cannot be read.
    #[error("consul: the key {key:?} cannot be read: {source}")]
    Key {
        /// The key.
        key: String,
        /// Why not.
        source: ConsulError,
    },
    /// A certificate without its key, or the other way round.
    #[error("consul.certificate_file and consul.key_file: set both or neither")]
    CertificateAlone,
}

/// How the agent that the configuration names is reached; nothing if it names none.
pub fn consul_settings(consul: &Consul) -> Result<Option<ConsulSettings>, AgentError> {
    let certificate = match (&consul.certificate_file, &consul.key_file) {
        (Some(chain_file), Some(key_file)) => {
            Some(ClientCertificate { chain_file: chain_file.clone(), key_file: key_file.clone() })
        }
        (None, None) => None,
        _ => return Err(AgentError::CertificateAlone),
    };
    let Some(address) = consul.address.clone() else { return Ok(None) };
    let token = Token::new(consul.token.as_ref()).map_err(AgentError::Settings)?;
    Ok(Some(ConsulSettings { address, token, ca_file: consul.ca_file.clone(), certificate }))
}

/// What Consul holds under the keys now. The text with settings is left out if it cannot be read, with a warning: a process
/// starts without Consul, and takes the settings once they can be read. Secrets it cannot start without.
pub async fn fetch(keys: &ConsulKeys) -> Result<BTreeMap<String, SecretString>, AgentError> {
    let Some(settings) = consul_settings(&keys.consul)? else { return Ok(BTreeMap::new()) };
    let client = Client::new(&settings).map_err(AgentError::Settings)?;
    let mut texts = BTreeMap::new();
    for key in &keys.secrets {
        let held = client.key(key, 0, Duration::ZERO).await;
        let held = held.map_err(|source| AgentError::Key { key: key.clone(), source })?;
        texts.extend(held.text.map(|text| (key.clone(), text)));
    }
    if let Some(key) = &keys.settings {
        match client.key(key, 0, Duration::ZERO).await {
            Ok(held) => texts.extend(held.text.map(|text| (key.clone(), text))),
            Err(error) => tracing::warn!(key, %error, "the settings in Consul cannot be read: they are taken once they can"),
        }
    }
    Ok(texts)
}
