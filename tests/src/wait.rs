//! Waiting for an event, with a limit.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long anything a case waits for may take on a slow, busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// How often the event is looked for.
const INTERVAL: Duration = Duration::from_millis(5);

/// Awaits the moment at which `look` finds something, and returns it.
///
/// # Errors
/// `look` fails, or finds nothing within [`LIMIT`]; the message then says that `what` did not happen.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let begin = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if begin.elapsed() > LIMIT {
            bail!("waited {} s in vain for {what}", LIMIT.as_secs());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
