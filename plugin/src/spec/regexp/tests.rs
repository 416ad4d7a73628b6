//! Patterns, texts, and the results by Go's documentation of its syntax. If Go is on the machine, the results
//! of Go itself.

use std::process::Command;
use std::{env, fs};

use proptest::prelude::*;

use super::{RegexpError, translate};
use crate::spec::Pattern;

/// A pattern, texts that it matches, and texts that it does not.
type Case = (&'static str, &'static [&'static str], &'static [&'static str]);

const GOOD: &[Case] = &[
    // Single characters and composites.
    ("", &["", "a"], &[]),
    ("abc", &["abc", "xabcx"], &["ab", "ABC"]),
    ("a.c", &["abc", "a\u{e4}c"], &["a\nc", "ac"]),
    ("(?s)a.c", &["a\nc"], &["ac"]),
    ("^a|b$", &["ax", "xb"], &["xax", "bx"]),
    ("^(?:a||b)$", &["", "a", "b"], &["c"]),
    ("^(|a)*$", &["", "aa"], &["b"]),
    ("()", &["", "x"], &[]),
    ("^()*$", &[""], &["x"]),
    ("|", &["", "x"], &[]),
    // Classes.
    ("^[abc]$", &["a", "c"], &["d", "", "ab"]),
    ("^[^abc]$", &["d", "\n"], &["a", ""]),
    ("^[a-c-e]$", &["b", "-", "e"], &["d"]),
    ("^[]a]+$", &["]", "a]"], &["[", "b"]),
    ("^[^]a]+$", &["[", "b"], &["]", "a"]),
    ("^[-a]$", &["-", "a"], &["b"]),
    ("^[a-]$", &["-", "a"], &["b"]),
    ("^[--a]$", &["-", "0", "Z", "a"], &[",", "b"]),
    ("^[[]$", &["["], &["]", ""]),
    ("^[[a]$", &["[", "a"], &["b"]),
    ("^[a&&b]$", &["a", "&", "b"], &["c", ""]),
    ("^[a~~b]$", &["~", "a", "b"], &["c"]),
    ("^[,--b]$", &[",", "-", "b"], &["c"]),
    (r"^[\d-z]$", &["0", "-", "z"], &["a", "y"]),
    (r"^[a\-z]$", &["a", "-", "z"], &["b"]),
    (r"^[\[\]]+$", &["[]"], &["a"]),
    (r"^[\x41-\x{43}]$", &["A", "C"], &["D"]),
    (r"^[\n\t]$", &["\n", "\t"], &["n", "t"]),
    (r"^[\W]$", &["-", "\u{e4}"], &["a", "_"]),
    (r"^[^\W]$", &["a", "_"], &["-", "\u{e4}"]),
    (r"^[^\d\s]$", &["a"], &["1", " "]),
    (r"^[.*+?()|{}^$]$", &[".", "*", "^", "$", "{"], &["a"]),
    ("^[a^]$", &["a", "^"], &["b"]),
    ("^[ #]$", &[" ", "#"], &["a"]),
    ("^[\u{e4}-\u{fc}]$", &["\u{f6}"], &["o"]),
    (r"^[^\x00-\x{10FFFF}]$", &[], &["", "a", "\n"]),
    // Perl's classes are ASCII.
    (r"^\d$", &["7"], &["\u{0667}", "a"]),
    (r"^\D$", &["\u{0667}", "a"], &["7"]),
    (
        r"^\s$",
        &[" ", "\t", "\n", "\u{c}", "\r"],
        &["\u{b}", "\u{a0}", "\u{2003}"],
    ),
    (r"^\S$", &["\u{b}", "\u{a0}", "a"], &[" ", "\n"]),
    (r"^\w$", &["a", "Z", "0", "_"], &["\u{e4}", "-"]),
    (r"^\W$", &["\u{e4}", "-"], &["a", "_"]),
    // POSIX's too.
    ("^[[:alpha:]]$", &["a", "Z"], &["0", "\u{e4}"]),
    ("^[[:^alpha:]]$", &["0", "\u{e4}"], &["a"]),
    ("^[^[:alpha:]]$", &["0"], &["a"]),
    ("^[[:alnum:]_]+$", &["a0_"], &["-"]),
    ("^[[:ascii:]]$", &["a", "\u{7f}"], &["\u{80}"]),
    ("^[[:blank:]]$", &[" ", "\t"], &["\n"]),
    ("^[[:cntrl:]]$", &["\u{0}", "\u{1f}", "\u{7f}"], &[" "]),
    ("^[[:digit:]]$", &["0"], &["a"]),
    ("^[[:graph:]]$", &["!", "~"], &[" "]),
    ("^[[:lower:]]$", &["a"], &["A"]),
    ("^[[:print:]]$", &[" ", "~"], &["\t"]),
    (
        "^[[:punct:]]$",
        &["!", "/", ":", "@", "[", "`", "{", "~"],
        &["a", "0", " "],
    ),
    ("^[[:space:]]$", &["\u{b}", " "], &["a"]),
    ("^[[:upper:]]$", &["A"], &["a"]),
    ("^[[:word:]]$", &["_", "a"], &["-"]),
    ("^[[:xdigit:]]$", &["f", "F", "9"], &["g"]),
    ("^[[:alpha]$", &["[", ":", "a", "l"], &["b", "]"]),
    ("^[:alpha:]$", &[":", "a", "p"], &["b"]),
    // Unicode's classes.
    (r"^\pL$", &["a", "\u{e4}", "\u{3b1}"], &["1", "-"]),
    (r"^\p{L}+$", &["alpha", "\u{e4}"], &["a1", ""]),
    (r"^\PL$", &["1", "-"], &["a"]),
    (r"^\P{L}$", &["1"], &["\u{e4}"]),
    (r"^\p{^L}$", &["1"], &["a"]),
    (r"^\P{^L}$", &["a"], &["1"]),
    (r"^\p{Lu}$", &["A", "\u{c4}"], &["a"]),
    (r"^\pN$", &["1", "\u{0667}"], &["a"]),
    (r"^\p{Nd}$", &["\u{0667}"], &["\u{bd}"]),
    (r"^\p{Greek}$", &["\u{3b1}"], &["a"]),
    (r"^\p{Han}+$", &["\u{6f22}\u{5b57}"], &["kanji"]),
    (r"^\p{Latin}$", &["a", "\u{e4}"], &["\u{3b1}", "1"]),
    (r"^[\p{Lu}\d]$", &["A", "1"], &["a"]),
    (r"^[^\p{Lu}]$", &["a"], &["A"]),
    (r"^\pZ$", &[" ", "\u{a0}"], &["\t"]),
    (r"^\p{Sc}$", &["$", "\u{20ac}"], &["a"]),
    // Repetitions.
    ("^a*$", &["", "aa"], &["b"]),
    ("^a+?$", &["a", "aa"], &[""]),
    ("^a??$", &["", "a"], &["aa"]),
    ("^a{2}$", &["aa"], &["a", "aaa"]),
    ("^a{2,}$", &["aa", "aaaa"], &["a"]),
    ("^a{2,3}?$", &["aa", "aaa"], &["a", "aaaa"]),
    ("^(?:ab){2}$", &["abab"], &["abb"]),
    ("^ab{2}$", &["abb"], &["abab"]),
    ("^a{0}$", &[""], &["a"]),
    ("^a{0,1}$", &["", "a"], &["aa"]),
    ("^.{1,1000}$", &["a", "aaaa"], &[""]),
    ("^(?:a{500}){2}$", &[], &["a"]),
    ("^(?:a{0}){1000}$", &[""], &["a"]),
    ("^(?:a*)*$", &["", "a"], &["b"]),
    (r"^(?:a+)+$", &["aa"], &[""]),
    (r"^a\Q\E*$", &["", "aa"], &["b"]),
    (r"^a*\Q\E*$", &["", "aa"], &["b"]),
    ("^*$", &["", "a"], &[]),
    (r"\b+a", &["a", "-a"], &["ba"]),
    // Braces that are not counts.
    ("^{.*}$", &["{}", "{\"cpu\":1}"], &["", "cpu"]),
    ("a{", &["a{"], &["a"]),
    ("^x{a}$", &["x{a}"], &["xa"]),
    ("^x{}$", &["x{}"], &["x"]),
    ("^x{,5}$", &["x{,5}"], &["x", "xx"]),
    ("^x{1,a}$", &["x{1,a}"], &["x"]),
    ("^x{01}$", &["x{01}"], &["x"]),
    ("^x{1$", &["x{1"], &["x"]),
    ("^x{ 1}$", &["x{ 1}"], &["x"]),
    ("^}]$", &["}]"], &["}"]),
    // Groups and flags.
    ("^(a)(b)$", &["ab"], &["a"]),
    ("^(?P<name>a)$", &["a"], &["b"]),
    ("^(?<name>a)$", &["a"], &["b"]),
    ("^(?P<n>a)(?P<n>b)$", &["ab"], &["a"]),
    ("^(?P<0>a)$", &["a"], &["b"]),
    ("^(?:(?i)a)b$", &["ab", "Ab"], &["aB"]),
    ("^(?i:a)b$", &["Ab"], &["AB"]),
    ("^(?i)a(?-i)b$", &["Ab"], &["AB"]),
    ("^a|(?i)b|c$", &["B", "xC", "a"], &["A"]),
    ("(?i-s)a.b", &["AxB"], &["a\nb"]),
    ("(?U)^a+$", &["a", "aa"], &[""]),
    ("(?)a", &["a"], &["b"]),
    ("(?i)(?-i:a)b", &["aB"], &["AB"]),
    ("a(?i)*", &["", "aa"], &[]),
    // Case beyond ASCII.
    ("(?i)^k$", &["k", "K", "\u{212a}"], &["c"]),
    ("(?i)^s$", &["s", "S", "\u{17f}"], &["z"]),
    ("(?i)^\u{e4}$", &["\u{c4}", "\u{e4}"], &["a"]),
    ("(?i)^\u{3c3}$", &["\u{3a3}", "\u{3c2}"], &["s"]),
    ("(?i)^[a-c]$", &["B"], &["D"]),
    ("(?i)^[^a-c]$", &["d"], &["B", "b"]),
    (r"(?i)^\w$", &["a", "\u{212a}", "\u{17f}"], &["\u{e4}"]),
    (r"(?i)^\W$", &["\u{e4}"], &["a", "\u{212a}"]),
    (r"(?i)^\p{Lu}$", &["A", "a"], &["1"]),
    (r"(?i)^\P{Lu}$", &["1"], &["A", "a"]),
    (r"(?i)^[[:upper:]]$", &["a", "A"], &["1"]),
    ("(?i)^\u{df}$", &["\u{df}", "\u{1e9e}"], &["ss"]),
    // Empty strings.
    ("a$", &["a", "ba"], &["a\n"]),
    ("(?m)a$", &["a\nb"], &["ab"]),
    ("(?m)^b", &["a\nb"], &["ab"]),
    ("(?m)a$", &["a"], &["a\r\n"]),
    (r"(?m)\Ab", &["b"], &["a\nb"]),
    (r"(?m)a\z", &["a"], &["a\nb"]),
    (r"\ba\b", &["a", "a-b", "\u{e4}a"], &["ab"]),
    (r"\Ba", &["ba"], &["a", "-a"]),
    (r"^\B", &["", "-", "\u{e4}"], &["a"]),
    (r"\B", &["", "\u{e4}"], &["a", "a\u{e4}a"]),
    // Escapes.
    (r"^\a\f\t\n\r\v$", &["\u{7}\u{c}\t\n\r\u{b}"], &[""]),
    (r"^\101$", &["A"], &["101"]),
    (r"^\07$", &["\u{7}"], &["07"]),
    (r"^\08$", &["\u{0}8"], &["8"]),
    (r"^\0$", &["\u{0}"], &["0"]),
    (r"^\1234$", &["S4"], &["1234"]),
    (r"^\x41$", &["A"], &["x41"]),
    (r"^\x{0041}$", &["A"], &["x"]),
    (r"^\x{10FFFF}$", &["\u{10ffff}"], &["x"]),
    (r"^\x{D800}$", &[], &["", "a"]),
    (r"^[\x{D7FF}-\x{E000}]$", &["\u{d7ff}", "\u{e000}"], &["\u{d7fe}"]),
    (r"^\.\*\+\?\(\)\|\[\]\{\}\^\$\\$", &[r".*+?()|[]{}^$\"], &["a"]),
    (r"^\<a\>$", &["<a>"], &["a"]),
    (r"^\_\-\/\,\ \#\&\~$", &["_-/, #&~"], &["a"]),
    (r"^\Qgpu.example/n\E$", &["gpu.example/n"], &["gpuxexample/n"]),
    (r"^\Qa.b", &["a.b", "a.bc"], &["axb"]),
    (r"^\Qab\E+$", &["abb"], &["abab"]),
    (r"^\Q[a\E]$", &["[a]"], &["a"]),
    (r"(?i)^\Qab\E$", &["AB"], &["c"]),
    (
        r"^com\.example/(gpu|net)-[0-9]+$",
        &["com.example/gpu-1"],
        &["comxexample/gpu-1"],
    ),
    ("a  b # c", &["a  b # c"], &["ab"]),
];

/// Patterns that Go does not accept.
const BAD: &[&str] = &[
    "*",
    "+a",
    "?",
    "{2}",
    "a**",
    "a++",
    "a*+",
    "a?*",
    "a{2}{3}",
    "a*?*",
    "(*a)",
    "(|*)",
    "a|*",
    "(?i)*",
    "(",
    ")",
    "a)",
    "(a",
    "((a)",
    "[",
    "[a",
    "[]",
    "[^]",
    "[a-",
    "[b-a]",
    "[a--b]",
    r"[a-\d]",
    "[[:foo:]]",
    "[[:a]b:]c]",
    "a{1001}",
    "a{1,1001}",
    "a{2,1}",
    "a{99999999999}",
    "(?:a{1000}){2}",
    "(?:(?:a{11}){10}){10}",
    "(?=a)",
    "(?!a)",
    "(?<=a)",
    "(?<!a)",
    "(?>a)",
    "(?x)a",
    "(?P=n)",
    "(?P<n",
    "(?P<>a)",
    "(?P<n-m>a)",
    "(?P<n)",
    "(?'n'a)",
    "(?i",
    "(?i-)a",
    "(?-)a",
    "(?--i)a",
    "(?#c)",
    "(?",
    "(?P",
    r"\",
    r"a\",
    r"\1",
    r"\8",
    r"\9",
    r"(a)\1",
    r"\18",
    r"\C",
    r"\E",
    r"\Z",
    r"\G",
    r"\K",
    r"\R",
    r"\X",
    r"\N",
    r"\c",
    r"\e",
    r"\h",
    r"\q",
    r"\u0041",
    r"\y",
    "\\\u{e4}",
    r"[\b]",
    r"[\A]",
    r"[\z]",
    r"[\Qa\E]",
    r"[\1]",
    r"\x",
    r"\x4",
    r"\xg1",
    r"\x{}",
    r"\x{110000}",
    r"\x{g}",
    r"\x{41",
    r"\p",
    r"\p{",
    r"\p{L",
    r"\p{}",
    r"\pQ",
    r"\p{Foo}",
    r"\p{Grek}",
    r"\p{IsGreek}",
    r"\p{sc=Greek}",
    r"\p{Alphabetic}",
    r"[\p{Foo}]",
    r"\b*+",
    r"x{1000}{2}",
];

#[test]
fn patterns_match_as_go_documents_it() {
    for (pattern, good, bad) in GOOD {
        let compiled = Pattern::new(pattern).unwrap_or_else(|error| panic!("{pattern:?}: {error}"));
        for text in *good {
            assert!(compiled.is_match(text), "{pattern:?} does not match {text:?}");
        }
        for text in *bad {
            assert!(!compiled.is_match(text), "{pattern:?} matches {text:?}");
        }
    }
}

#[test]
fn patterns_that_go_does_not_accept_are_refused_with_a_reason() {
    for pattern in BAD {
        let error = Pattern::new(pattern).map(|_| ()).unwrap_err();
        assert!(
            !matches!(error, RegexpError::Untranslatable(_)),
            "{pattern:?}: {error}"
        );
    }
}

#[test]
fn a_pattern_that_takes_too_much_memory_is_refused() {
    assert!(Pattern::new(r"^\pL{1,100}$").unwrap().is_match("a"));
    assert_eq!(Pattern::new(r"^\pL{1,1000}$"), Err(RegexpError::TooLarge(16)));
}

#[test]
fn groups_are_nested_up_to_the_limit_and_no_deeper() {
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")*".repeat(depth));
    assert!(Pattern::new(&nested(100)).unwrap().is_match(""));
    assert_eq!(Pattern::new(&nested(101)), Err(RegexpError::Depth(100)));
}

#[test]
fn long_names_of_categories_are_known_as_in_newer_releases_of_go() {
    for (pattern, text) in [
        (r"^\p{Letter}$", "a"),
        (r"^\p{uppercase_letter}$", "A"),
        (r"^\p{Any}$", "\n"),
        (r"^\p{ASCII}$", "a"),
        (r"^\p{Assigned}$", "a"),
        (r"^\p{LC}$", "a"),
        (r"^\p{Old_Italic}$", "\u{10300}"),
    ] {
        assert!(Pattern::new(pattern).unwrap().is_match(text), "{pattern}");
    }
}

/// Prints Go's results for each of the cases on stdin, as JSON.
const GO: &str = r#"
package main

import (
	"encoding/json"
	"os"
	"regexp"
)

func main() {
	var cases []struct {
		Pattern string
		Texts   []string
	}
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		panic(err)
	}
	answers := [][]bool{}
	for _, c := range cases {
		var answer []bool
		if re, err := regexp.Compile(c.Pattern); err == nil {
			answer = []bool{}
			for _, text := range c.Texts {
				answer = append(answer, re.MatchString(text))
			}
		}
		answers = append(answers, answer)
	}
	json.NewEncoder(os.Stdout).Encode(answers)
}
"#;

/// Go's results for patterns and texts: whether each text matches, `None` for a pattern that Go does not
/// accept. `None` if there is no Go.
fn ask_go(cases: &[(String, Vec<String>)]) -> Option<Vec<Option<Vec<bool>>>> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("main.go"), GO).unwrap();
    let cases: Vec<_> = cases
        .iter()
        .map(|(pattern, texts)| serde_json::json!({"Pattern": pattern, "Texts": texts}))
        .collect();
    fs::write(
        directory.path().join("cases"),
        serde_json::to_vec(&cases).unwrap(),
    )
    .unwrap();
    let answer = Command::new("go")
        .args(["run", "main.go"])
        .env("GOFLAGS", "-mod=mod")
        // Go finds its own cache through the home directory.
        .envs(
            env::var_os("HOME")
                .is_none()
                .then(|| ("GOCACHE", directory.path().join("cache"))),
        )
        .current_dir(directory.path())
        .stdin(fs::File::open(directory.path().join("cases")).unwrap())
        .output()
        .ok()?;
    assert!(
        answer.status.success(),
        "{}",
        String::from_utf8_lossy(&answer.stderr)
    );
    Some(serde_json::from_slice(&answer.stdout).unwrap())
}

/// Our results.
fn answer(pattern: &str, texts: &[String]) -> Option<Vec<bool>> {
    let pattern = Pattern::new(pattern).ok()?;
    Some(texts.iter().map(|text| pattern.is_match(text)).collect())
}

#[test]
fn go_itself_agrees_if_it_is_on_the_machine() {
    let good = GOOD.iter().map(|(pattern, good, bad)| {
        let texts = good.iter().chain(*bad).map(|text| (*text).to_owned());
        ((*pattern).to_owned(), texts.collect())
    });
    let bad = BAD.iter().map(|pattern| ((*pattern).to_owned(), Vec::new()));
    let mut cases: Vec<(String, Vec<String>)> = good.chain(bad).collect();
    cases.extend(random());
    let Some(answers) = ask_go(&cases) else { return };
    for ((pattern, texts), theirs) in cases.iter().zip(answers) {
        assert_eq!(answer(pattern, texts), theirs, "{pattern:?} {texts:?}");
    }
}

/// Patterns that are assembled from parts, always the same, and texts for them.
fn random() -> Vec<(String, Vec<String>)> {
    const PARTS: &[&str] = &[
        "a",
        "b",
        "k",
        "\u{e4}",
        ".",
        "*",
        "+",
        "?",
        "*?",
        "{2}",
        "{1,2}",
        "{",
        "}",
        "^",
        "$",
        "|",
        "(",
        ")",
        "(?:",
        "(?i)",
        "(?i:",
        "(?m)",
        "(?s)",
        "[ab]",
        "[^a]",
        "[[:alpha:]]",
        "[^[:^digit:]b]",
        r"\b",
        r"\B",
        r"\d",
        r"\W",
        r"\pL",
        r"\P{Lu}",
        r"\Qa*\E",
        r"\<",
        r"\x{6B}",
        r"\101",
        "[",
        "]",
        "-",
        "\\",
        "&&",
        "\n",
        "1",
        ",",
        "<",
        "P<n>",
        ":",
    ];
    const TEXTS: &[&str] = &[
        "", "a", "ab", "aab", "A", "k", "\u{212a}", "\u{e4}a", "a\nb", "a*", "<", "1", "{2}", "b-a", "[a]",
    ];
    // A generator that always gives the same numbers (xorshift).
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap()
    };
    let mut pattern = || {
        (0..1 + next() % 6)
            .map(|_| PARTS[next() % PARTS.len()])
            .collect::<String>()
    };
    let texts: Vec<String> = TEXTS.iter().map(|text| (*text).to_owned()).collect();
    (0..20_000).map(|_| (pattern(), texts.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_regex_crate_accepts_every_translation(pattern in "[ab.*+?{}()|^$\\\\\\[\\]:<>P,0-9pLdwQEbx -]{0,12}") {
        if translate(&pattern).is_ok() {
            let error = Pattern::new(&pattern).err();
            prop_assert!(!matches!(error, Some(RegexpError::Untranslatable(_))), "{:?}: {:?}", pattern, error);
        }
    }
}
