//! A hook that records how it was run; see [`e2e::hooks::record`].

fn main() -> anyhow::Result<()> {
    e2e::hooks::record::write()
}
