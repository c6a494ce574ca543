//! Kafka in KRaft mode: one node that is broker and controller.

use std::{fs, path::Path, process::Command};

use crate::{Plan, TestCarrierError, find, text};

/// Any that Kafka takes as the id of a cluster.
const CLUSTER: &str = "d2VmdC10ZXN0LWNsdXN0ZQ";

pub(crate) fn plan(folder: &Path, [port, controller, _]: [u16; 3]) -> Result<Plan, TestCarrierError> {
    let (program, settings) = (find("kafka", "kafka")?, folder.join("server.properties"));
    if !settings.exists() {
        fs::write(&settings, properties(folder, port, controller)).map_err(TestCarrierError::Folder)?;
        let mut format = Command::new(&program);
        format.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c"]).arg(&settings);
        let told = format.output().map_err(|source| TestCarrierError::Run { program: program.clone().into(), source })?;
        if !told.status.success() {
            return Err(TestCarrierError::NotReady(String::from_utf8_lossy(&told.stderr).into_owned()));
        }
    }
    let command = vec![program, "kafka.Kafka".to_owned(), text(&settings)];
    Ok(Plan { command, helper: Vec::new(), variables: Vec::new(), ready: "Kafka Server started" })
}

fn properties(folder: &Path, port: u16, controller: u16) -> String {
    let data = folder.join("data");
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         log.dirs={}\n\
         default.replication.factor=1\n\
         auto.create.topics.enable=false\n",
        data.display()
    )
}
