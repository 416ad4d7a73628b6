//! What the daemon looks after now and then, whether containers come or not.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::aside::Aside;
use super::{Endpoint, Observer};
use crate::trust::access;

/// How often.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long each look may take before the next thing is looked after.
const LIMIT: Duration = Duration::from_millis(250);

/// How many intervals lie between two looks for containers without hooks that are gone.
const TENDING_MISSED: usize = 10;

/// How many lie between two looks at the hook-specs that pods may select.
const TENDING_SPECS: usize = 30;

/// Reports file systems that do not answer and files of the pod that are refused, forgets containers without hooks that
/// are gone, and goes by the configuration as soon as it can be read; for ever.
pub async fn tend(observer: Arc<Observer>, endpoint: Arc<Endpoint>) {
    let (path_caches, retries, reports) = (Aside::default(), Aside::default(), Aside::default());
    let (missed, specs, daemons) = (Aside::default(), Aside::default(), Aside::default());
    let mut was_loaded = observer.plugin().is_loaded();
    for interval in 1_usize.. {
        sleep(INTERVAL).await;
        observer.report_stuck();
        if interval.is_multiple_of(TENDING_MISSED) {
            let plugin = observer.plugin().clone();
            missed.is_done_within(LIMIT, move || plugin.tend_missed()).await;
        }
        if interval.is_multiple_of(TENDING_SPECS) {
            let plugin = observer.plugin().clone();
            specs
                .is_done_within(LIMIT, move || plugin.look_at_selectable())
                .await;
            let looking = observer.clone();
            daemons
                .is_done_within(LIMIT, move || looking.look_for_other_daemons())
                .await;
        }
        if access::is_any_unanswered() || observer.has_unanswered() {
            let observer = observer.clone();
            path_caches
                .is_done_within(LIMIT, move || observer.take_unanswered(access::unanswered()))
                .await;
        }
        let asking = observer.clone();
        reports
            .is_done_within(LIMIT, move || asking.look_for_refused_files())
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
