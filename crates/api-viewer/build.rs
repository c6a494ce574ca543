//! Takes the few files of Swagger UI that a page needs out of the package that carries it, and packs each by itself, so
//! that the binary holds no more than that and serves it as it is.

use std::{
    env, fs,
    io::{self, Cursor, Read as _, Write as _},
    path::PathBuf,
};

use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;

/// The files in the package, behind the folder of its version, and what they are called here.
const FILES: [(&str, &str); 4] = [
    ("dist/swagger-ui-bundle.js", "viewer.js.gz"),
    ("dist/swagger-ui.css", "viewer.css.gz"),
    ("LICENSE", "LICENSE.gz"),
    ("NOTICE", "NOTICE.gz"),
];

#[derive(Debug, thiserror::Error)]
enum BuildError {
    #[error("the package of the viewer cannot be read: {0}")]
    Package(#[from] zip::result::ZipError),
    #[error("the package of the viewer has no {0}")]
    Missing(&'static str),
    #[error("OUT_DIR is not set: cargo runs this")]
    NoFolder,
    #[error("{0}")]
    File(#[from] io::Error),
}

fn main() -> Result<(), BuildError> {
    let folder = PathBuf::from(env::var_os("OUT_DIR").ok_or(BuildError::NoFolder)?);
    let mut package = zip::ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    for (from, to) in FILES {
        let is_it = |name: &str| name.split_once('/').is_some_and(|(_, rest)| rest == from);
        let names = package.file_names().collect::<Result<Vec<_>, _>>()?;
        let name = names.iter().find(|name| is_it(name)).map(ToString::to_string).ok_or(BuildError::Missing(from))?;
        let mut content = Vec::new();
        package.by_name(&name)?.read_to_end(&mut content)?;
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(&without_map(&content))?;
        fs::write(folder.join(to), packed.finish()?)?;
    }
    Ok(())
}

/// Without the line that names the map of the source, which is not served.
fn without_map(content: &[u8]) -> Vec<u8> {
    let lines = content.split_inclusive(|byte| *byte == b'\n');
    let is_map = |line: &&[u8]| line.starts_with(b"//# sourceMappingURL=") || line.starts_with(b"/*# sourceMappingURL=");
    lines.filter(|line| !is_map(line)).flatten().copied().collect()
}
