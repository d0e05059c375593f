//! Draws placed lines into a PDF/A-2a and PDF/UA-1 file: every line is tagged, every ornament marked as one.

use std::num::NonZeroU16;

use chrono::Datelike;
use krilla::color::rgb;
use krilla::configure::{Accessibility, Archival, Configuration, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::geom::{PathBuilder, Point};
use krilla::metadata::{DateTime, Metadata};
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::{Fill, Paint, Stroke};
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, ListNumbering, SpanTag, TableHeaderScope, Tag,
    TagGroup, TagKind, TagTree,
};
use krilla::{Document, SerializeSettings};

use super::PdfError;
use super::fonts::Fonts;
use super::layout::{Block, FOOT_AT, LEFT, Line, PAGE, RIGHT, RULE_AT, Sheet, head_cells, place};

/// Red, green, blue.
type Ink = (u8, u8, u8);
const INK: Ink = (33, 43, 50);
const BLUE: Ink = (0, 94, 184);
const GREY: Ink = (66, 85, 99);

/// Sets and draws the sheet.
///
/// # Errors
/// [`PdfError::Invalid`] names the rule of PDF/A or PDF/UA that the file would break.
pub(super) fn draw(fonts: &Fonts, sheet: &Sheet) -> Result<Vec<u8>, PdfError> {
    let settings = SerializeSettings {
        configuration: archival_and_accessible()?,
        ..SerializeSettings::default()
    };
    let mut document = Document::new_with(settings);
    let (lines, pages) = place(fonts, sheet);
    let mut cells: Vec<Vec<Identifier>> = Vec::new();
    for number in 0..pages {
        let size = PageSettings::from_wh(PAGE.0, PAGE.1)
            .ok_or_else(|| PdfError::Invalid("page size".to_owned()))?;
        let mut page = document.start_page_with(size);
        let mut surface = page.surface();
        for line in lines.iter().filter(|line| line.page == number) {
            let identifier = text(&mut surface, fonts, line);
            cells.resize_with(cells.len().max(line.cell + 1), Vec::new);
            cells[line.cell].push(identifier);
        }
        ornaments(&mut surface, fonts, sheet, number, pages);
        surface.finish();
        page.finish();
    }
    document.set_metadata(metadata(sheet));
    document.set_outline(outline(sheet));
    document.set_tag_tree(tag_tree(sheet, cells));
    document
        .finish()
        .map_err(|error| PdfError::Invalid(format!("{error:?}")))
}

fn archival_and_accessible() -> Result<Configuration, PdfError> {
    ConfigurationBuilder::new()
        .with_archival_validator(Archival::A2_A)
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .map_err(|error| PdfError::Invalid(format!("{error:?}")))
}

/// The date of the letter stands for the date of making, so that the same letter has the same bytes.
fn metadata(sheet: &Sheet) -> Metadata {
    let small = |number: u32| u8::try_from(number).unwrap_or(1);
    let made = DateTime::new(u16::try_from(sheet.date.year()).unwrap_or(1970))
        .month(small(sheet.date.month()))
        .day(small(sheet.date.day()))
        .hour(0)
        .minute(0)
        .second(0)
        .utc_offset_hour(0)
        .utc_offset_minute(0);
    Metadata::new()
        .title(sheet.title.clone())
        .authors(vec![sheet.sender.clone()])
        .language("en-GB".to_owned())
        .creation_date(made)
}

fn outline(sheet: &Sheet) -> Outline {
    let mut outline = Outline::new();
    let top = XyzDestination::new(0, Point::from_xy(0.0, 0.0));
    outline.push_child(OutlineNode::new(sheet.title.clone(), top));
    outline
}

/// Rule below the sender on the first page, page number on every page: not part of what is read aloud.
fn ornaments(surface: &mut Surface<'_>, fonts: &Fonts, sheet: &Sheet, page: usize, pages: usize) {
    if page == 0 {
        surface.start_tagged(ContentTag::Artifact(Artifact::new(
            ArtifactType::Layout,
            None,
        )));
        let mut path = PathBuilder::new();
        path.move_to(LEFT, RULE_AT);
        path.line_to(RIGHT, RULE_AT);
        surface.set_fill(None);
        surface.set_stroke(Some(Stroke {
            paint: paint(BLUE),
            width: 1.5,
            ..Stroke::default()
        }));
        if let Some(path) = path.finish() {
            surface.draw_path(&path);
        }
        surface.set_stroke(None);
        surface.end_tagged();
    }
    surface.start_tagged(ContentTag::Artifact(Artifact::new(
        ArtifactType::Footer,
        None,
    )));
    glyphs(
        surface,
        fonts,
        (LEFT, FOOT_AT),
        9.0,
        (false, GREY),
        &format!("{} · page {} of {pages}", sheet.sender, page + 1),
    );
    surface.end_tagged();
}

fn text(surface: &mut Surface<'_>, fonts: &Fonts, line: &Line) -> Identifier {
    let identifier = surface.start_tagged(ContentTag::Span(SpanTag::empty()));
    let ink = if line.cell == 0 { BLUE } else { INK };
    // A space ends the line, or a screen reader would run its last word into the next line's first.
    glyphs(
        surface,
        fonts,
        line.at,
        line.size,
        (line.bold, ink),
        &format!("{} ", line.text),
    );
    surface.end_tagged();
    identifier
}

fn glyphs(
    surface: &mut Surface<'_>,
    fonts: &Fonts,
    at: (f32, f32),
    size: f32,
    look: (bool, Ink),
    text: &str,
) {
    let face = if look.0 { &fonts.bold } else { &fonts.regular };
    surface.set_fill(Some(Fill {
        paint: paint(look.1),
        ..Fill::default()
    }));
    surface.draw_glyphs(
        Point::from_xy(at.0, at.1),
        &face.glyphs(text),
        face.font.clone(),
        text,
        size,
        false,
    );
}

fn paint((red, green, blue): Ink) -> Paint {
    rgb::Color::new(red, green, blue).into()
}

/// What each cell is to a screen reader, in reading order.
fn tag_tree(sheet: &Sheet, cells: Vec<Vec<Identifier>>) -> TagTree {
    let mut cells = cells.into_iter();
    let mut tree = TagTree::new().with_lang(Some("en-GB".to_owned()));
    let mut leaf = |tag: TagKind| {
        let mut group = TagGroup::new(tag);
        for identifier in cells.next().unwrap_or_default() {
            group.push(identifier);
        }
        group
    };
    for _ in 0..head_cells(sheet) {
        tree.push(leaf(Tag::P.into()));
    }
    for block in &sheet.body {
        tree.push(match block {
            Block::Heading(title) => leaf(heading(NonZeroU16::MIN, title)),
            Block::Subheading(title) => leaf(heading(NonZeroU16::MIN.saturating_add(1), title)),
            Block::Paragraph(_) => leaf(Tag::P.into()),
            Block::Facts(rows) => {
                let pairs = rows.iter().map(|_| {
                    let label = leaf(Tag::TH(TableHeaderScope::Row).into());
                    TagGroup::with_children(
                        Tag::TR,
                        vec![label.into(), leaf(Tag::TD.into()).into()],
                    )
                    .into()
                });
                TagGroup::with_children(Tag::Table, pairs.collect())
            }
            Block::Bullets(items) => {
                let entries = items.iter().map(|_| {
                    let sign = leaf(Tag::Lbl.into());
                    TagGroup::with_children(
                        Tag::LI,
                        vec![sign.into(), leaf(Tag::LBody.into()).into()],
                    )
                    .into()
                });
                TagGroup::with_children(Tag::L(ListNumbering::Disc), entries.collect())
            }
        });
    }
    tree
}

fn heading(level: NonZeroU16, title: &str) -> TagKind {
    Tag::Hn(level, Some(title.to_owned())).into()
}
