//! What a WebSocket calls, and how its frames are read and written.

use std::sync::Arc;

use http::{Method, request::Parts};
use weft_call::{Error, MeshReason, MethodContract, MethodKind, Result};
use weft_transcode::{MessageId, PrintOptions, RequestBuilder, RequestError, RequestOptions, json_to_wire, wire_to_json};

use crate::{catalogue::Catalogue, error::Failure, rest::refusal};

/// What a WebSocket calls.
pub(super) struct Target {
    catalogue: Arc<Catalogue>,
    options: RequestOptions,
    parts: Parts,
    method: &'static MethodContract,
    /// The HTTP method of the route and the route's place; none for a gRPC path.
    route: Option<(Method, usize)>,
    pub(super) is_binary: bool,
}

/// Reads the frames of one call.
pub(super) enum Reader<'t> {
    /// Each text is a message.
    Whole(&'t Target, MessageId),
    /// The texts are the messages of a route whose requests stream.
    Stream(RequestBuilder<'t>),
    /// The text is the body of a route that takes one message; taken once.
    Once(Option<RequestBuilder<'t>>),
}

impl Target {
    /// What a path is called by, whatever HTTP method its route has.
    pub(super) fn find(
        catalogue: Arc<Catalogue>,
        options: RequestOptions,
        parts: Parts,
        is_binary: bool,
    ) -> Result<Self, Failure> {
        let path = parts.uri.path();
        let by_path = catalogue.method(path).map(|served| served.contract);
        let (route, method) = if let Some(method) = by_path {
            (None, method)
        } else {
            let (verb, route) = catalogue.any_route(path)?;
            (Some((verb, route.matched.binding.index())), route.served.contract)
        };
        let target = Self { catalogue, options, parts, method, route, is_binary };
        // What is wrong with the path or the query is an HTTP answer.
        target.reader()?;
        Ok(target)
    }

    pub(super) fn method(&self) -> &'static MethodContract {
        self.method
    }

    /// The path that it is called by, as the contract writes it.
    pub(super) fn path(&self) -> &str {
        let binding = self.route.as_ref().map(|(_, index)| &self.catalogue.router.bindings()[*index]);
        binding.map_or(self.method.path, |binding| &binding.rule().path)
    }

    /// Whether path and query make the one request, so that no frame is needed.
    pub(super) fn needs_no_frame(&self) -> bool {
        let binding = self.route.as_ref().map(|(_, index)| &self.catalogue.router.bindings()[*index]);
        !self.takes_many() && binding.is_some_and(|binding| !binding.has_body())
    }

    /// Whether more than one message may come.
    pub(super) fn takes_many(&self) -> bool {
        matches!(self.method.kind, MethodKind::ClientStreaming | MethodKind::Bidirectional)
    }

    /// What reads the frames.
    pub(super) fn reader(&self) -> Result<Reader<'_>, Failure> {
        let Some((verb, _)) = &self.route else { return Ok(Reader::Whole(self, self.message(self.method.input)?)) };
        let route = self.catalogue.route(verb, self.parts.uri.path())?;
        let builder = RequestBuilder::new(&self.catalogue.schema, &route.matched, self.parts.uri.query(), &self.options);
        let builder = builder.map_err(|error| refusal::of(&error))?;
        Ok(if self.takes_many() { Reader::Stream(builder) } else { Reader::Once(Some(builder)) })
    }

    /// The JSON of an answer.
    pub(super) fn answer(&self, message: &[u8]) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        let (schema, print) = (&self.catalogue.schema, PrintOptions::default());
        let binding = self.route.as_ref().map(|(_, index)| &self.catalogue.router.bindings()[*index]);
        if let Some(binding) = binding.filter(|binding| !binding.gives_raw_body(schema)) {
            binding.response_body(schema, message, &print, &mut text).map_err(Error::internal)?;
        } else {
            let output = self.message(self.method.output)?;
            wire_to_json(schema, output, message, &print, &mut text).map_err(Error::internal)?;
        }
        Ok(text)
    }

    fn message(&self, name: &str) -> Result<MessageId> {
        let missing = || Error::new(MeshReason::Internal, "internal error").with_source(format!("no message {name}"));
        self.catalogue.schema.message(name).ok_or_else(missing)
    }
}

impl Reader<'_> {
    /// The messages that a text holds; most hold one.
    pub(super) fn read(&mut self, text: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
        let mut messages = Vec::new();
        let read = match self {
            Self::Whole(target, input) => {
                let mut wire = Vec::new();
                let read = json_to_wire(&target.catalogue.schema, *input, text, &target.options.json, &mut wire);
                messages.push(wire);
                read.map_err(RequestError::Body)
            }
            Self::Once(builder) => match builder.take() {
                Some(builder) => {
                    let mut wire = Vec::new();
                    let read = builder.message(text, &mut wire);
                    messages.push(wire);
                    read
                }
                None => Err(RequestError::UnexpectedBody),
            },
            // A line break ends a value that has no end of its own, such as a number.
            Self::Stream(builder) => builder
                .push(text, |message| messages.push(message))
                .and_then(|()| builder.push(b"\n", |message| messages.push(message))),
        };
        read.map_err(|error| refusal::of(&error))?;
        Ok(messages)
    }

    /// Bytes of a message that has begun and is not whole.
    pub(super) fn begun(&self) -> usize {
        match self {
            Self::Stream(builder) => builder.begun(),
            Self::Whole(..) | Self::Once(_) => 0,
        }
    }

    /// Ends the requests; half a value is an error.
    pub(super) fn end(self) -> Result<(), Failure> {
        match self {
            Self::Stream(builder) => builder.finish(|_| ()).map_err(|error| refusal::of(&error).into()),
            Self::Whole(..) | Self::Once(_) => Ok(()),
        }
    }
}
