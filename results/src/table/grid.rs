//! Rows and columns of text, split into several grids where they would be too wide.
//!
//! Apart from the formats, because text and markdown share the splitting and the padding.

/// A first column of labels, and columns under headings.
pub struct Grid {
    /// Heading of the label column.
    pub corner: String,
    /// One entry a row.
    pub labels: Vec<String>,
    /// Headings with one cell a row.
    pub columns: Vec<(String, Vec<String>)>,
}

fn width(heading: &str, cells: &[String]) -> usize {
    cells.iter().map(|cell| cell.chars().count()).chain([heading.chars().count()]).max().unwrap_or(0)
}

impl Grid {
    /// Splits into grids of at most `limit` characters a line, each with the labels again. A column
    /// that is too wide alone stands alone.
    pub fn split(self, limit: usize, between: usize) -> Vec<Self> {
        let label = width(&self.corner, &self.labels);
        let (mut grids, mut used) = (Vec::<Self>::new(), usize::MAX);
        for (heading, cells) in self.columns {
            let needed = width(&heading, &cells) + between;
            used = used.saturating_add(needed);
            if used > limit || grids.is_empty() {
                used = label + needed;
                let (corner, labels) = (self.corner.clone(), self.labels.clone());
                grids.push(Self { corner, labels, columns: Vec::new() });
            }
            if let Some(grid) = grids.last_mut() {
                grid.columns.push((heading, cells));
            }
        }
        grids
    }

    /// Lines of padded cells, the headings first; labels to the left, numbers to the right.
    pub fn lines(&self) -> Vec<Vec<String>> {
        let label = width(&self.corner, &self.labels);
        let widths: Vec<usize> = self.columns.iter().map(|(h, cells)| width(h, cells)).collect();
        let line = |first: &str, cell: &dyn Fn(usize) -> String| -> Vec<String> {
            let rest = widths.iter().enumerate().map(|(i, width)| format!("{:>width$}", cell(i)));
            std::iter::once(format!("{first:<label$}")).chain(rest).collect()
        };
        let heading = line(&self.corner, &|i| self.columns[i].0.clone());
        let rows = self.labels.iter().enumerate();
        let rows = rows.map(|(row, name)| line(name, &|i| self.columns[i].1[row].clone()));
        std::iter::once(heading).chain(rows).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_goes_into_the_next_grid() {
        let column = |name: &str| (name.to_owned(), vec!["12345678".to_owned()]);
        let grid = Grid {
            corner: String::new(),
            labels: vec!["label".into()],
            columns: ["a", "b", "c"].map(column).to_vec(),
        };
        let grids = grid.split(25, 2);
        assert_eq!(grids.iter().map(|grid| grid.columns.len()).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(grids[1].lines(), [["     ", "       c"], ["label", "12345678"]]);
    }
}
