//! A contract that builds, to be broken in one place.

use std::{fs, path::Path};

use weft_codegen::{Contract, Error};

const HEAD: &str = r#"syntax = "proto3";
package shop.v1;
import "buf/validate/validate.proto";
import "google/api/annotations.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "weft/mesh/v1/options.proto";
"#;

const MESSAGES: &str = r"
// Asks.
message BuyRequest {
  // Which.
  string id = 1;
  // What.
  Item item = 2;
  // More.
  repeated string tags = 3;
}
// What is bought.
message Item {
  // Its name.
  string name = 1;
}
// Answers.
message BuyResponse {
  // What was bought.
  Item item = 1;
}
";

/// The files of a contract in a folder that goes away with it.
pub(crate) struct Given {
    folder: tempfile::TempDir,
    pub(crate) contract: Contract,
}

impl Given {
    /// The contract `shop/v1/shop.proto`.
    pub(crate) fn new(shop: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let contract = Contract::new("shop/v1/shop.proto").include(".").runtime("::weft_call");
        Self { folder, contract }.file("shop/v1/shop.proto", shop)
    }

    /// The package `shop.v1` with what follows the imports.
    pub(crate) fn package(text: &str) -> Self {
        Self::new(&format!("{HEAD}{text}"))
    }

    /// A service with a method that declares `options`.
    pub(crate) fn method(options: &str) -> Self {
        Self::service("", &format!("// Buys.\nrpc Buy(BuyRequest) returns (BuyResponse) {{ {options} }}"))
    }

    /// A service with a method that has a policy.
    pub(crate) fn policy(policy: &str) -> Self {
        Self::method(&format!("option (weft.mesh.v1.call) = {{ {policy} }};"))
    }

    /// A service that declares `policy` and has `methods`.
    pub(crate) fn service(policy: &str, methods: &str) -> Self {
        let options = format!("option (weft.mesh.v1.service) = {{ {policy} }};");
        Self::package(&format!("// Sells.\nservice Shop {{ {options}\n{methods}\n}}\n{MESSAGES}"))
    }

    /// A message with one field that has rules.
    pub(crate) fn field(field: &str) -> Self {
        Self::package(&format!("// A message.\nmessage Order {{\n// A field.\n{field}\n}}\n{MESSAGES}"))
    }

    /// With another file.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// With the crate of another package.
    pub(crate) fn uses(mut self, package: &str) -> Self {
        self.contract = self.contract.uses(package, "::other");
        self
    }

    fn generate(self) -> (Result<(), Error>, String) {
        let out = self.folder.path().join("out");
        let generated = self.contract.generate_in(self.folder.path(), &out).map(|_| ());
        (generated, fs::read_to_string(Path::new(&out).join("contract.rs")).unwrap_or_default())
    }

    /// The text of `contract.rs`.
    pub(crate) fn code(self) -> String {
        let (generated, code) = self.generate();
        generated.unwrap();
        code
    }

    /// Why the contract does not build.
    pub(crate) fn error(self) -> Error {
        let (generated, code) = self.generate();
        assert_eq!(code, "", "nothing is written for a contract that is refused");
        generated.unwrap_err()
    }
}

/// Holds each contract against the sentence, or sentences, that refuse it. All name the same file.
pub(crate) fn refused(cases: Vec<(Given, &str)>) {
    for (given, expected) in cases {
        let expected: Vec<_> = expected.lines().map(|line| format!("shop/v1/shop.proto: {}", line.trim())).collect();
        assert_eq!(given.error().to_string(), expected.join("\n"));
    }
}
