//! Synchronize as the runtime sends it: in one message, or in proportional pieces if that is too long.

use std::time::{Duration, Instant};

use containerd_nri::api::{Container, ContainerUpdate, PodSandbox, SynchronizeRequest, SynchronizeResponse};
use protobuf::Message as _;
use ttrpc::proto::MESSAGE_LENGTH_MAX;

use crate::caller::{CallError, Caller};
use crate::error::{AcceptError, Unfinished};
use crate::outcome::NoAnswer;
use crate::profile::RuntimeProfile;

/// Fewest objects in a piece; if that many do not fit, Synchronize fails.
const FEWEST: usize = 8;

/// Sends all pods and containers, and returns the updates that the plugin requests.
pub(crate) async fn synchronize(
    caller: &mut Caller,
    profile: &RuntimeProfile,
    mut pods: &[PodSandbox],
    mut containers: &[Container],
) -> Result<Vec<ContainerUpdate>, AcceptError> {
    let started = Instant::now();
    let (mut pods_each, mut containers_each) = (pods.len(), containers.len());
    loop {
        let (pods_now, pods_later) = pods.split_at(pods_each.min(pods.len()));
        let (containers_now, containers_later) = containers.split_at(containers_each.min(containers.len()));
        let more = !pods_later.is_empty() || !containers_later.is_empty();
        let request = SynchronizeRequest {
            pods: pods_now.to_vec(),
            containers: containers_now.to_vec(),
            more,
            ..Default::default()
        };
        let left = profile.request_timeout.saturating_sub(started.elapsed());
        match send(caller, profile, &request, left).await {
            Ok(answer) if !more => return Ok(answer.update),
            Ok(answer) if !answer.more || !answer.update.is_empty() => {
                return Err(AcceptError::NoSplitSynchronize);
            }
            Ok(_) => (pods, containers) = (pods_later, containers_later),
            Err(CallError::Oversized(length)) => {
                let objects = pods_now.len() + containers_now.len();
                if objects <= FEWEST {
                    return Err(AcceptError::SynchronizeTooLong { length });
                }
                (pods_each, containers_each) = smaller(pods_now.len(), containers_now.len(), length);
            }
            Err(CallError::Refused(status)) => {
                return Err(AcceptError::Synchronize(Unfinished::Refused(status)));
            }
            Err(CallError::NoAnswer(NoAnswer::Timeout(_))) => {
                let timeout = NoAnswer::Timeout(profile.request_timeout);
                return Err(AcceptError::Synchronize(Unfinished::NoAnswer(timeout)));
            }
            Err(CallError::NoAnswer(reason)) => {
                return Err(AcceptError::Synchronize(Unfinished::NoAnswer(reason)));
            }
        }
    }
}

async fn send(
    caller: &mut Caller,
    profile: &RuntimeProfile,
    request: &SynchronizeRequest,
    left: Duration,
) -> Result<SynchronizeResponse, CallError> {
    caller
        .call(
            "Synchronize",
            request.write_to_bytes().unwrap_or_default(),
            left,
            !profile.closes_on_failed_synchronize(),
        )
        .await
}

/// The numbers of pods and containers in the next attempt, after the given numbers made a message of `length`
/// bytes.
///
/// The number of pods may be zero, if there are few of them: real runtimes then send pieces without pods
/// until the time is up.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
fn smaller(pods: usize, containers: usize, length: usize) -> (usize, usize) {
    let factor = (MESSAGE_LENGTH_MAX as f64 / length as f64).min(0.9);
    let scale = |count: usize| (count as f64 * factor) as usize;
    match (scale(pods), scale(containers)) {
        (pods, containers) if pods + containers < FEWEST => (FEWEST / 2, FEWEST / 2),
        scaled => scaled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_shrink_in_proportion_to_the_message_and_by_a_tenth_at_least() {
        assert_eq!(smaller(100, 300, 2 * MESSAGE_LENGTH_MAX), (50, 150));
        assert_eq!(smaller(100, 300, MESSAGE_LENGTH_MAX + 1), (90, 270));
    }

    #[test]
    fn a_piece_has_no_fewer_than_8_objects() {
        assert_eq!(smaller(5, 5, 100 * MESSAGE_LENGTH_MAX), (4, 4));
    }
}
