//! UpdateContainers: the one call that a plugin makes by itself.

use std::time::Duration;

use containerd_nri::api::ContainerUpdate;
use containerd_nri::{Adjustment, Context, Status};
use containerd_nri_testkit::{FakeRuntime, Outcome, RuntimeProfile};

use crate::plugins::{OnCreate, create, serve};
use crate::raw_plugin::listen;

fn update(id: &str) -> ContainerUpdate {
    ContainerUpdate {
        container_id: id.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn updates_outside_of_an_event_are_recorded_and_failures_come_back() {
    for profile in RuntimeProfile::all() {
        let (mut runtime, directory) = listen(FakeRuntime::builder(profile).failing_update("gone"));
        let (sender, mut failed) = tokio::sync::mpsc::unbounded_channel();
        let _service = serve(
            OnCreate(move |ctx: Context, _| {
                let (handle, sender) = (ctx.handle().clone(), sender.clone());
                tokio::spawn(async move {
                    let updates = vec![update("here"), update("gone")];
                    sender
                        .send(handle.update_containers(updates).await.unwrap())
                        .unwrap();
                });
                std::future::ready(Ok(Adjustment::new()))
            }),
            &directory,
        );
        let mut plugin = runtime.accept().await.unwrap();
        create(&mut plugin).await.into_answer().unwrap();
        let request = plugin.update_request().await.unwrap();
        assert_eq!(request.update, [update("here"), update("gone")]);
        assert_eq!(failed.recv().await.unwrap(), [update("gone")]);
    }
}

#[tokio::test]
async fn updates_awaited_inside_of_an_event_deadlock_before_nri_0_12_1() {
    for profile in RuntimeProfile::all() {
        let deadlocks = (profile.nri.minor, profile.nri.patch) < (12, 1);
        let builder = FakeRuntime::builder(profile).request_timeout(Duration::from_millis(300));
        let (mut runtime, directory) = listen(builder);
        let _service = serve(
            OnCreate(async |ctx: Context, _| {
                let updated = ctx.handle().update_containers(vec![update("here")]).await;
                updated
                    .map(|_| Adjustment::new())
                    .map_err(|error| Status::internal(error.to_string()))
            }),
            &directory,
        );
        let mut plugin = runtime.accept().await.unwrap();
        let created = create(&mut plugin).await;
        assert_eq!(matches!(created, Outcome::Refused(_)), deadlocks, "{created:?}");
        assert_eq!(matches!(created, Outcome::Answer(_)), !deadlocks);
    }
}
