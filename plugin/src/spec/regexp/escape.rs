//! The escapes, which begin with a backslash.

use super::RegexpError;
use super::pieces::Rest;

/// The code point that an escape represents.
pub(super) fn code_point(rest: &mut Rest<'_>) -> Result<u32, RegexpError> {
    let begin = *rest;
    rest.next();
    let Some(c) = rest.next() else {
        return Err(RegexpError::TrailingBackslash);
    };
    let code = match c {
        '0'..='7' => octal(rest, c),
        'x' => hexadecimal(rest),
        'a' => Some(0x07),
        'f' => Some(0x0C),
        'n' => Some(0x0A),
        'r' => Some(0x0D),
        't' => Some(0x09),
        'v' => Some(0x0B),
        // Before any of these, a backslash means only the character itself, also before < and >.
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c.into()),
        _ => None,
    };
    code.ok_or_else(|| RegexpError::Escape(begin.until(*rest)))
}

/// Up to three octal digits. A single one that is not 0 would be a reference to a group.
fn octal(rest: &mut Rest<'_>, first: char) -> Option<u32> {
    let digit = |rest: Rest<'_>| rest.peek().and_then(|c| c.to_digit(8));
    let mut code = first.to_digit(8)?;
    if code != 0 && digit(*rest).is_none() {
        return None;
    }
    for _ in 0..2 {
        let Some(next) = digit(*rest) else { break };
        code = code * 8 + next;
        rest.next();
    }
    Some(code)
}

/// Two hexadecimal digits, or any number of them in braces.
fn hexadecimal(rest: &mut Rest<'_>) -> Option<u32> {
    if !rest.skip("{") {
        let first = rest.next()?.to_digit(16)?;
        return Some(first * 16 + rest.next()?.to_digit(16)?);
    }
    let mut code = rest.next()?.to_digit(16)?;
    loop {
        match rest.next()? {
            '}' => return Some(code),
            c => code = code * 16 + c.to_digit(16)?,
        }
        if code > char::MAX.into() {
            return None;
        }
    }
}
