//! The content of a record.

use super::created;
use crate::ledger::checksum::{self, Format};
use crate::ledger::error::Damage;
use crate::ledger::{Created, Line, Outcome, Output, Record, StageResult, Trigger};
use crate::model::{ProcessId, Timestamp};

fn text(lines: &[Line]) -> String {
    text_in(lines, Format::Sealed)
}

fn text_in(lines: &[Line], format: Format) -> String {
    let lines = lines.iter().map(|line| checksum::to_line(line, format).unwrap());
    String::from_utf8(lines.flatten().collect()).unwrap()
}

fn parse(bytes: &[u8]) -> Result<Record, Damage> {
    Record::parse(bytes, Format::Sealed)
}

fn parse_one(bytes: &[u8], kind: &str) -> Result<Record, Damage> {
    Record::parse_one(bytes, Format::Sealed, kind)
}

fn began(hook: usize) -> Line {
    Line::Began {
        may_fail: false,
        hook,
        path: "/bin/a".into(),
        file: "/etc/x.json".into(),
        line: 3,
        at: Timestamp::now(),
    }
}

fn ended(hook: usize, outcome: Outcome) -> Line {
    let stderr = Output {
        head: "one\ntwo\n".into(),
        ..Output::default()
    };
    Line::Ended {
        hook,
        outcome,
        stdout: Output::default(),
        stderr,
        at: Timestamp::now(),
    }
}

#[test]
fn every_line_reads_back_as_it_was_written() {
    let at = Timestamp::now();
    let outcomes = [
        Outcome::Exited { status: 3 },
        Outcome::Killed { signal: 9 },
        Outcome::TimedOut { seconds: 1, left: 0 },
        Outcome::Refused { reason: "r".into() },
        Outcome::NotExecuted { reason: "n".into() },
        Outcome::Interrupted,
    ];
    let results = [
        StageResult::Done,
        StageResult::Failed { message: "m".into() },
        StageResult::Skipped { reason: "s".into() },
    ];
    let mut lines = vec![
        Line::Created(Created {
            process: Some(ProcessId { pid: 7, started: 9 }),
            bundle: Some("/b".into()),
            ..Created::default()
        }),
        Line::Claimed {
            by: Trigger::PostStartContainer,
            runner: 7,
            at,
        },
        Line::EventTimedOut {
            by: Trigger::StopContainer,
            waited_ms: 1500,
            at,
        },
    ];
    lines.extend(
        outcomes
            .into_iter()
            .flat_map(|outcome| [began(0), ended(0, outcome)]),
    );
    lines.extend(results.map(|result| Line::Finished { result, at }));
    assert_eq!(parse(text(&lines).as_bytes()).unwrap().lines, lines);
}

#[test]
fn a_line_that_was_cut_off_counts_as_never_written() {
    let whole = text(&[began(0), ended(0, Outcome::Interrupted), began(1)]);
    let cut = &whole.as_bytes()[..whole.len() - 1];
    assert_eq!(parse(cut).unwrap().next(), 1);
    assert_eq!(parse(whole.as_bytes()).unwrap().next(), 2);
}

#[test]
fn a_line_of_a_later_release_hides_none_of_the_others() {
    let mut later = b"{\"paused\":{}}".to_vec();
    checksum::seal(&mut later);
    let later = String::from_utf8(later).unwrap();
    let record = format!("{later}\n{}", text(&[began(0)]));
    assert_eq!(parse(record.as_bytes()).unwrap().open(), Some(0));
}

#[test]
fn a_timed_out_event_in_the_words_of_0_1_0_is_read() {
    let at = Timestamp::now();
    let (by, waited_ms) = (Trigger::StopContainer, 1500);
    let line = Line::EventTimedOut { by, waited_ms, at };
    let now = text_in(std::slice::from_ref(&line), Format::Plain);
    let earlier = now.replace("{\"eventtimedout\":", "{\"late\":");
    assert_ne!(earlier, now);
    let record = Record::parse(earlier.as_bytes(), Format::Plain).unwrap();
    assert_eq!(record.lines, [line]);
}

#[test]
fn a_record_that_lost_a_part_is_damaged_and_not_continued() {
    let mut record = text(&[began(0), ended(0, Outcome::Exited { status: 0 })]).into_bytes();
    record.extend([0; 4096]);
    assert_eq!(parse(&record).unwrap_err(), Damage::PartLost);
    assert_eq!(parse_one(&record, "finished").unwrap_err(), Damage::PartLost);
}

#[test]
fn one_line_is_found_without_the_others() {
    let at = Timestamp::now();
    let result = StageResult::Done;
    let lines = [
        Line::Created(created(7)),
        began(0),
        ended(0, Outcome::Interrupted),
        Line::Finished { result, at },
    ];
    let text = text(&lines);
    let created = parse_one(text.as_bytes(), "created").unwrap();
    assert_eq!(created.lines, lines[..1]);
    let finished = parse_one(text.as_bytes(), "finished").unwrap();
    assert_eq!(finished.lines, lines[3..]);
    assert!(parse_one(b"", "finished").unwrap().lines.is_empty());
}

#[test]
fn a_shortened_output_has_its_end_and_the_number_of_omitted_bytes() {
    let output = Output {
        head: "ab".into(),
        omitted: 3,
        tail: "c\u{e4}\u{e4}".into(),
    };
    let short = output.clone().shortened(3);
    assert_eq!((short.tail.as_str(), short.omitted), ("\u{e4}", 8));
    assert_eq!((short.head.as_str(), short.len()), ("", 2));
    let none = output.shortened(0);
    assert_eq!((none.len(), none.omitted), (0, 10));
}

#[test]
fn a_hook_that_began_is_open_until_its_end_is_on_record() {
    let record = |lines: &[Line]| parse(text(lines).as_bytes()).unwrap();
    assert_eq!(record(&[]).open(), None);
    assert_eq!(record(&[began(0)]).open(), Some(0));
    let done = record(&[began(0), ended(0, Outcome::Exited { status: 0 })]);
    assert_eq!((done.open(), done.next()), (None, 1));
    assert_eq!(done.runs()[0].ended.unwrap().stderr.last_lines(1), ["two"]);
}

#[test]
fn the_last_lines_of_an_output_are_whole_lines_of_its_end() {
    let output = Output {
        head: "a\nb".into(),
        omitted: 10,
        tail: "c\n\n d\n".into(),
    };
    assert_eq!(output.last_lines(3), ["c", " d"]);
    assert!(Output::default().last_lines(3).is_empty());
}

#[test]
fn a_record_of_the_format_without_checksums_is_read_as_before() {
    let lines = [began(0), ended(0, Outcome::Interrupted), began(1)];
    let text = text_in(&lines, Format::Plain);
    assert!(!text.contains("\"sum\""));
    let with_cut_off = text.replacen("{\"ended\"", "{\"beg\n{\"ended\"", 1);
    for text in [text, with_cut_off] {
        let record = Record::parse(text.as_bytes(), Format::Plain).unwrap();
        assert_eq!(record.lines, lines);
    }
}

#[test]
fn a_line_without_a_checksum_makes_a_record_damaged() {
    let plain = text_in(&[began(0)], Format::Plain);
    let record = format!("{plain}{}", text(&[began(1)]));
    let damage = parse(record.as_bytes()).unwrap_err();
    assert_eq!(damage, Damage::WrongChecksum { line: 1 });
}
