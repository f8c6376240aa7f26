//! placeholder
fn main() -> anyhow::Result<()> {
    servers::host::run()
}
