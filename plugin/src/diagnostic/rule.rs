//! The rules about files, and the lints, by their stable names.

use std::fmt;

use serde::Serialize;

/// Defines [`Rule`]: each rule, its stable name, and its meaning.
macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $name:literal),* $(,)?) => {
        /// A rule that a file can break, or a lint that warns of something that is probably not intended. The
        /// names are stable: scripts may match them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub(crate) enum Rule {
            $($(#[$doc])* #[serde(rename = $name)] $rule,)*
        }

        impl Rule {
            /// The stable name, in kebab-case.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Rule::$rule => $name,)*
                }
            }
        }
    };
}

rules! {
    /// The text is UTF-8.
    InvalidUtf8 = "invalid-utf-8",
    /// The text does not begin with a byte order mark.
    ByteOrderMark = "byte-order-mark",
    /// The file is not empty.
    EmptyFile = "empty-file",
    /// The text is JSON.
    InvalidJson = "invalid-json",
    /// The text is TOML.
    InvalidToml = "invalid-toml",
    /// Nothing follows the JSON value.
    TrailingData = "trailing-data",
    /// Every stage is one that exists.
    UnknownStage = "unknown-stage",
    /// Every key is one that exists.
    UnknownKey = "unknown-key",
    /// Every required key is present.
    MissingKey = "missing-key",
    /// No key is in an object twice.
    DuplicateKey = "duplicate-key",
    /// Every value has the type that its key requires.
    WrongType = "wrong-type",
    /// A string consists of valid characters.
    InvalidString = "invalid-string",
    /// A value is one that its key allows.
    InvalidValue = "invalid-value",
    /// No string holds a NUL character: the kernel would cut it there.
    NulCharacter = "nul-character",
    /// A hook has a path (iSulad's rule).
    PathMissing = "path-missing",
    /// A path begins at `/` (iSulad's rule).
    PathNotAbsolute = "path-not-absolute",
    /// An environment entry is `KEY=VALUE` (iSulad's rule).
    EnvNotKeyValue = "env-not-key-value",
    /// An environment entry has a name before its `=`.
    EnvEmptyKey = "env-empty-key",
    /// No environment entry is for the dynamic loader, which would run what nobody checks.
    EnvForLoader = "env-for-loader",
    /// A timeout is a whole number (iSulad's rule).
    TimeoutNotInteger = "timeout-not-integer",
    /// A timeout is not 0 (iSulad's rule).
    TimeoutZero = "timeout-zero",
    /// A timeout is not negative (iSulad's rule).
    TimeoutNegative = "timeout-negative",
    /// A timeout fits an `int` of the OCI runtimes.
    TimeoutTooLarge = "timeout-too-large",
    /// The file exists (iSulad's rule).
    NotFound = "not-found",
    /// The file can be reached and read.
    PermissionDenied = "permission-denied",
    /// The file is regular (iSulad's rule).
    NotRegular = "not-regular",
    /// A path component in the place of a directory is a directory.
    NotDirectory = "not-directory",
    /// A hook-spec is at most 10 MiB (iSulad's rule); no string or list in it is longer than can be used.
    TooLarge = "too-large",
    /// Root owns the file, and every directory and link on the way (iSulad's rule, widened).
    OwnerNotRoot = "owner-not-root",
    /// Root alone may write the file, and every directory on the way unless sticky (as above).
    WritableByOthers = "writable-by-others",
    /// A hook has an execute bit (iSulad's rule).
    NotExecutable = "not-executable",
    /// A hook has no setuid or setgid bit.
    SetId = "set-id",
    /// A file in a directory that others may write to has only one name.
    HardLinked = "hard-linked",
    /// No user but root serves the file system of the file (FUSE).
    MountedByUser = "mounted-by-user",
    /// No link on the way leads each process to another file.
    ProcLink = "proc-link",
    /// At most 40 links on the way.
    TooManyLinks = "too-many-links",
    /// The path and its components are within the kernel's limits.
    NameTooLong = "name-too-long",
    /// The file stays the same while it is being checked.
    Changed = "changed",
    /// The file system of the file answers.
    NotAnswering = "not-answering",
    /// The file can be read.
    Unreadable = "unreadable",
    /// A lint: `args[0]`, which the program receives as its own name, is that name.
    Arg0NotProgram = "arg0-not-program",
    /// A lint: `env`, which is the whole environment, has a `PATH`.
    EnvWithoutPath = "env-without-path",
    /// A lint: a program that is text names its interpreter after `#!`.
    NoShebang = "no-shebang",
    /// A lint: the interpreter of a script exists on the node.
    InterpreterMissing = "interpreter-missing",
    /// A lint: neither a hook-spec nor a program is in a directory where others may create files.
    SharedDirectory = "shared-directory",
    /// A lint, on demand: iSulad reads the hook as we do.
    UnknownToIsulad = "unknown-to-isulad",
    /// The configured deliveries can run the stage.
    StageNotDeliverable = "stage-not-deliverable",
    /// A lint: the hooks of a stage end before the timeout of the runtime.
    TimeoutsTooLong = "timeouts-too-long",
    /// More errors follow than are listed.
    TooManyErrors = "too-many-errors",
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
