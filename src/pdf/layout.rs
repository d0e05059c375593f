//! Breaks headings, paragraphs, facts and an address into lines and places them on A4 pages.
//!
//! Breaks between words only; knows nothing of hospitals, and draws nothing itself (see `draw.rs`).

use chrono::NaiveDate;

use super::fonts::{Face, Fonts};

/// Points per millimetre.
const MM: f32 = 72.0 / 25.4;
pub(super) const PAGE: (f32, f32) = (210.0 * MM, 297.0 * MM);
pub(super) const LEFT: f32 = 24.6 * MM;
pub(super) const RIGHT: f32 = PAGE.0 - 20.0 * MM;
pub(super) const RULE_AT: f32 = 27.0 * MM;
pub(super) const FOOT_AT: f32 = PAGE.1 - 13.0 * MM;
const TOP: f32 = 22.0 * MM;
const BOTTOM: f32 = PAGE.1 - 22.0 * MM;
/// The address window of a C5 or DL envelope: 24.6 mm from the left, 39.5 mm from the top, 26.8 mm high.
/// Seven lines of ten points fill it; a printer's own figures would replace these.
const WINDOW_TOP: f32 = 39.5 * MM;
const WINDOW_LINE: f32 = 26.8 * MM / 7.0;
const WINDOW_LINES: usize = 7;
const WINDOW_SIZE: f32 = 10.0;
/// Where the sender's own lines stand, right of the window.
const SENDER_LEFT: f32 = 128.0 * MM;
/// The body starts below the window, clear of the fold.
const BODY_TOP: f32 = 88.0 * MM;

/// Size of the body text: 12 points is the least in NHS letters, 18 is large print.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum TextSize {
    Standard,
    Large,
}

impl TextSize {
    fn points(self) -> f32 {
        match self {
            Self::Standard => 12.0,
            Self::Large => 18.0,
        }
    }
}

/// One part of the body, in reading order.
#[derive(Clone, Debug)]
pub(super) enum Block {
    Heading(String),
    Subheading(String),
    Paragraph(String),
    /// Label and value, one row each.
    Facts(Vec<(&'static str, String)>),
    Bullets(Vec<String>),
}

/// A letter before it is set.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    pub(super) title: String,
    pub(super) sender: String,
    /// Right of the address window: department, telephone.
    pub(super) sender_lines: Vec<String>,
    /// Lines beyond the seventh would leave the window; they are joined to it.
    pub(super) address_lines: Vec<String>,
    pub(super) date: NaiveDate,
    pub(super) size: TextSize,
    pub(super) body: Vec<Block>,
}

/// One line of text on one page. Lines of one cell are one paragraph, heading, label or value.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) page: usize,
    /// Left end of the base line, in points from the top left corner.
    pub(super) at: (f32, f32),
    pub(super) text: String,
    pub(super) bold: bool,
    pub(super) size: f32,
    pub(super) cell: usize,
}

/// Cells of the letter head, each a paragraph of its own, before those of the body.
pub(super) fn head_cells(sheet: &Sheet) -> usize {
    3 + sheet.sender_lines.len()
}

/// All lines of the sheet in reading order, and how many pages they take.
pub(super) fn place(fonts: &Fonts, sheet: &Sheet) -> (Vec<Line>, usize) {
    let mut setter = Setter {
        fonts,
        base: sheet.size.points(),
        lines: Vec::new(),
        cells: 0,
        page: 0,
        y: 0.0,
    };
    setter.head(sheet);
    setter.y = BODY_TOP;
    for block in &sheet.body {
        setter.block(block);
    }
    (setter.lines, setter.page + 1)
}

struct Setter<'f> {
    fonts: &'f Fonts,
    base: f32,
    lines: Vec<Line>,
    cells: usize,
    page: usize,
    /// Top of the next line.
    y: f32,
}

impl Setter<'_> {
    fn head(&mut self, sheet: &Sheet) {
        self.fixed(LEFT, TOP, 15.0, true, &sheet.sender);
        let mut y = WINDOW_TOP;
        for line in &sheet.sender_lines {
            self.fixed(SENDER_LEFT, y + WINDOW_SIZE, WINDOW_SIZE, false, line);
            y += WINDOW_LINE;
        }
        for (index, line) in window_lines(&sheet.address_lines).iter().enumerate() {
            let y = WINDOW_TOP
                + WINDOW_SIZE
                + WINDOW_LINE * f32::from(u8::try_from(index).unwrap_or(u8::MAX));
            self.line((LEFT, y), WINDOW_SIZE, false, line);
        }
        self.cells += 1;
        self.fixed(
            LEFT,
            BODY_TOP - 10.0 * MM,
            self.base,
            false,
            &sheet.date.format("%-d %B %Y").to_string(),
        );
    }

    fn block(&mut self, block: &Block) {
        let base = self.base;
        match block {
            Block::Heading(text) => self.heading(text, base * 1.35),
            Block::Subheading(text) => self.heading(text, base * 1.1),
            Block::Paragraph(text) => {
                self.cell(LEFT, RIGHT, base, false, text);
                self.y += base * 0.75;
            }
            Block::Facts(rows) => self.facts(rows),
            Block::Bullets(items) => self.bullets(items),
        }
    }

    /// A heading never stands alone at the foot of a page.
    fn heading(&mut self, text: &str, size: f32) {
        self.room(size * 1.4 + self.base * 4.2);
        self.cell(LEFT, RIGHT, size, true, text);
        self.y += self.base * 0.5;
    }

    fn facts(&mut self, rows: &[(&'static str, String)]) {
        let middle = LEFT + 46.0 * MM;
        for (label, value) in rows {
            self.room(self.base * 2.8);
            let top = self.y;
            self.cell(LEFT, middle, self.base, true, label);
            let below_label = self.y;
            self.y = top;
            self.cell(middle, RIGHT, self.base, false, value);
            self.y = self.y.max(below_label) + self.base * 0.25;
        }
        self.y += self.base * 0.5;
    }

    fn bullets(&mut self, items: &[String]) {
        let indent = LEFT + 6.0 * MM;
        for item in items {
            self.room(self.base * 2.8);
            let top = self.y;
            self.cell(LEFT + 1.5 * MM, indent, self.base, false, "•");
            self.y = top;
            self.cell(indent, RIGHT, self.base, false, item);
            self.y += self.base * 0.25;
        }
        self.y += self.base * 0.5;
    }

    /// One cell of running text, broken to fit between `left` and `right`.
    fn cell(&mut self, left: f32, right: f32, size: f32, bold: bool, text: &str) {
        let leading = size * 1.4;
        for line in broken(self.face(bold), text, size, right - left) {
            self.room(leading);
            self.line((left, self.y + size), size, bold, &line);
            self.y += leading;
        }
        self.cells += 1;
    }

    /// One cell of one line at a place of its own.
    fn fixed(&mut self, x: f32, y: f32, size: f32, bold: bool, text: &str) {
        self.line((x, y), size, bold, text);
        self.cells += 1;
    }

    fn line(&mut self, at: (f32, f32), size: f32, bold: bool, text: &str) {
        self.lines.push(Line {
            page: self.page,
            at,
            text: text.to_owned(),
            bold,
            size,
            cell: self.cells,
        });
    }

    /// Starts a page where less than `height` is left.
    fn room(&mut self, height: f32) {
        if self.y + height > BOTTOM {
            self.page += 1;
            self.y = TOP;
        }
    }

    fn face(&self, bold: bool) -> &Face {
        if bold {
            &self.fonts.bold
        } else {
            &self.fonts.regular
        }
    }
}

/// The address as it fits the window.
fn window_lines(address: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = address.iter().take(WINDOW_LINES).cloned().collect();
    for surplus in address.iter().skip(WINDOW_LINES) {
        if let Some(last) = lines.last_mut() {
            last.push_str(", ");
            last.push_str(surplus);
        }
    }
    lines
}

/// Greedy line breaking; a word wider than the column keeps a line of its own.
fn broken(face: &Face, text: &str, size: f32, width: f32) -> Vec<String> {
    let space = face.width(" ", size);
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0.0;
    for word in text.split_whitespace() {
        let wide = face.width(word, size);
        match lines.last_mut() {
            Some(line) if used + space + wide <= width => {
                line.push(' ');
                line.push_str(word);
                used += space + wide;
            }
            _ => {
                lines.push(word.to_owned());
                used = wide;
            }
        }
    }
    lines
}
