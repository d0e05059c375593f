//! What is written on a page, line by line, as far as the file says which letter each shape is.
//!
//! Good enough to be read out: it keeps the file's own order, which for letters printed from a word processor is the
//! order of reading. It knows nothing of columns and tables.

use hayro::hayro_interpret::font::GlyphRun;
use hayro::hayro_interpret::hayro_cmap::BfString;
use hayro::hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps,
    InterpreterCache, InterpreterSettings, SoftMask, interpret_page,
};
use hayro::hayro_syntax::page::Page;
use hayro::kurbo::{Affine, BezPath, Point, Rect};

/// Characters of one page; a page that says more is not read out to the end.
const LONGEST: usize = 20_000;
/// Letters that stand this much higher or lower (points) are on another line.
const NEW_LINE: f64 = 3.0;
/// Letters this many letter heights apart are in different words, even where the file writes no space.
const NEW_WORD: f64 = 1.1;

/// The page's lines; empty where the file does not say.
pub(super) fn text_of<'a>(page: &'a Page<'a>, settings: &InterpreterSettings) -> String {
    let (width, height) = page.render_dimensions();
    let target = Rect::new(0.0, 0.0, f64::from(width), f64::from(height));
    let cache = InterpreterCache::new();
    let transform = Affine::new(page.initial_transform(true).as_coeffs());
    let mut context = Context::new(transform, target, &cache, page.xref(), settings.clone());
    let mut reader = Reader::default();
    interpret_page(page, &mut context, &mut reader);
    reader.text.trim().to_owned()
}

/// A device that draws nothing and writes down.
#[derive(Default)]
struct Reader {
    text: String,
    last: Option<Point>,
}

impl Reader {
    fn letter(&mut self, letter: &str, at: Point, size: f64) {
        if self.text.len() + letter.len() >= LONGEST {
            return;
        }
        if let Some(last) = self.last {
            if (at.y - last.y).abs() > NEW_LINE {
                self.text.push('\n');
            } else if (at.x - last.x).abs() > size * NEW_WORD && !self.text.ends_with(' ') {
                self.text.push(' ');
            }
        }
        self.last = Some(at);
        // What a page shows has no control characters; one that claims to is not to confuse whoever reads it out.
        self.text
            .extend(letter.chars().filter(|sign| !sign.is_control()));
    }
}

impl<'a> Device<'a> for Reader {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, _: &DrawMode) {
        for glyph in run.glyphs() {
            let place = props.transform * glyph.transform();
            let at = place * Point::ORIGIN;
            // Glyphs are drawn in thousandths of their size.
            let size = place.determinant().abs().sqrt() * 1_000.0;
            match glyph.as_unicode() {
                Some(BfString::Char(letter)) => {
                    self.letter(letter.encode_utf8(&mut [0; 4]), at, size);
                }
                Some(BfString::String(letters)) => self.letter(&letters, at, size),
                None => {}
            }
        }
    }
    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn draw_image(&mut self, _: Image<'a, '_>, _: ImageDrawProps<'a>) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}
