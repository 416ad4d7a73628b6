//! The places of the hooks and their parts in the text of a hook-spec.

use std::collections::BTreeMap;

use super::json::{self, Node};
use crate::diagnostic::{Lines, Place};
use crate::model::Stage;

/// The places of one hook and its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HookPlaces {
    /// The whole hook.
    pub(crate) hook: Place,
    /// The value of `path`.
    pub(crate) path: Option<Place>,
    /// The first item of `args`.
    pub(crate) arg0: Option<Place>,
    /// The value of `env`.
    pub(crate) env: Option<Place>,
    /// The value of `timeout`.
    pub(crate) timeout: Option<Place>,
    /// The value of `onFailure`.
    pub(crate) on_failure: Option<Place>,
}

/// The places of the hooks of each stage, in listed order, in a text without errors (see
/// [`parse`](super::parse())). In any other text, the places that can be found.
pub(crate) fn places(text: &[u8]) -> BTreeMap<Stage, Vec<HookPlaces>> {
    let mut places = BTreeMap::new();
    let Ok(Ok(root)) = str::from_utf8(text).map(json::parse) else {
        return places;
    };
    let lines = Lines::new(text);
    let place = |node: Node<'_>| lines.place(node.offset_in(text), node.text().len());
    // A part that cannot be parsed has no places. A text without errors has no such part.
    let _ = root.members(|key, list| {
        let stage = key.string().ok().and_then(|key| Stage::from_key(&key));
        let Some(stage) = stage else { return };
        let hooks: &mut Vec<HookPlaces> = places.entry(stage).or_default();
        let _ = list.items(|hook| hooks.push(hook_places(hook, place)));
    });
    places
}

fn hook_places<'t>(hook: Node<'t>, place: impl Fn(Node<'t>) -> Place) -> HookPlaces {
    let mut places = HookPlaces {
        hook: place(hook),
        path: None,
        arg0: None,
        env: None,
        timeout: None,
        on_failure: None,
    };
    let _ = hook.members(|key, value| match key.string().as_deref() {
        Ok("path") => places.path = Some(place(value)),
        Ok("env") => places.env = Some(place(value)),
        Ok("timeout") => places.timeout = Some(place(value)),
        Ok("onFailure") => places.on_failure = Some(place(value)),
        Ok("args") => {
            let _ = value.items(|item| {
                places.arg0.get_or_insert_with(|| place(item));
            });
        }
        _ => {}
    });
    places
}
