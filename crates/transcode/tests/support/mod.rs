//! Schemas for tests, compiled from `tests/proto`.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part, and fails by panicking")]

use std::path::Path;

use weft_transcode::{Error, MessageId, PrintOptions, ReadOptions, Schema, json_to_wire, wire_to_json};

/// The descriptor set of files of `tests/proto`, with what they import.
pub(crate) fn descriptor_set(files: &[&str]) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut compiler = protox::Compiler::new([root.join("tests/proto"), root.join("../../proto")]).unwrap();
    compiler.include_imports(true).open_files(files).unwrap();
    compiler.encode_file_descriptor_set()
}

/// A schema and one of its messages.
pub(crate) struct Subject {
    /// The schema.
    pub(crate) schema: Schema,
    /// The message.
    pub(crate) message: MessageId,
}

/// `transcode.test.All`.
pub(crate) fn all() -> Subject {
    subject("types.proto", "transcode.test.All")
}

/// `transcode.legacy.Legacy`.
pub(crate) fn legacy() -> Subject {
    subject("legacy.proto", "transcode.legacy.Legacy")
}

fn subject(file: &str, message: &str) -> Subject {
    let schema = Schema::from_descriptor_set(&descriptor_set(&[file])).unwrap();
    let message = schema.message(message).unwrap();
    Subject { schema, message }
}

impl Subject {
    /// Reads JSON.
    pub(crate) fn read_with(&self, json: impl AsRef<[u8]>, options: &ReadOptions) -> Result<Vec<u8>, Error> {
        let mut wire = b"before".to_vec();
        let result = json_to_wire(&self.schema, self.message, json.as_ref(), options, &mut wire);
        assert!(wire.starts_with(b"before"), "what the buffer held is kept");
        if result.is_err() {
            assert_eq!(wire, b"before", "a failure leaves the buffer as it was");
        }
        result.map(|()| wire[6..].to_vec())
    }

    /// Reads JSON with the usual options.
    pub(crate) fn read(&self, json: impl AsRef<[u8]>) -> Result<Vec<u8>, Error> {
        self.read_with(json, &ReadOptions::default())
    }

    /// Prints JSON.
    pub(crate) fn print_with(&self, wire: &[u8], options: &PrintOptions) -> Result<String, Error> {
        let mut json = b"before".to_vec();
        let result = wire_to_json(&self.schema, self.message, wire, options, &mut json);
        assert!(json.starts_with(b"before"), "what the buffer held is kept");
        if result.is_err() {
            assert_eq!(json, b"before", "a failure leaves the buffer as it was");
        }
        result.map(|()| String::from_utf8(json[6..].to_vec()).unwrap())
    }

    /// Prints JSON with the usual options.
    pub(crate) fn print(&self, wire: &[u8]) -> Result<String, Error> {
        self.print_with(wire, &PrintOptions::default())
    }

    /// Reads JSON and prints it again.
    pub(crate) fn through(&self, json: &str) -> Result<String, Error> {
        self.print(&self.read(json)?)
    }
}
