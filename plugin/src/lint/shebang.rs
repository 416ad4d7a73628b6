//! The first line of a script, which names its interpreter.

/// The number of bytes of a program that the kernel reads (BINPRM_BUF_SIZE).
pub(super) const HEAD: usize = 256;

/// How a program is run, by its first bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// It is machine code (ELF).
    Binary,
    /// It begins with `#!`: the interpreter, and its one argument, empty if there is none. Both are split as
    /// by the kernel (execve(2), "Interpreter scripts").
    Script { interpreter: String, argument: String },
    /// Neither: the kernel refuses it (ENOEXEC).
    Neither,
}

impl Start {
    /// The start of a program that begins with `head`, its first [`HEAD`] bytes.
    pub(super) fn of(head: &[u8]) -> Start {
        if head.starts_with(b"\x7fELF") {
            return Start::Binary;
        }
        let Some(line) = head.strip_prefix(b"#!") else {
            return Start::Neither;
        };
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let line = line.trim_matches([' ', '\t']);
        let (interpreter, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        if interpreter.is_empty() {
            return Start::Neither;
        }
        Start::Script {
            interpreter: interpreter.to_owned(),
            argument: argument.trim_matches([' ', '\t']).to_owned(),
        }
    }
}

/// The program that `env` looks for with this one argument from the kernel; `None` if that is not certain.
pub(super) fn wanted_by_env(argument: &str) -> Option<&str> {
    let split = argument.strip_prefix("-S").map(str::trim_start);
    let word = match split {
        Some(words) => words.split([' ', '\t']).next().unwrap_or_default(),
        // Without -S, the whole argument is the name of one program.
        None => argument,
    };
    let plain =
        !word.is_empty() && !word.starts_with('-') && !word.contains(['=', '/', '\'', '"', '$', '\\']);
    plain.then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(interpreter: &str, argument: &str) -> Start {
        Start::Script {
            interpreter: interpreter.into(),
            argument: argument.into(),
        }
    }

    #[test]
    fn the_kind_of_a_program_is_decided_by_its_first_bytes_as_in_the_kernel() {
        for (head, start) in [
            (&b"\x7fELF\x02"[..], Start::Binary),
            (b"#!/bin/sh\necho\n", script("/bin/sh", "")),
            (b"#! \t/bin/sh  -e x \n", script("/bin/sh", "-e x")),
            (b"#!/bin/sh", script("/bin/sh", "")),
            (b"#!/bin/sh\r\n", script("/bin/sh\r", "")),
            (b"#!\n/bin/sh", Start::Neither),
            (b"# !/bin/sh", Start::Neither),
            (b"\xef\xbb\xbf#!/bin/sh", Start::Neither),
            (b"echo\n", Start::Neither),
            (b"", Start::Neither),
        ] {
            assert_eq!(Start::of(head), start, "{}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn env_looks_for_its_whole_argument_unless_it_splits_it() {
        for (argument, wanted) in [
            ("python3", Some("python3")),
            ("python3 -u", Some("python3 -u")),
            ("-S python3 -u", Some("python3")),
            ("-Spython3 -u", Some("python3")),
            ("-i sh", None),
            ("A=b sh", None),
            ("./x", None),
            ("", None),
        ] {
            assert_eq!(wanted_by_env(argument), wanted, "{argument}");
        }
    }
}
