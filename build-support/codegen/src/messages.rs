//! Messages and enums, by prost.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use prost_build::{Config, Module};
use prost_reflect::MessageDescriptor;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use crate::{Error, generator::Generator};

/// Where prost is told that a type stands which this contract does not use.
const UNUSED: &str = "::not_generated";

impl Generator<'_> {
    /// The structs and enums of the contract's files.
    pub(crate) fn messages(&self, files: Vec<FileDescriptorProto>) -> Result<TokenStream, Error> {
        let mut config = Config::new();
        let runtime = self.runtime.to_string().replace(' ', "");
        config.prost_path(format!("{runtime}::generated::prost"));
        config.prost_types_path(format!("{runtime}::generated::prost_types"));
        config.btree_map(["."]).bytes(["."]);
        self.hide_debug(&mut config);
        let own: BTreeSet<_> = self.package.files.iter().map(|file| file.name().to_owned()).collect();
        for (path, rust) in self.foreign_types(&files, &own) {
            config.extern_path(path, rust);
        }
        let module = Module::from_protobuf_package_name(&self.package.name);
        let of = |file: &FileDescriptorProto| {
            if own.contains(file.name()) { module.clone() } else { Module::from_parts(["not_generated"]) }
        };
        let requests = files.into_iter().map(|file| (of(&file), file)).collect();
        let mut generated = config.generate(requests).map_err(Error::Messages)?;
        Ok(syn::parse_str(&generated.remove(&module).unwrap_or_default())?)
    }

    /// What prost must not generate, and where it stands instead.
    fn foreign_types(&self, files: &[FileDescriptorProto], own: &BTreeSet<String>) -> BTreeSet<(String, String)> {
        let mut paths = BTreeSet::new();
        for file in files {
            let package = file.package();
            let types = file.message_type.iter().map(DescriptorProto::name);
            let types = types.chain(file.enum_type.iter().map(EnumDescriptorProto::name));
            if package == self.package.name && !own.contains(file.name()) {
                paths.extend(types.map(|name| (format!(".{package}.{name}"), format!("{UNUSED}::{name}"))));
            } else if package != self.package.name && package != "google.protobuf" {
                let used = self.uses.get(package).map_or(UNUSED.to_owned(), |path| path.to_string().replace(' ', ""));
                paths.insert((format!(".{package}"), used));
            }
        }
        // Reasons are generated as enums of their own, with codes and without a zero.
        for reasons in &self.package.reasons {
            paths.insert((format!(".{}", reasons.full_name()), format!("{UNUSED}::Reason")));
        }
        paths
    }

    /// Keeps prost from printing what is sensitive. A path that prost is given also stands for all
    /// that is nested in it: enums get their `Debug` back here, messages in [`Self::redacted_debug`].
    fn hide_debug(&self, config: &mut Config) {
        config.skip_debug(self.sensitive_messages().map(|message| format!(".{}", message.full_name())));
        for found in &self.package.enums {
            if found.parent_message().is_some_and(|parent| self.is_redacted(&parent)) {
                config.type_attribute(format!(".{}", found.full_name()), "#[derive(Debug)]");
            }
        }
    }

    /// The messages with fields that must not be printed.
    fn sensitive_messages(&self) -> impl Iterator<Item = &MessageDescriptor> {
        self.package.messages.iter().filter(|message| message.fields().any(|field| self.is_sensitive(&field)))
    }

    /// True if prost does not generate the message's `Debug`.
    pub(crate) fn is_redacted(&self, message: &MessageDescriptor) -> bool {
        message.fields().any(|field| self.is_sensitive(&field))
            || message.parent_message().is_some_and(|parent| self.is_redacted(&parent))
    }
}
