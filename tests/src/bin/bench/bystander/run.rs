//! The rounds one after the other.

use anyhow::Result;
use e2e::Delivery;

use super::round::Subject;
use super::{Arguments, report};
use crate::way::Way;

/// How many rounds there are before the durations count.
const WARM_UP: usize = 1;

/// Measures and prints. The containerds take turns, each time in another order, so that other work of the machine
/// affects them alike.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let mut subjects = [
        Subject::new(arguments, None).await?,
        Subject::new(arguments, Some(arguments.peer)).await?,
        Subject::new(arguments, Some(Way::Daemon(Delivery::Runner))).await?,
        Subject::new(arguments, Some(Way::Daemon(Delivery::Events))).await?,
    ];
    for round in 0..arguments.rounds + WARM_UP {
        let mut turns: Vec<&mut Subject> = subjects.iter_mut().collect();
        fastrand::shuffle(&mut turns);
        for subject in turns {
            subject.round(round.try_into()?, round < WARM_UP).await?;
        }
    }
    let measured = subjects.each_ref().map(|subject| &subject.measured);
    print!("{}", report::table(arguments, measured));
    for subject in subjects {
        subject.end();
    }
    Ok(())
}
