//! Methods and their HTTP rules, as declared.

use super::MessageId;

/// A gRPC method.
#[derive(Debug, Clone)]
pub struct Method {
    /// Full name of the service, such as `weft.orders.v1.Orders`.
    pub service: String,
    /// Name within the service, such as `CreateOrder`.
    pub name: String,
    /// Request type.
    pub input: MessageId,
    /// Response type.
    pub output: MessageId,
    /// The client sends many messages.
    pub client_streaming: bool,
    /// The server sends many messages.
    pub server_streaming: bool,
    /// The encoded `google.protobuf.MethodOptions`, for options that only the caller knows.
    pub options: Vec<u8>,
    /// The `google.api.http` rule and its additional bindings.
    pub rules: Vec<HttpRule>,
}

impl Method {
    /// The gRPC path, such as `/weft.orders.v1.Orders/CreateOrder`.
    pub fn grpc_path(&self) -> String {
        format!("/{}/{}", self.service, self.name)
    }

    /// The full name, such as `weft.orders.v1.Orders.CreateOrder`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.service, self.name)
    }
}

/// One binding of `google.api.HttpRule`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRule {
    /// HTTP method; `*` is every method.
    pub method: String,
    /// Path template.
    pub path: String,
    /// The request field that the body holds, `*` for the whole request, empty for none.
    pub body: String,
    /// The response field that is the body, empty for the whole response.
    pub response_body: String,
}
