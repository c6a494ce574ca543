//! A schema out of server reflection (`grpc.reflection.v1`, or `v1alpha` where a server has only that).
//!
//! The server names its services, then gives the file of each, then every file that those import and that has not come
//! yet: some servers send imports along, others wait to be asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use prost::Message;
use weft_call::Code;
use weft_transport::{Upstreams, error_from_status};

use super::{Described, LARGEST, policy::UPSTREAM};

/// How long a server may take to describe itself.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most files of a schema.
const MOST_FILES: usize = 10_000;

/// Why a server cannot be asked for its schema.
#[derive(Debug, thiserror::Error)]
pub enum ReflectionError {
    /// The call failed.
    #[error("the server does not answer to reflection: {0}")]
    Call(#[source] weft_call::Error),
    /// It refused a question.
    #[error("the server does not describe {what}: {message}")]
    Refused {
        /// What it was asked for.
        what: String,
        /// What it said.
        message: String,
    },
    /// It answered with something that was not asked for.
    #[error("the server's description of {what} cannot be read")]
    Malformed {
        /// What it was asked for.
        what: String,
    },
    /// It took too long.
    #[error("the server did not describe itself in {PATIENCE:?}")]
    Late,
    /// There is more than is read.
    #[error("the server's schema is larger than {MOST_FILES} files or {LARGEST} bytes")]
    TooLarge,
}

/// What the server is asked.
#[derive(Clone, Debug)]
enum Question {
    Services,
    Symbol(String),
    File(String),
}

/// What it answers.
enum Answer {
    Services(Vec<String>),
    /// Encoded `google.protobuf.FileDescriptorProto`s.
    Files(Vec<Vec<u8>>),
    Refused(String),
}

/// `google.protobuf.FileDescriptorProto`, as far as files are put together by it.
#[derive(Clone, PartialEq, Message)]
struct FileHead {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, repeated, tag = "3")]
    dependency: Vec<String>,
}

/// `google.protobuf.FileDescriptorSet`.
#[derive(Clone, PartialEq, Message)]
struct FileSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

/// The client of one version of the protocol; the two differ in nothing but their names.
macro_rules! version {
    ($version:ident) => {
        mod $version {
            use tonic_reflection::pb::$version::{
                ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
                server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
            };
            use weft_transport::Upstreams;

            use super::{Answer, LARGEST, Question, UPSTREAM};

            /// Asks all questions on one stream.
            pub(super) async fn ask(upstreams: &Upstreams, questions: &[Question]) -> Result<Vec<Answer>, tonic::Status> {
                let upstreams = upstreams.clone();
                let server = tower::service_fn(move |request| {
                    let upstreams = upstreams.clone();
                    async move { upstreams.send(UPSTREAM, request).await }
                });
                let requests: Vec<_> = questions.iter().map(request).collect();
                let mut client = ServerReflectionClient::new(server).max_decoding_message_size(LARGEST);
                let mut answers = client.server_reflection_info(tokio_stream::iter(requests)).await?.into_inner();
                let mut read = Vec::with_capacity(questions.len());
                while read.len() < questions.len()
                    && let Some(answer) = answers.message().await?
                {
                    read.push(match answer.message_response {
                        Some(MessageResponse::ListServicesResponse(list)) => {
                            Answer::Services(list.service.into_iter().map(|service| service.name).collect())
                        }
                        Some(MessageResponse::FileDescriptorResponse(files)) => Answer::Files(files.file_descriptor_proto),
                        Some(MessageResponse::ErrorResponse(error)) => Answer::Refused(error.error_message),
                        _ => Answer::Refused("an answer to another question".to_owned()),
                    });
                }
                Ok(read)
            }

            fn request(question: &Question) -> ServerReflectionRequest {
                let message_request = Some(match question {
                    Question::Services => MessageRequest::ListServices(String::new()),
                    Question::Symbol(name) => MessageRequest::FileContainingSymbol(name.clone()),
                    Question::File(name) => MessageRequest::FileByFilename(name.clone()),
                });
                ServerReflectionRequest { host: String::new(), message_request }
            }
        }
    };
}

version!(v1);
version!(v1alpha);

/// The files that have come.
#[derive(Default)]
struct Files {
    by_name: BTreeMap<String, Vec<u8>>,
    imports: BTreeSet<String>,
    bytes: usize,
}

/// Reads the whole schema of a server.
pub(super) async fn read(upstreams: &Upstreams) -> Result<Described, ReflectionError> {
    tokio::time::timeout(PATIENCE, describe(upstreams)).await.unwrap_or(Err(ReflectionError::Late))
}

async fn describe(upstreams: &Upstreams) -> Result<Described, ReflectionError> {
    let services = [Question::Services];
    let (is_v1, answers) = match v1::ask(upstreams, &services).await {
        Err(status) if status.code() == tonic::Code::Unimplemented => (false, v1alpha::ask(upstreams, &services).await),
        answers => (true, answers),
    };
    let services = match answers.map_err(|status| failed(&status))?.pop() {
        Some(Answer::Services(services)) => services,
        Some(Answer::Refused(message)) => return Err(ReflectionError::Refused { what: "its services".to_owned(), message }),
        Some(Answer::Files(_)) | None => return Err(ReflectionError::Malformed { what: "its services".to_owned() }),
    };
    let mut files = Files::default();
    let mut questions: Vec<_> = services.iter().cloned().map(Question::Symbol).collect();
    while !questions.is_empty() {
        let answers = if is_v1 { v1::ask(upstreams, &questions).await } else { v1alpha::ask(upstreams, &questions).await };
        let mut answers = answers.map_err(|status| failed(&status))?.into_iter();
        for question in &questions {
            files.take(question, answers.next())?;
        }
        questions = files.missing();
    }
    let set = FileSet { file: files.by_name.into_values().collect() };
    Ok(Described { set: set.encode_to_vec(), services: Some(services.into_iter().collect()) })
}

impl Files {
    /// Takes the files that answer a question.
    fn take(&mut self, question: &Question, answer: Option<Answer>) -> Result<(), ReflectionError> {
        let what = || match question {
            Question::Services => "its services".to_owned(),
            Question::Symbol(name) | Question::File(name) => name.clone(),
        };
        let given = match answer {
            Some(Answer::Files(given)) => given,
            Some(Answer::Refused(message)) => return Err(ReflectionError::Refused { what: what(), message }),
            Some(Answer::Services(_)) | None => return Err(ReflectionError::Malformed { what: what() }),
        };
        for file in given {
            let head = FileHead::decode(file.as_slice()).map_err(|_| ReflectionError::Malformed { what: what() })?;
            if self.by_name.contains_key(&head.name) {
                continue;
            }
            self.bytes += file.len();
            self.by_name.insert(head.name, file);
            self.imports.extend(head.dependency);
            if self.by_name.len() > MOST_FILES || self.bytes > LARGEST {
                return Err(ReflectionError::TooLarge);
            }
        }
        // Else it would be asked for again without end.
        match question {
            Question::File(name) if !self.by_name.contains_key(name) => Err(ReflectionError::Malformed { what: what() }),
            _ => Ok(()),
        }
    }

    /// What is imported and has not come.
    fn missing(&self) -> Vec<Question> {
        let missing = self.imports.iter().filter(|name| !self.by_name.contains_key(*name));
        missing.cloned().map(Question::File).collect()
    }
}

fn failed(status: &tonic::Status) -> ReflectionError {
    let error = error_from_status(status);
    match error.code() {
        Code::Unimplemented => {
            ReflectionError::Refused { what: "itself".to_owned(), message: "it has no reflection service".to_owned() }
        }
        _ => ReflectionError::Call(error),
    }
}
