//! The table: one row for two that are compared.

use std::fmt::Write as _;
use std::time::Duration;

use crate::statistics::{median, ratio};

/// The durations of two of the measured ways.
pub(crate) struct Row<'d> {
    pub(crate) title: &'d str,
    pub(crate) names: [&'d str; 2],
    pub(crate) durations: [&'d [Duration]; 2],
}

/// The medians of each row, and their ratio with its interval.
pub(crate) fn table(rows: &[Row<'_>]) -> String {
    let mut text = format!(
        "{:<34}{:>20}{:>22}{:>8}  90% interval by bootstrap\n",
        "", "", "medians, ms", "ratio"
    );
    for row in rows {
        let [measured, peer] = row.durations;
        let medians = format!("{:.3} : {:.3}", median(measured), median(peer));
        let ratio = ratio(measured, peer);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<34}{:>20}{medians:>22}{:>8.3}  [{:.3}, {:.3}]",
            row.title,
            row.names.join(" : "),
            ratio.value,
            ratio.least,
            ratio.most
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_medians_of_both_and_how_sure_their_ratio_is() {
        let [twelve, eight] = [12, 8].map(|millis| vec![Duration::from_millis(millis)]);
        let row = Row {
            title: "create+start",
            names: ["runner", "direct"],
            durations: [&twelve, &eight],
        };
        let expected = [
            "                                                                 medians, ms   ratio  90% interval by \
             bootstrap",
            "create+start                           runner : direct        12.000 : 8.000   1.500  [1.500, 1.500]",
        ];
        assert_eq!(table(&[row]).lines().collect::<Vec<_>>(), expected);
    }
}
