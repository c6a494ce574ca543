//! Secrets of the Kubernetes namespace that this pod is in.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams},
};

/// Who changes a field, for Kubernetes' server-side apply.
const MANAGER: &str = "weft-certificates";
/// HTTP's 409: someone else was first.
const CONFLICT: u16 = 409;

/// File names and what the files hold.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Why Kubernetes did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsError {
    #[error("this is no pod of Kubernetes")]
    NoPod(#[source] kube::config::InClusterError),
    #[error("the Secret {name} cannot be read or changed")]
    Refused { name: String, source: Box<kube::Error> },
    #[error("Kubernetes cannot be reached")]
    Unreachable(#[source] Box<kube::Error>),
}

/// The Secrets of one namespace.
pub(crate) struct Secrets(Api<Secret>);

impl Secrets {
    /// Those of this pod's namespace, as its service account.
    pub(crate) fn of_this_pod() -> Result<Self, SecretsError> {
        let config = Config::incluster().map_err(SecretsError::NoPod)?;
        let client = Client::try_from(config).map_err(|error| SecretsError::Unreachable(Box::new(error)))?;
        Ok(Self(Api::default_namespaced(client)))
    }

    /// What a Secret holds, if there is one.
    pub(crate) async fn get(&self, name: &str) -> Result<Option<Files>, SecretsError> {
        Ok(self.0.get_opt(name).await.map_err(refused(name))?.map(files))
    }

    /// Makes a Secret unless there is one already, and tells what it holds then.
    pub(crate) async fn create_once(&self, name: &str, files: &Files) -> Result<Files, SecretsError> {
        match self.0.create(&PostParams::default(), &secret(name, files)).await {
            Ok(made) => Ok(self::files(made)),
            Err(kube::Error::Api(status)) if status.code == CONFLICT => {
                self.0.get(name).await.map(self::files).map_err(refused(name))
            }
            Err(error) => Err(refused(name)(error)),
        }
    }

    /// Makes a Secret or replaces what it holds.
    pub(crate) async fn put(&self, name: &str, files: &Files) -> Result<(), SecretsError> {
        let parameters = PatchParams::apply(MANAGER).force();
        self.0.patch(name, &parameters, &Patch::Apply(secret(name, files))).await.map_err(refused(name))?;
        Ok(())
    }

    /// Deletes a Secret; false if there was none.
    pub(crate) async fn delete(&self, name: &str) -> Result<bool, SecretsError> {
        match self.0.delete(name, &DeleteParams::default()).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(false),
            Err(error) => Err(refused(name)(error)),
        }
    }
}

fn refused(name: &str) -> impl Fn(kube::Error) -> SecretsError {
    move |source| SecretsError::Refused { name: name.to_owned(), source: Box::new(source) }
}

fn files(secret: Secret) -> Files {
    secret.data.unwrap_or_default().into_iter().map(|(name, ByteString(content))| (name, content)).collect()
}

fn secret(name: &str, files: &Files) -> Secret {
    let data = files.iter().map(|(name, content)| (name.clone(), ByteString(content.clone()))).collect();
    let labels = [("app.kubernetes.io/managed-by".to_owned(), MANAGER.to_owned())].into();
    Secret {
        metadata: ObjectMeta { name: Some(name.to_owned()), labels: Some(labels), ..ObjectMeta::default() },
        data: Some(data),
        ..Secret::default()
    }
}
