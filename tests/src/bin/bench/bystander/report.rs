//! The table of the measurements with a bystander.

use std::fmt::Write as _;
use std::time::Duration;

use super::Arguments;
use super::round::Measured;
use crate::statistics::{median, ratio};

/// One kind of duration among what was measured.
type Kind = fn(&Measured) -> &[Duration];

/// The whole report; `measured` are without the daemon, by the peer, by runner and by events.
pub(crate) fn table(arguments: &Arguments, measured: [&Measured; 4]) -> String {
    let Arguments {
        rounds,
        pods,
        seconds,
        peer,
        ..
    } = arguments;
    let peer = peer.word();
    let mut text = format!(
        "median of {rounds} rounds for each delivery, s; in each, {pods} pods start and stop at once, with a poststart \
         and a\npoststop of {seconds} s, and a bystander without hooks starts meanwhile; without the daemon, no pod has \
         hooks; [90%\ninterval of the ratio by bootstrap]\n\n{:<32}{:>11}{:>9}{:>9}{:>9}\n",
        "", "no daemon", peer, "runner", "events"
    );
    let rows: [(&str, Kind); 3] = [
        ("bystander, slowest create+start", |measured| &measured.bystander),
        ("all pods, create+start", |measured| &measured.starts),
        ("all pods, stop", |measured| &measured.stops),
    ];
    for (title, durations) in rows {
        let [none, injected, runner, events] = measured.map(|measured| median(durations(measured)) / 1e3);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{title:<32}{none:>11.2}{injected:>9.2}{runner:>9.2}{events:>9.2}"
        );
    }
    text.push('\n');
    let [none, injected, runner, events] = measured;
    let comparisons = [
        ("runner : no daemon".to_owned(), runner, none),
        (format!("runner : {peer}"), runner, injected),
        (format!("events : {peer}"), events, injected),
    ];
    for (index, (title, durations)) in rows.into_iter().enumerate() {
        for (compared, measured, other) in &comparisons {
            // Without the daemon no pod has hooks: only the bystander compares with it.
            if index > 0 && std::ptr::eq(*other, none) {
                continue;
            }
            let ratio = ratio(durations(measured), durations(other));
            let _ = writeln!(
                text,
                "{title:<32}{compared:>20}{:>8.2} [{:.2}, {:.2}]",
                ratio.value, ratio.least, ratio.most
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bystander_alone_is_compared_with_a_node_without_the_daemon() {
        let arguments = Arguments::parse(std::iter::empty()).unwrap();
        let measured = |seconds| Measured {
            bystander: vec![Duration::from_secs(seconds)],
            starts: vec![Duration::from_secs(2 * seconds)],
            stops: vec![Duration::from_secs(3 * seconds)],
        };
        let [none, direct, runner, events] = [1, 2, 3, 8].map(measured);
        let text = table(&arguments, [&none, &direct, &runner, &events]);
        let (_, tables) = text.split_once("\n\n").unwrap();
        let expected = [
            "                                  no daemon   direct   runner   events",
            "bystander, slowest create+start        1.00     2.00     3.00     8.00",
            "all pods, create+start                 2.00     4.00     6.00    16.00",
            "all pods, stop                         3.00     6.00     9.00    24.00",
            "",
            "bystander, slowest create+start   runner : no daemon    3.00 [3.00, 3.00]",
            "bystander, slowest create+start      runner : direct    1.50 [1.50, 1.50]",
            "bystander, slowest create+start      events : direct    4.00 [4.00, 4.00]",
            "all pods, create+start               runner : direct    1.50 [1.50, 1.50]",
            "all pods, create+start               events : direct    4.00 [4.00, 4.00]",
            "all pods, stop                       runner : direct    1.50 [1.50, 1.50]",
            "all pods, stop                       events : direct    4.00 [4.00, 4.00]",
        ];
        assert_eq!(tables.lines().collect::<Vec<_>>(), expected);
    }
}
