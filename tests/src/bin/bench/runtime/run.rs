//! The measurements one after the other.

use anyhow::Result;
use e2e::Delivery;

use super::lives::{Setup, Subject};
use super::{Arguments, memory, report};
use crate::way::Way;

/// How many containers live before the times count.
const WARM_UP: usize = 5;

/// Measures and prints. The containerds take turns, so that whatever else the machine does hits them alike, each time
/// in another order, so that what each leaves behind to be done hits the others alike too.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let runtime = arguments.runtime;
    let mut subjects = [
        Subject::new(runtime, Setup::NoDaemon).await?,
        Subject::new(runtime, Setup::NoHooks).await?,
        Subject::new(runtime, Setup::Hooks(arguments.peer)).await?,
        Subject::new(runtime, Setup::Hooks(Way::Daemon(Delivery::Runner))).await?,
    ];
    for attempt in 0..arguments.starts + WARM_UP {
        let mut turns: Vec<&mut Subject> = subjects.iter_mut().collect();
        fastrand::shuffle(&mut turns);
        for subject in turns {
            subject.live(attempt.try_into()?, attempt < WARM_UP).await?;
        }
    }
    let peak = memory::peak(runtime).await?;
    let measured = subjects.each_ref().map(|subject| &subject.measured);
    print!("{}", report::table(arguments, measured, peak));
    for subject in subjects {
        subject.end();
    }
    Ok(())
}
