//! Reads contracts and all that they refer to.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use prost_reflect::{DescriptorPool, FileDescriptor};
use protox::{
    Compiler,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver},
};

use crate::{
    Error,
    options::{self, ServicePolicy},
};

macro_rules! embedded {
    ($($name:literal),+ $(,)?) => { &[$(($name, include_str!(concat!("../../../proto/", $name)))),+] };
}

/// The files that any contract may import without having them.
const EMBEDDED: &[(&str, &str)] = embedded![
    "buf/validate/validate.proto",
    "google/api/annotations.proto",
    "google/api/field_behavior.proto",
    "google/api/http.proto",
    "google/api/httpbody.proto",
    "weft/mesh/v1/options.proto",
];

struct Embedded;

impl FileResolver for Embedded {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match EMBEDDED.iter().find(|(embedded, _)| *embedded == name) {
            Some((_, source)) => File::from_source(name, source),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// What was read.
pub(crate) struct Compiled {
    /// The contract's files, what they import, and the packages that its services call.
    pub(crate) pool: DescriptorPool,
    /// The contract's own files.
    pub(crate) own: Vec<FileDescriptor>,
    /// The contract's files and what they import, encoded with options and comments.
    pub(crate) descriptor_set: Vec<u8>,
    /// The same without options that prost does not know.
    pub(crate) files: Vec<prost_types::FileDescriptorProto>,
    /// What the answer depends on.
    pub(crate) read: BTreeSet<PathBuf>,
}

/// Compiles `names`, looking for files in `includes`, first match first.
pub(crate) fn compile(names: &[String], includes: &[PathBuf]) -> Result<Compiled, Error> {
    let mut compiler = compiler(includes);
    compiler.open_files(names)?;
    let descriptor_set = compiler.encode_file_descriptor_set();
    let files = compiler.file_descriptor_set().file;
    // From here on the compiler holds more than the contract: the packages that it calls.
    let mut read = open_called(&mut compiler, includes)?;
    read.extend(compiler.files().filter_map(|file| file.path().map(Path::to_owned)));
    let pool = compiler.descriptor_pool();
    let own = names.iter().filter_map(|name| pool.get_file_by_name(name)).collect();
    Ok(Compiled { pool, own, descriptor_set, files, read })
}

fn compiler(includes: &[PathBuf]) -> Compiler {
    let mut resolver = ChainFileResolver::new();
    for include in includes {
        resolver.add(IncludeFileResolver::new(include.clone()));
    }
    resolver.add(Embedded);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    compiler
}

/// Opens the packages of all services that are called, and that those call in turn. A package's
/// files stand in the folder of its name, as buf's PACKAGE_DIRECTORY_MATCH has it. One that is not
/// found is left out: what asks for it is refused by name later.
fn open_called(compiler: &mut Compiler, includes: &[PathBuf]) -> Result<BTreeSet<PathBuf>, Error> {
    let mut opened = BTreeSet::new();
    let mut folders = BTreeSet::new();
    loop {
        let missing = called_packages(&compiler.descriptor_pool())?;
        let Some(package) = missing.into_iter().find(|package| !opened.contains(package)) else { return Ok(folders) };
        for (include, folder) in includes.iter().map(|include| (include, include.join(package.replace('.', "/")))) {
            if folder.is_dir() {
                compiler.open_files(files_of(include, &folder)?)?;
                folders.insert(folder);
                break;
            }
        }
        opened.insert(package);
    }
}

/// The packages of the services that are called and not yet open.
fn called_packages(pool: &DescriptorPool) -> Result<BTreeSet<String>, Error> {
    let mut packages = BTreeSet::new();
    for service in pool.services() {
        let policy: Option<ServicePolicy> = options::message(pool, &service.options(), "weft.mesh.v1.service")?;
        let calls = policy.into_iter().flat_map(|policy| policy.calls);
        let missing = calls.filter(|name| pool.get_service_by_name(name).is_none());
        packages.extend(missing.filter_map(|name| name.rsplit_once('.').map(|(package, _)| package.to_owned())));
    }
    Ok(packages)
}

fn files_of(include: &Path, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::File { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in folder.read_dir().map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path.strip_prefix(include).map_or_else(|_| path.clone(), Path::to_owned));
        }
    }
    files.sort();
    Ok(files)
}
