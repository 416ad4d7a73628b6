//! The same that hangs already when the daemon starts.

use anyhow::Result;
use e2e::{Containerd, Version};

use crate::cases::Case;
use crate::daemon::refuses_from_its_start;

macro_rules! refuses_at_the_start {
    ($($name:ident, $case:ident;)+) => {$(
        #[tokio::test]
        async fn $name() -> Result<()> {
            let containerd = Containerd::start(Version::V2_1).await?;
            let (daemon, hanging) = Case::$case.set_up(&containerd)?;
            refuses_from_its_start(&containerd, daemon, hanging, Case::$case).await
        }
    )+};
}

refuses_at_the_start! {
    a_default_spec_that_hangs_at_the_start_refuses, DefaultSpec;
    a_selected_spec_that_hangs_at_the_start_refuses, SelectedSpec;
    a_program_that_hangs_at_the_start_refuses, Program;
    a_hooks_d_directory_that_hangs_at_the_start_refuses, HooksD;
    a_configuration_that_hangs_at_the_start_refuses, Configuration;
    a_ledger_that_hangs_at_the_start_refuses, Ledger;
}
