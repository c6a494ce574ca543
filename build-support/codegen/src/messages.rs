//! Messages and enums, by prost.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use prost_build::{Config, Module};
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use crate::{Error, comments::documentation, generator::Generator};

/// Where prost is told that a type stands which this contract does not use.
const UNUSED: &str = "::not_generated";

impl Generator<'_> {
    /// The structs and enums of the contract's files.
    pub(crate) fn messages(&self, mut files: Vec<FileDescriptorProto>) -> Result<TokenStream, Error> {
        let mut config = Config::new();
        let runtime = self.runtime.to_string().replace(' ', "");
        config.prost_path(format!("{runtime}::generated::prost"));
        config.prost_types_path(format!("{runtime}::generated::prost_types"));
        config.btree_map(["."]).bytes(["."]);
        self.leave_debug_out(&mut config);
        let own: BTreeSet<_> = self.package.files.iter().map(|file| file.name().to_owned()).collect();
        for (path, rust) in self.foreign_types(&files, &own) {
            config.extern_path(path, rust);
        }
        let module = Module::from_protobuf_package_name(&self.package.name);
        let of = |file: &FileDescriptorProto| {
            if own.contains(file.name()) { module.clone() } else { Module::from_parts(["not_generated"]) }
        };
        files.iter_mut().for_each(pack);
        files.iter_mut().for_each(document);
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

    /// Messages print themselves by [`Self::debug`]: prost would print what is sensitive, and for a map
    /// it names its own crate whatever path it is given (prost-derive 0.14.4). A path that prost is
    /// given also stands for all that is nested in it, so enums get their `Debug` back one by one.
    fn leave_debug_out(&self, config: &mut Config) {
        config.skip_debug(["."]);
        for found in &self.package.enums {
            config.type_attribute(format!(".{}", found.full_name()), "#[derive(Debug)]");
        }
    }
}

/// Lists of numbers are packed, as proto3 has it; prost takes any option for a reason not to.
fn pack(file: &mut FileDescriptorProto) {
    let mut open: Vec<_> = file.message_type.iter_mut().collect();
    while let Some(message) = open.pop() {
        let options = message.field.iter_mut().filter_map(|field| field.options.as_mut());
        options.for_each(|options| options.packed = options.packed.or(Some(true)));
        open.extend(&mut message.nested_type);
    }
}

/// Comments become documentation, and what documentation shows must not be taken for Rust.
fn document(file: &mut FileDescriptorProto) {
    let locations = file.source_code_info.iter_mut().flat_map(|info| &mut info.location);
    for comment in locations.flat_map(|location| [&mut location.leading_comments, &mut location.trailing_comments]) {
        *comment = comment.as_deref().map(documentation);
    }
}
