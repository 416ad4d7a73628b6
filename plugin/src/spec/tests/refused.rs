//! Hostile and invalid hook-specs, each with the one error to be found.

use super::brief::{errors, found, hook};

/// One hostile or invalid hook-spec: its attempt, its text, the one error to be found.
type Case<'c> = (&'c str, &'c [u8], &'c str);

fn assert_refused(cases: &[Case<'_>]) {
    for (attack, text, expected) in cases {
        assert_eq!(found(text), [*expected], "{attack}");
    }
}

#[test]
fn a_text_that_is_not_one_json_object_is_refused() {
    assert_refused(&[
        ("no byte at all", b"", "empty-file 1:1"),
        ("blanks alone", b" \n\t\n", "empty-file 3:1"),
        ("a byte order mark", b"\xEF\xBB\xBF{}", "byte-order-mark 1:1"),
        ("UTF-16", b"\xFF\xFE{\0}\0", "invalid-utf-8 1:1"),
        (
            "invalid UTF-8 in a string",
            b"{\n\"\xC3\x28\":1}",
            "invalid-utf-8 2:2",
        ),
        ("UTF-8 cut at the end", b"{}\xE2\x82", "invalid-utf-8 1:3"),
        ("an overlong slash", b"{\"\xC0\xAF\":1}", "invalid-utf-8 1:3"),
        ("a NUL byte outside strings", b"{}\0", "trailing-data 1:3"),
        ("NUL bytes alone", b"\0\0", "invalid-json 1:1"),
        (
            "a raw control character in a string",
            b"{\"a\nb\":1}",
            "invalid-json 1:3",
        ),
        ("a second object", b"{}{}", "trailing-data 1:3"),
        ("a word after the object", b"{}\n\nx", "trailing-data 3:1"),
        ("an end too early", b"{\"prestart\":[", "invalid-json 1:13"),
        ("an open string", b"{\"prest", "invalid-json 1:7"),
        (
            "a trailing comma in an object",
            b"{\"prestart\":[],}",
            "invalid-json 1:16",
        ),
        (
            "a trailing comma in an array",
            b"{\"prestart\":[1,]}",
            "invalid-json 1:16",
        ),
        ("a comment", b"// hooks\n{}", "invalid-json 1:1"),
        ("single quotes", b"{'prestart':[]}", "invalid-json 1:2"),
        ("a shell script", b"#!/bin/sh\necho", "invalid-json 1:1"),
        ("a bare NaN", b"{\"prestart\":NaN}", "invalid-json 1:13"),
        (
            "a number with a leading zero",
            br#"{"prestart":[{"path":"/a","timeout":030}]}"#,
            "invalid-json 1:38",
        ),
        (
            "a number with a plus sign",
            br#"{"prestart":[{"path":"/a","timeout":+3}]}"#,
            "invalid-json 1:37",
        ),
        ("an array at the top", b"[]", "wrong-type 1:1"),
        ("a string at the top", b"\n \"/etc/x.json\"", "wrong-type 2:2"),
        ("null at the top", b"null", "wrong-type 1:1"),
        ("a number at the top", b"1", "wrong-type 1:1"),
    ]);
}

#[test]
fn stages_inside_hooks_are_one_error_that_says_what_to_write() {
    let errors = errors(r#"{"hooks":{"prestart":[{"path":"/a"}],"poststop":[]}}"#);
    let [error] = errors.as_slice() else {
        panic!("{errors:?}")
    };
    assert_eq!(
        error.message,
        "the stages are inside hooks, as in the OCI configuration of a container"
    );
    assert!(error.help.contains("write the content of hooks alone"));
}

#[test]
fn a_stage_that_is_not_a_known_list_of_objects_is_refused() {
    assert_refused(&[
        (
            "a stage of another case",
            br#"{"preStart":[]}"#,
            "unknown-stage 1:2",
        ),
        ("an unknown stage", br#"{"precreate":[]}"#, "unknown-stage 1:2"),
        ("an empty key", br#"{"":[]}"#, "unknown-stage 1:2"),
        (
            "a look-alike stage",
            "{\"pr\u{435}start\":[]}".as_bytes(),
            "unknown-stage 1:2",
        ),
        (
            "the OCI wrapper",
            br#"{"hooks":{"prestart":[]}}"#,
            "unknown-stage 1:2",
        ),
        (
            "the configuration of a container",
            br#"{"ociVersion":"1.0.2","root":{},"hooks":{"prestart":[]}}"#,
            "unknown-stage 1:33",
        ),
        (
            "hooks beside stages",
            br#"{"prestart":[],"hooks":{}}"#,
            "unknown-stage 1:16",
        ),
        (
            "a stage twice",
            br#"{"prestart":[],"prestart":[]}"#,
            "duplicate-key 1:16",
        ),
        (
            "a stage twice, once escaped",
            br#"{"prestart":[],"pre\u0073tart":[]}"#,
            "duplicate-key 1:16",
        ),
        (
            "a stage that is an object",
            br#"{"prestart":{"path":"/a"}}"#,
            "wrong-type 1:13 prestart",
        ),
        (
            "a hook that is a string",
            br#"{"prestart":["/a"]}"#,
            "wrong-type 1:14 prestart[0]",
        ),
        (
            "a hook that is a list",
            br#"{"prestart":[[]]}"#,
            "wrong-type 1:14 prestart[0]",
        ),
        (
            "a hook that is null",
            br#"{"poststop":[{"path":"/a"},null]}"#,
            "wrong-type 1:28 poststop[1]",
        ),
        (
            "a key that is half a character",
            br#"{"\ud800":[]}"#,
            "invalid-string 1:2",
        ),
    ]);
}

#[test]
fn a_hook_that_breaks_a_rule_is_refused() {
    for (attack, members, expected) in [
        ("no path", r#""args":[]"#, "path-missing 1:14 prestart[0]"),
        ("nothing at all", "", "path-missing 1:14 prestart[0]"),
        (
            "a path that is a number",
            r#""path":1"#,
            "wrong-type 1:22 prestart[0].path",
        ),
        (
            "a path that is null",
            r#""path":null"#,
            "path-missing 1:14 prestart[0]",
        ),
        (
            "a path that is a list",
            r#""path":["/a"]"#,
            "wrong-type 1:22 prestart[0].path",
        ),
        (
            "an empty path",
            r#""path":"""#,
            "path-not-absolute 1:22 prestart[0].path",
        ),
        (
            "a relative path",
            r#""path":"bin/echo""#,
            "path-not-absolute 1:22 prestart[0].path",
        ),
        (
            "a path that begins with dots",
            r#""path":"../bin/echo""#,
            "path-not-absolute 1:22 prestart[0].path",
        ),
        (
            "a path with a blank in front",
            r#""path":" /bin/echo""#,
            "path-not-absolute 1:22 prestart[0].path",
        ),
        (
            "a home path",
            r#""path":"~/x""#,
            "path-not-absolute 1:22 prestart[0].path",
        ),
        (
            "a NUL in the path",
            r#""path":"/bin/sh\u0000.txt""#,
            "nul-character 1:22 prestart[0].path",
        ),
        (
            "half a character in the path",
            r#""path":"/\udc00""#,
            "invalid-string 1:22 prestart[0].path",
        ),
        (
            "the path twice",
            r#""path":"/a","path":"/b""#,
            "duplicate-key 1:27 prestart[0]",
        ),
        (
            "a mistyped key",
            r#""path":"/a","arg":[]"#,
            "unknown-key 1:27 prestart[0]",
        ),
        (
            "a key of another case",
            r#""path":"/a","Env":[]"#,
            "unknown-key 1:27 prestart[0]",
        ),
        (
            "args that are a string",
            r#""path":"/a","args":"-f""#,
            "wrong-type 1:34 prestart[0].args",
        ),
        (
            "an argument that is a number",
            r#""path":"/a","args":["a",1]"#,
            "wrong-type 1:39 prestart[0].args[1]",
        ),
        (
            "an argument that is a list",
            r#""path":"/a","args":[["a"]]"#,
            "wrong-type 1:35 prestart[0].args[0]",
        ),
        (
            "a NUL in an argument",
            r#""path":"/a","args":["\u0000"]"#,
            "nul-character 1:35 prestart[0].args[0]",
        ),
        (
            "env that is an object",
            r#""path":"/a","env":{"A":"b"}"#,
            "wrong-type 1:33 prestart[0].env",
        ),
        (
            "an entry without =",
            r#""path":"/a","env":["PATH"]"#,
            "env-not-key-value 1:34 prestart[0].env[0]",
        ),
        (
            "an empty entry",
            r#""path":"/a","env":["A=b",""]"#,
            "env-not-key-value 1:40 prestart[0].env[1]",
        ),
        (
            "an entry without a name",
            r#""path":"/a","env":["=b"]"#,
            "env-empty-key 1:34 prestart[0].env[0]",
        ),
        (
            "a NUL in an entry",
            r#""path":"/a","env":["A=b\u0000C=d"]"#,
            "nul-character 1:34 prestart[0].env[0]",
        ),
        (
            "a library that is loaded first",
            r#""path":"/a","env":["A=b","LD_PRELOAD=/tmp/x.so"]"#,
            "env-for-loader 1:40 prestart[0].env[1]",
        ),
        (
            "a directory of libraries",
            r#""path":"/a","env":["LD_LIBRARY_PATH="]"#,
            "env-for-loader 1:34 prestart[0].env[0]",
        ),
        (
            "code that watches the loader",
            r#""path":"/a","env":["LD_AUDIT=/x.so"]"#,
            "env-for-loader 1:34 prestart[0].env[0]",
        ),
        (
            "settings of the C library",
            r#""path":"/a","env":["GLIBC_TUNABLES=glibc.malloc.check=3"]"#,
            "env-for-loader 1:34 prestart[0].env[0]",
        ),
        (
            "a variable of the loader, escaped",
            r#""path":"/a","env":["LD\u005fPRELOAD=/x.so"]"#,
            "env-for-loader 1:34 prestart[0].env[0]",
        ),
        (
            "an entry that is null",
            r#""path":"/a","env":[null]"#,
            "wrong-type 1:34 prestart[0].env[0]",
        ),
        (
            "a timeout of 0",
            r#""path":"/a","timeout":0"#,
            "timeout-zero 1:37 prestart[0].timeout",
        ),
        (
            "a timeout of minus 0",
            r#""path":"/a","timeout":-0"#,
            "timeout-zero 1:37 prestart[0].timeout",
        ),
        (
            "a negative timeout",
            r#""path":"/a","timeout":-1"#,
            "timeout-negative 1:37 prestart[0].timeout",
        ),
        (
            "a float",
            r#""path":"/a","timeout":1.5"#,
            "timeout-not-integer 1:37 prestart[0].timeout",
        ),
        (
            "a whole float",
            r#""path":"/a","timeout":30.0"#,
            "timeout-not-integer 1:37 prestart[0].timeout",
        ),
        (
            "an exponent",
            r#""path":"/a","timeout":1e400"#,
            "timeout-not-integer 1:37 prestart[0].timeout",
        ),
        (
            "one over an int",
            r#""path":"/a","timeout":2147483648"#,
            "timeout-too-large 1:37 prestart[0].timeout",
        ),
        (
            "one over 64 bits",
            r#""path":"/a","timeout":18446744073709551616"#,
            "timeout-too-large 1:37 prestart[0].timeout",
        ),
        (
            "a timeout in quotes",
            r#""path":"/a","timeout":"30""#,
            "wrong-type 1:37 prestart[0].timeout",
        ),
        (
            "a timeout that is true",
            r#""path":"/a","timeout":true"#,
            "wrong-type 1:37 prestart[0].timeout",
        ),
    ] {
        assert_eq!(found(hook(members).as_bytes()), [expected], "{attack}");
    }
}

#[test]
fn a_string_that_the_kernel_does_not_accept_is_refused() {
    let longest = "a".repeat(131_071 - 2);
    let fits = format!(r#""path":"/a","args":["A={longest}"],"env":["A={longest}"]"#);
    assert_eq!(found(hook(&fits).as_bytes()), [""; 0]);
    for (attack, members, expected) in [
        (
            "an argument one byte too long",
            format!(r#""path":"/a","args":["a","A=a{longest}"]"#),
            "too-large 1:39 prestart[0].args[1]",
        ),
        (
            "a variable one byte too long",
            format!(r#""path":"/a","env":["A=a{longest}"]"#),
            "too-large 1:34 prestart[0].env[0]",
        ),
        (
            "an argument that is one byte too long as UTF-8",
            format!(r#""path":"/a","args":["A\u00e4{longest}"]"#),
            "too-large 1:35 prestart[0].args[0]",
        ),
    ] {
        assert_eq!(found(hook(&members).as_bytes()), [expected], "{attack}");
    }
}
