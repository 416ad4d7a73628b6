//! The flags of a group, as in `(?i)` and `(?s-m:...)`.

use super::RegexpError;
use super::pieces::Rest;

/// The flags that are set. `U` is read and ignored: it changes the length of a match, not whether there is
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Flags {
    /// `i`: upper and lower case are equal.
    pub(super) fold_case: bool,
    /// `m`: `^` and `$` match at lines too.
    pub(super) multi_line: bool,
    /// `s`: `.` matches a line feed.
    pub(super) dot_is_all: bool,
}

/// The meaning of a `(?` at the start of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// A group in which these flags hold.
    Group(Flags),
    /// Not a group: the flags hold from here on.
    Flags(Flags),
}

/// Reads the text after `(?`; `flags` are the flags so far.
pub(super) fn opening(rest: &mut Rest<'_>, flags: Flags) -> Result<Opening, RegexpError> {
    let begin = *rest;
    rest.skip("(?");
    // Go requires a character after the <.
    let is_named = rest.has("<") || (rest.has("P<") && rest.len() > 2);
    if is_named {
        rest.skip("P");
        rest.skip("<");
        return name(rest, begin).map(|()| Opening::Group(flags));
    }
    let (mut flags, mut value, mut is_complete) = (flags, true, true);
    while let Some(c) = rest.next() {
        let flag = match c {
            'i' => &mut flags.fold_case,
            'm' => &mut flags.multi_line,
            's' => &mut flags.dot_is_all,
            'U' => &mut false,
            '-' if value => {
                (value, is_complete) = (false, false);
                continue;
            }
            ':' if is_complete => return Ok(Opening::Group(flags)),
            ')' if is_complete => return Ok(Opening::Flags(flags)),
            _ => break,
        };
        *flag = value;
        is_complete = true;
    }
    Err(RegexpError::Group(begin.until(*rest)))
}

/// Reads the name of a group, which is not used further.
fn name(rest: &mut Rest<'_>, begin: Rest<'_>) -> Result<(), RegexpError> {
    let name = rest.take_through(">");
    let is_valid =
        |name: &str| !name.is_empty() && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    match name {
        Some(name) if is_valid(name) => Ok(()),
        _ => Err(RegexpError::GroupName(begin.until(*rest))),
    }
}
