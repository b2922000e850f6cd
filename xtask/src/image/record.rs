//! How large has it become, and where is that written down?

use std::fmt;
use std::fs;

use anyhow::Context;

use super::platform::Platform;
use crate::workspace::Workspace;

/// The page with the table of sizes.
const PAGE: &str = "docs/reference/image.md";

/// The size of the image for one platform, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) platform: Platform,
    pub(crate) binary: usize,
    /// The compressed layer, which is what is pulled.
    pub(crate) layer: usize,
}

/// Writes the sizes into the table; rows of other platforms stay as they are.
pub(crate) fn write(workspace: &Workspace, version: &str, sizes: &[Size]) -> anyhow::Result<()> {
    let file = workspace.root.join(PAGE);
    let mut page = fs::read_to_string(&file).with_context(|| format!("cannot read {PAGE}"))?;
    for size in sizes {
        page = with_row(&page, *size, version)
            .with_context(|| format!("{PAGE} has no row of a table for {}", size.platform))?;
    }
    fs::write(&file, page).with_context(|| format!("cannot write {PAGE}"))
}

/// The page with the row of this platform replaced; None where there is none.
fn with_row(page: &str, size: Size, version: &str) -> Option<String> {
    let begin = format!("| {} |", size.platform);
    let old = page.lines().find(|line| line.starts_with(&begin))?;
    let row = format!("{begin} {version} | {} | {} |", megabytes(size.binary), megabytes(size.layer));
    Some(page.replacen(old, &row, 1))
}

/// With two digits behind the point.
fn megabytes(bytes: usize) -> String {
    let hundredths = (bytes + 5_000) / 10_000;
    format!("{}.{:02} MB", hundredths / 100, hundredths % 100)
}

// === impl Size ===

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { platform, binary, layer } = self;
        write!(
            f,
            "{platform}: binary {} ({binary} bytes), compressed layer {}",
            megabytes(*binary),
            megabytes(*layer)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_row_of_the_platform_that_was_built_changes() {
        let page = "text\n| linux/amd64 | 0.1.0 | 1.00 MB | 1.00 MB |\n| linux/arm64 | – | – | – |\n";
        let size = Size { platform: Platform::Arm64, binary: 9_870_056, layer: 4_084_999 };
        let expected = "text\n| linux/amd64 | 0.1.0 | 1.00 MB | 1.00 MB |\n| linux/arm64 | 0.2.0 | 9.87 MB | 4.08 MB |\n";
        assert_eq!(with_row(page, size, "0.2.0").as_deref(), Some(expected));
        assert_eq!(with_row("text\n", size, "0.2.0"), None);
    }
}
