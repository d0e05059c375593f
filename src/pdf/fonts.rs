//! The two faces that our documents are set in, and how wide their glyphs are.
//!
//! Arimo (SIL Open Font Licence) has the widths of Arial. Never looks at the fonts of the machine.

use krilla::text::{Font, GlyphId, KrillaGlyph};
use rust_embed::RustEmbed;
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};

use super::PdfError;

#[derive(RustEmbed)]
#[folder = "web/dist/fonts"]
#[allow_missing = true]
struct FontFiles;

/// Both faces, parsed once and shared by all documents.
#[derive(Clone, Debug)]
pub struct Fonts {
    pub(super) regular: Face,
    pub(super) bold: Face,
}

impl Fonts {
    /// Reads both faces from the build.
    ///
    /// # Errors
    /// [`PdfError::Font`] where the web assets have not been built.
    pub fn load() -> Result<Self, PdfError> {
        Ok(Self {
            regular: Face::load("regular.ttf")?,
            bold: Face::load("bold.ttf")?,
        })
    }
}

/// One face with everything that line breaking and drawing need.
#[derive(Clone, Debug)]
pub(super) struct Face {
    pub(super) font: Font,
    bytes: std::sync::Arc<Vec<u8>>,
    units_per_em: f32,
}

impl Face {
    fn load(name: &'static str) -> Result<Self, PdfError> {
        let missing = || PdfError::Font { name };
        let bytes =
            std::sync::Arc::new(FontFiles::get(name).ok_or_else(missing)?.data.into_owned());
        let font = Font::new(bytes.clone().into(), 0).ok_or_else(missing)?;
        let units_per_em = font.units_per_em();
        FontRef::new(&bytes).map_err(|_| missing())?;
        Ok(Self {
            font,
            bytes,
            units_per_em,
        })
    }

    /// The glyphs of one line, widths relative to the font size. A character that the face lacks becomes `?`.
    pub(super) fn glyphs(&self, text: &str) -> Vec<KrillaGlyph> {
        let Ok(face) = FontRef::new(&self.bytes) else {
            return Vec::new();
        };
        let (charmap, metrics) = (
            face.charmap(),
            face.glyph_metrics(Size::unscaled(), LocationRef::default()),
        );
        let glyph_of = |sign: char| {
            charmap
                .map(sign)
                .or_else(|| charmap.map('?'))
                .unwrap_or_default()
        };
        text.char_indices()
            .map(|(start, sign)| {
                let glyph = glyph_of(sign);
                let advance = metrics
                    .advance_width(glyph)
                    .unwrap_or(self.units_per_em / 2.0)
                    / self.units_per_em;
                let id = GlyphId::new(glyph.to_u32());
                KrillaGlyph::new(
                    id,
                    advance,
                    0.0,
                    0.0,
                    0.0,
                    start..start + sign.len_utf8(),
                    None,
                )
            })
            .collect()
    }

    /// Width of a line in points.
    pub(super) fn width(&self, text: &str, size: f32) -> f32 {
        self.glyphs(text)
            .iter()
            .map(|glyph| glyph.x_advance * size)
            .sum()
    }
}
