//! The tables of the measurements on a real containerd.

use std::fmt::Write as _;
use std::time::Duration;

use super::Arguments;
use super::lives::{ALL_STAGES, LIVES_OF_SAMPLE, Measured, SPECS};
use crate::statistics::{difference, median, ratio};

/// The durations of one call, of what was measured for a pod.
type Call = fn(&Measured) -> &[Duration];

/// What was measured for the pod of each of [`SPECS`].
type Pods = [Measured; SPECS.len()];

/// The whole report; `measured` are without the daemon, without hooks, by the peer and by runner.
pub(crate) fn table(arguments: &Arguments, measured: [&Pods; 4], peak: u64) -> String {
    let starts = arguments.starts;
    let peer = arguments.peer.word();
    let [_, _, injected, runner] = measured;
    let mut text = format!(
        "median of {starts} containers for each stage and delivery, one hook that reads its state, ms; 90% interval \
         of the\ndifference by bootstrap\n\n"
    );
    differences(&mut text, peer, measured);
    text.push_str("\nratio of the medians; 90% interval by bootstrap\n\n");
    ratios(&mut text, peer, measured);
    let [injected, runner] =
        [injected, runner].map(|pods| median(&pods[ALL_STAGES].processor_times) / LIVES_OF_SAMPLE as f64);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "\nCPU of the node for a life with 1+1+1 hooks, ms: {peer} {injected:.1}, runner {runner:.1}"
    );
    let _ = writeln!(
        text,
        "peak RSS of a runner with a hook-spec of 3 hooks: {:.2} MB",
        peak as f64 * 1024.0 / 1e6
    );
    text
}

/// What one hook at one stage costs in the call that waits for it.
fn differences(text: &mut String, peer: &str, [_, none, injected, runner]: [&Pods; 4]) {
    let _ = writeln!(
        text,
        "{:<30}{:>10}{:>10}{:>10}{:>18}{:>18}",
        "",
        "no hook",
        peer,
        "runner",
        format!("runner - {peer}"),
        "90% interval"
    );
    for (index, stage) in SPECS.iter().enumerate().take(ALL_STAGES) {
        let (call, durations): (_, Call) = match *stage {
            "poststop" => ("StopContainer", |measured| &measured.stops),
            _ => ("StartContainer", |measured| &measured.starts),
        };
        let [none, injected, runner] = [none, injected, runner].map(|pods| durations(&pods[index]));
        let difference = difference(runner, injected);
        let title = format!("{call} with {stage}");
        let [none, injected, runner] = [none, injected, runner].map(median);
        let _ = writeln!(
            text,
            "{title:<30}{none:>10.2}{injected:>10.2}{runner:>10.2}{:>+18.2}{:>18}",
            difference.value,
            format!("{:+.2} to {:+.2}", difference.least, difference.most)
        );
    }
}

/// What a life costs with one hook at each stage, and what the daemon costs a container that has none.
fn ratios(text: &mut String, peer: &str, [no_daemon, none, injected, runner]: [&Pods; 4]) {
    let to_peer = format!("runner : {peer}");
    let create_and_start: Call = |measured| &measured.creates_and_starts;
    let rows: [(&str, Call, &str, _, _); 5] = [
        (
            "create+start, 1+1+1 hooks",
            create_and_start,
            &to_peer,
            runner,
            injected,
        ),
        (
            "stop, 1+1+1 hooks",
            |measured| &measured.stops,
            &to_peer,
            runner,
            injected,
        ),
        (
            "remove, 1+1+1 hooks",
            |measured| &measured.removes,
            &to_peer,
            runner,
            injected,
        ),
        (
            "CPU of a life, 1+1+1 hooks",
            |measured| &measured.processor_times,
            &to_peer,
            runner,
            injected,
        ),
        (
            "create+start, no hook",
            create_and_start,
            "daemon : no daemon",
            none,
            no_daemon,
        ),
    ];
    for (title, durations, compared, measured, peer) in rows {
        let [measured, peer] = [measured, peer].map(|pods| durations(&pods[ALL_STAGES]));
        let ratio = ratio(measured, peer);
        let _ = writeln!(
            text,
            "{title:<30}{compared:>20}{:>8.3} [{:.3}, {:.3}]",
            ratio.value, ratio.least, ratio.most
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pods in which every call took `millis` or a multiple of it.
    fn pods(millis: u64) -> Pods {
        SPECS.map(|_| Measured {
            creates_and_starts: vec![Duration::from_millis(4 * millis)],
            starts: vec![Duration::from_millis(millis)],
            stops: vec![Duration::from_millis(2 * millis)],
            removes: vec![Duration::from_millis(3 * millis)],
            processor_times: vec![Duration::from_millis(50 * millis)],
        })
    }

    #[test]
    fn the_runner_is_compared_with_direct_and_the_daemon_with_none() {
        let [no_daemon, none, direct, runner] = [10, 11, 20, 30].map(pods);
        let arguments = Arguments::parse(["--starts", "1"].map(str::to_owned).into_iter()).unwrap();
        let text = table(&arguments, [&no_daemon, &none, &direct, &runner], 1000);
        let (_, tables) = text.split_once("\n\n").unwrap();
        let expected = [
            "                                 no hook    direct    runner   runner - direct      90% interval",
            "StartContainer with prestart       11.00     20.00     30.00            +10.00  +10.00 to +10.00",
            "StartContainer with poststart      11.00     20.00     30.00            +10.00  +10.00 to +10.00",
            "StopContainer with poststop        22.00     40.00     60.00            +20.00  +20.00 to +20.00",
            "",
            "ratio of the medians; 90% interval by bootstrap",
            "",
            "create+start, 1+1+1 hooks          runner : direct   1.500 [1.500, 1.500]",
            "stop, 1+1+1 hooks                  runner : direct   1.500 [1.500, 1.500]",
            "remove, 1+1+1 hooks                runner : direct   1.500 [1.500, 1.500]",
            "CPU of a life, 1+1+1 hooks         runner : direct   1.500 [1.500, 1.500]",
            "create+start, no hook           daemon : no daemon   1.100 [1.100, 1.100]",
            "",
            "CPU of the node for a life with 1+1+1 hooks, ms: direct 100.0, runner 150.0",
            "peak RSS of a runner with a hook-spec of 3 hooks: 1.02 MB",
        ];
        assert_eq!(tables.lines().collect::<Vec<_>>(), expected);
    }
}
