//! The mark of a container that has been given its hooks: other daemons do not change it, whatever the
//! delivery, index or name of either.

use containerd_nri::Adjustment;
use containerd_nri::api::Container;

use super::inject;

/// The annotation that a container gets with its hooks. Its value is the container's id, which authors of
/// pods and images cannot know. So neither can keep the hooks away from a container.
const MARK: &str = "nri-oci-hooks.noderesource.dev/given-to";

/// An upper limit for the size of the mark in a message, in bytes.
pub(super) const MARK_SIZE: usize = 256;

/// Marks `container`, which gets its hooks by `adjustment` or is registered for them.
pub(super) fn mark(adjustment: Adjustment, container: &Container) -> Adjustment {
    adjustment.annotation(MARK, &container.id)
}

/// Whether another daemon has given `container` its hooks. Earlier releases left no mark, but with delivery
/// `runner` a runner.
pub(super) fn is_marked(container: &Container) -> bool {
    carries_mark(container) || inject::carries_runner(&container.hooks)
}

/// Whether `container` may get its hooks by events alone, so that it must not start without the ledger.
pub(super) fn may_need_events(container: &Container) -> bool {
    carries_mark(container) && !inject::carries_runner(&container.hooks)
}

fn carries_mark(container: &Container) -> bool {
    let marked_as = container.annotations.get(MARK);
    marked_as.is_some_and(|id| *id == container.id && !id.is_empty())
}

#[cfg(test)]
mod tests {
    use containerd_nri::api::{Hook, Hooks, MessageField};

    use super::*;

    fn container(annotations: &[(&str, &str)]) -> Container {
        let annotations = annotations.iter();
        Container {
            id: "c1".into(),
            annotations: annotations
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            ..Container::default()
        }
    }

    #[test]
    fn a_container_is_marked_by_its_own_id_and_nothing_else() {
        assert!(!is_marked(&container(&[])));
        for forged in ["", "true", "c2"] {
            assert!(!is_marked(&container(&[(MARK, forged)])), "{forged}");
        }
        let adjustment = mark(Adjustment::new(), &container(&[]));
        assert_eq!(adjustment.raw().annotations[MARK], "c1");
        assert!(is_marked(&container(&[(MARK, "c1")])));
    }

    #[test]
    fn a_marked_container_without_a_runner_needs_events_to_start() {
        let runner = Hook {
            args: ["nri-oci-hooks", "stage", "prestart"].map(Into::into).into(),
            ..Hook::default()
        };
        let injected = Hooks {
            prestart: vec![runner],
            ..Hooks::default()
        };
        let mut marked = container(&[(MARK, "c1")]);
        assert!(may_need_events(&marked));
        assert!(!may_need_events(&container(&[])));
        marked.hooks = MessageField::some(injected);
        assert!(!may_need_events(&marked));
    }
}
