//! The commands for people.

use std::process::Command;
use std::sync::mpsc;
use std::thread;

use anyhow::{Result, ensure};
use e2e::{wait, workspace};

use crate::daemon::Case;

/// They end while it hangs, and so does the reader of their output.
#[tokio::test]
async fn status_and_doctor_name_a_configuration_that_hangs_and_end() -> Result<()> {
    let hanging = Case::Configuration.mount()?;
    hanging.hang()?;
    let ask = |what: &str| {
        let mut command = Command::new(workspace::nri_oci_hooks()?);
        command.args([what, "--config", &hanging.file("config.toml")]);
        let (read, write) = std::io::pipe()?;
        let mut process = command.stdout(write.try_clone()?).stderr(write).spawn()?;
        drop(command);
        let (sender, ended) = mpsc::channel();
        thread::spawn(move || sender.send((std::io::read_to_string(read), process.wait())));
        anyhow::Ok(ended)
    };
    let asked = ["status", "doctor"].map(ask);
    let outcomes = asked.map(|ended| Ok::<_, anyhow::Error>(ended?.recv_timeout(wait::LIMIT)?));
    hanging.answer()?;
    for outcome in outcomes {
        let (printed, status) = outcome?;
        let printed = printed?;
        let is_named = printed.contains(&*hanging.path().to_string_lossy());
        ensure!(is_named && printed.contains("has not answered for "), "{printed}");
        ensure!(status?.code() == Some(1), "{printed}");
    }
    Ok(())
}
