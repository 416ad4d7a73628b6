//! The periodic tasks of the daemon, whether containers are created or not.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::background::BackgroundTask;
use super::{Endpoint, Observer};
use crate::trust::access;

/// The interval of the tasks.
const INTERVAL: Duration = Duration::from_secs(1);

/// The maximum time of each check before the next task.
const LIMIT: Duration = Duration::from_millis(250);

/// The number of intervals between two checks for containers without hooks that are gone.
const MISSED_INTERVALS: usize = 10;

/// The number of intervals between two checks of the hook-specs that pods may select.
const SPECS_INTERVALS: usize = 30;

/// Reports file systems that do not answer and refused files of the pod. Removes containers without hooks
/// that are gone, and applies the configuration as soon as it can be read. Runs forever.
pub(crate) async fn run_periodic_tasks(observer: Arc<Observer>, endpoint: Arc<Endpoint>) {
    let [path_caches, retries, reports, missed, specs, daemons]: [BackgroundTask; 6] = Default::default();
    let mut was_loaded = observer.plugin().is_loaded();
    for interval in 1_usize.. {
        sleep(INTERVAL).await;
        observer.report_stuck();
        if interval.is_multiple_of(MISSED_INTERVALS) {
            let plugin = observer.plugin().clone();
            missed
                .is_done_within(LIMIT, move || plugin.refresh_missed())
                .await;
        }
        if interval.is_multiple_of(SPECS_INTERVALS) {
            let plugin = observer.plugin().clone();
            specs
                .is_done_within(LIMIT, move || plugin.check_selectable())
                .await;
            let checking = observer.clone();
            daemons
                .is_done_within(LIMIT, move || checking.check_other_daemons())
                .await;
        }
        if access::is_any_unanswered() || observer.has_unanswered() {
            let observer = observer.clone();
            path_caches
                .is_done_within(LIMIT, move || observer.update_unanswered(access::unanswered()))
                .await;
        }
        let checking = observer.clone();
        reports
            .is_done_within(LIMIT, move || checking.check_refused_files())
            .await;
        if !was_loaded {
            let plugin = observer.plugin().clone();
            retries.is_done_within(LIMIT, move || plugin.retry()).await;
            was_loaded = observer.plugin().is_loaded();
            if observer.plugin().has_configuration() {
                endpoint.refresh(&observer);
            }
        }
    }
}
