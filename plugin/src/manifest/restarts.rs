//! Pods that certainly restart their containers.

use std::collections::HashMap;

/// Whether the kubelet certainly creates the containers of a pod with these labels and annotations again when
/// they end.
///
/// NRI does not carry `restartPolicy`. The pods of a Deployment, a DaemonSet or a StatefulSet can have none
/// but `Always`, and carry a label of their controller. A pod from a file on the node is the kubelet's own.
pub(crate) fn always_restarts(
    labels: &HashMap<String, String>,
    annotations: &HashMap<String, String>,
) -> bool {
    let has = |label: &&str| labels.contains_key(*label);
    let is_of_file = || {
        let source = annotations.get("kubernetes.io/config.source");
        source.is_some_and(|source| source == "file" || source == "http")
    };
    let is_of_job = ["job-name", "batch.kubernetes.io/job-name"].iter().any(has);
    !is_of_job && (["pod-template-hash", "controller-revision-hash"].iter().any(has) || is_of_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pod_that_can_have_no_other_restart_policy_certainly_restarts() {
        let map = |pairs: &[(&str, &str)]| -> HashMap<String, String> {
            let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            pairs.iter().map(owned).collect()
        };
        let api: &[_] = &[("kubernetes.io/config.source", "api")];
        let file: &[_] = &[("kubernetes.io/config.source", "file")];
        type Pairs<'p> = &'p [(&'p str, &'p str)];
        let table: &[(&str, Pairs<'_>, Pairs<'_>, bool)] = &[
            ("of a Deployment", &[("pod-template-hash", "5d")], api, true),
            (
                "of a DaemonSet",
                &[
                    ("controller-revision-hash", "5d"),
                    ("pod-template-generation", "1"),
                ],
                api,
                true,
            ),
            (
                "of a StatefulSet",
                &[("controller-revision-hash", "web-5d")],
                api,
                true,
            ),
            ("static", &[], file, true),
            ("bare", &[("run", "web")], api, false),
            (
                "of a Job",
                &[("job-name", "x"), ("controller-uid", "1")],
                api,
                false,
            ),
            (
                "of a Job that copies labels",
                &[("batch.kubernetes.io/job-name", "x"), ("pod-template-hash", "1")],
                api,
                false,
            ),
            ("of nobody known", &[], &[], false),
        ];
        for (name, labels, annotations, expected) in table {
            assert_eq!(
                always_restarts(&map(labels), &map(annotations)),
                *expected,
                "{name}"
            );
        }
    }
}
