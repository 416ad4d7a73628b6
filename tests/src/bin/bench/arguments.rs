//! The command line of the benchmark.

pub(crate) const USAGE: &str = "\
usage: bench [--creates N] [--starts N] [--containers N] [--lives N] --plugin '[NAME=]COMMAND'...

  --plugin 'COMMAND'  a plugin to measure; {socket}, {hook-spec}, {state-dir} and {listening}, a configuration
                      that has metrics told and them read before memory is looked at, are replaced; split at
                      spaces, run without a shell; the others are compared with the first
  --creates N         calls of CreateContainer for each plugin (5000)
  --starts N          starts of each plugin (20)
  --containers N      containers in the large Synchronize (2000)
  --lives N           containers of each plugin that live from creation to removal (1000)";

/// What to measure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) plugins: Vec<String>,
    pub(crate) creates: usize,
    pub(crate) starts: usize,
    pub(crate) containers: usize,
    pub(crate) lives: usize,
}

impl Arguments {
    /// Reads the arguments of the process, without its name.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut parsed = Self {
            plugins: Vec::new(),
            creates: 5_000,
            starts: 20,
            containers: 2_000,
            lives: 1_000,
        };
        while let Some(option) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| anyhow::anyhow!("{option} needs a value"))
            };
            match option.as_str() {
                "--plugin" => parsed.plugins.push(value()?),
                "--creates" => parsed.creates = count(&option, &value()?)?,
                "--starts" => parsed.starts = count(&option, &value()?)?,
                "--lives" => parsed.lives = count(&option, &value()?)?,
                "--containers" => parsed.containers = count(&option, &value()?)?,
                _ => anyhow::bail!("unknown argument {option:?}"),
            }
        }
        anyhow::ensure!(!parsed.plugins.is_empty(), "there is no --plugin to measure");
        Ok(parsed)
    }
}

/// A number of things that are measured.
pub(crate) fn count(option: &str, value: &str) -> anyhow::Result<usize> {
    match value.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => anyhow::bail!("{option} needs a number above 0, not {value:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> anyhow::Result<Arguments> {
        Arguments::parse(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn plugins_keep_their_order_and_counts_their_defaults() {
        let arguments = parse("--plugin a --starts 3 --plugin b").unwrap();
        assert_eq!(arguments.plugins, ["a", "b"]);
        assert_eq!(
            (arguments.creates, arguments.starts, arguments.containers),
            (5_000, 3, 2_000)
        );
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        for line in [
            "--creates 5",
            "--plugin",
            "--plugin a --creates 0",
            "--plugin a --starts x",
            "--help",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
