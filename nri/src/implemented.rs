//! The events that a plugin implements: the methods of its type that are not the default ones.

use std::any::TypeId;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use crate::context::Context;
use crate::events::EventMask;
use crate::plugin::Plugin;
use crate::status::Status;

/// The future that the default methods of [`Plugin`] return: the answer that changes nothing.
///
/// Its type identifies a method that a plugin does not implement, without a call.
pub(crate) struct NotImplemented<T>(PhantomData<fn() -> T>);

impl<T> NotImplemented<T> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Default> Future for NotImplemented<T> {
    type Output = Result<T, Status>;

    fn poll(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(T::default()))
    }
}

/// Whether a method of a plugin is not the default one.
fn is_implemented<P, E, T, F>(_: impl FnOnce(&'static P, &'static Context, E) -> F) -> bool
where
    P: Plugin,
    T: Default + 'static,
    F: Future<Output = Result<T, Status>> + 'static,
{
    TypeId::of::<F>() != TypeId::of::<NotImplemented<T>>()
}

/// The events that a plugin implements.
pub(crate) fn implemented_by<P: Plugin>() -> EventMask {
    let methods = [
        (EventMask::RUN_POD_SANDBOX, is_implemented(P::run_pod_sandbox)),
        (EventMask::STOP_POD_SANDBOX, is_implemented(P::stop_pod_sandbox)),
        (
            EventMask::REMOVE_POD_SANDBOX,
            is_implemented(P::remove_pod_sandbox),
        ),
        (EventMask::CREATE_CONTAINER, is_implemented(P::create_container)),
        (
            EventMask::POST_CREATE_CONTAINER,
            is_implemented(P::post_create_container),
        ),
        (EventMask::START_CONTAINER, is_implemented(P::start_container)),
        (
            EventMask::POST_START_CONTAINER,
            is_implemented(P::post_start_container),
        ),
        (EventMask::UPDATE_CONTAINER, is_implemented(P::update_container)),
        (
            EventMask::POST_UPDATE_CONTAINER,
            is_implemented(P::post_update_container),
        ),
        (EventMask::STOP_CONTAINER, is_implemented(P::stop_container)),
        (EventMask::REMOVE_CONTAINER, is_implemented(P::remove_container)),
        (
            EventMask::UPDATE_POD_SANDBOX,
            is_implemented(P::update_pod_sandbox),
        ),
        (
            EventMask::POST_UPDATE_POD_SANDBOX,
            is_implemented(P::post_update_pod_sandbox),
        ),
        (
            EventMask::VALIDATE_CONTAINER_ADJUSTMENT,
            is_implemented(P::validate_container_adjustment),
        ),
    ];
    let implemented = methods.iter().filter(|(_, is_implemented)| *is_implemented);
    implemented.fold(EventMask::NONE, |events, (event, _)| events | *event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adjustment::Adjustment;
    use crate::event;

    struct Nothing;

    impl Plugin for Nothing {}

    struct Two;

    impl Plugin for Two {
        async fn create_container(
            &self,
            _: &Context,
            _: event::CreateContainer,
        ) -> Result<Adjustment, Status> {
            panic!("nobody calls this")
        }

        async fn run_pod_sandbox(&self, _: &Context, _: event::RunPodSandbox) -> Result<(), Status> {
            Ok(())
        }
    }

    #[test]
    fn the_events_of_a_plugin_are_the_methods_that_it_has() {
        assert_eq!(implemented_by::<Nothing>(), EventMask::NONE);
        let two = EventMask::CREATE_CONTAINER | EventMask::RUN_POD_SANDBOX;
        assert_eq!(implemented_by::<Two>(), two);
    }
}
