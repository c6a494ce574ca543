//! The sections, one file each: its typed form and its rows of the settings table.

pub(crate) mod admin;
pub(crate) mod auth;
pub(crate) mod blobs;
pub(crate) mod consul;
pub(crate) mod database;
pub(crate) mod dns;
pub(crate) mod domains;
pub(crate) mod edge;
pub(crate) mod events;
pub(crate) mod jobs;
pub(crate) mod limits;
pub(crate) mod log;
pub(crate) mod mesh;
pub(crate) mod otel;
pub(crate) mod redis;
pub(crate) mod seal;
pub(crate) mod tuning;

use crate::Setting;

const PROCESS: &[Setting] =
    &[Setting::text("data_dir", "a folder", "Where the process keeps its files: databases and the development certificates.")
        .default(".weft")];

/// Every setting, section by section.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    [
        PROCESS,
        database::SETTINGS,
        redis::SETTINGS,
        blobs::SETTINGS,
        events::SETTINGS,
        jobs::SETTINGS,
        seal::SETTINGS,
        consul::SETTINGS,
        dns::SETTINGS,
        edge::SETTINGS,
        admin::SETTINGS,
        mesh::SETTINGS,
        limits::SETTINGS,
        tuning::SETTINGS,
        auth::SETTINGS,
        log::SETTINGS,
        otel::SETTINGS,
        domains::SETTINGS,
    ]
    .into_iter()
    .flatten()
}
