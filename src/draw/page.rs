//! One page drawn: a picture and, where the file says it, what is written there. Runs only in the child.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hayro::hayro_interpret::{InterpreterSettings, InterpreterWarning};
use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::page::Page;
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings, render};

use super::text::text_of;

/// 150 dots per inch: small print stays readable at twice its size, an A4 page is 2.2 million pixels.
const SCALE: f32 = 150.0 / 72.0;
/// Pixels of one picture. A poster is drawn smaller.
const MOST_PIXELS: f32 = 2_500_000.0;
/// Pixels of one side; the renderer counts in 16 bits.
const LONGEST_SIDE: f32 = 4_000.0;

/// A page as the reader gets it.
#[derive(Clone, PartialEq, Eq)]
pub struct Drawn {
    pub width: u32,
    pub height: u32,
    pub png: Vec<u8>,
    /// Lines in the order in which the file writes them; empty where it does not say which letters it draws.
    pub text: String,
}

impl std::fmt::Debug for Drawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Drawn({}x{})", self.width, self.height)
    }
}

/// Draws every page; `None` where the file cannot be read, has more pages than `most`, or says something that cannot be
/// drawn as it is meant: a page without its picture or in another script is no letter that anybody has read.
pub(super) fn draw(file: &[u8], most: usize) -> Option<Vec<Drawn>> {
    let pdf = Pdf::new(file.to_vec()).ok()?;
    let pages = pdf.pages();
    if pages.is_empty() || pages.len() > most {
        return None;
    }
    let faithful = Arc::new(AtomicBool::new(true));
    let settings = InterpreterSettings {
        warning_sink: Arc::new({
            let faithful = Arc::clone(&faithful);
            move |warning| {
                // What is not drawn of a form's empty boxes takes no word away.
                if !matches!(warning, InterpreterWarning::UnresolvedAnnotationAppearance) {
                    faithful.store(false, Ordering::Relaxed);
                }
            }
        }),
        ..InterpreterSettings::default()
    };
    let drawn: Option<Vec<Drawn>> = pages
        .iter()
        .map(|page| draw_page(page, &settings))
        .collect();
    drawn.filter(|_| faithful.load(Ordering::Relaxed))
}

fn draw_page<'a>(page: &'a Page<'a>, settings: &InterpreterSettings) -> Option<Drawn> {
    let scale = scale_of(page.render_dimensions())?;
    let pixmap = render(
        page,
        &RenderCache::new(),
        settings,
        &RenderSettings::default(),
        &PixmapSettings {
            x_scale: scale,
            y_scale: scale,
            bg_color: WHITE,
        },
    );
    let (width, height) = (u32::from(pixmap.width()), u32::from(pixmap.height()));
    Some(Drawn {
        width,
        height,
        png: pixmap.into_png().ok()?,
        text: text_of(page, settings),
    })
}

/// How many pixels to a point; `None` for a page without a size.
fn scale_of((width, height): (f32, f32)) -> Option<f32> {
    if !(width >= 1.0 && height >= 1.0 && width.is_finite() && height.is_finite()) {
        return None;
    }
    let by_area = (MOST_PIXELS / (width * height)).sqrt();
    let by_side = LONGEST_SIDE / width.max(height);
    let scale = SCALE.min(by_area).min(by_side);
    // A page so odd that a side would vanish is no letter.
    (width * scale >= 1.0 && height * scale >= 1.0).then_some(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_any_size_stays_within_its_bounds() {
        for size in [
            (595.0, 842.0),
            (842.0, 595.0),
            (14_400.0, 14_400.0),
            (14_400.0, 20.0),
            (1.0, 1.0),
        ] {
            let scale = scale_of(size).expect("a page");
            let (width, height) = (size.0 * scale, size.1 * scale);
            assert!(width * height <= MOST_PIXELS * 1.001, "{size:?}");
            assert!(width.max(height) <= LONGEST_SIDE * 1.001, "{size:?}");
        }
        assert_eq!(scale_of((595.0, 842.0)), Some(SCALE));
        for odd in [
            (0.0, 842.0),
            (f32::NAN, 1.0),
            (f32::INFINITY, 1.0),
            (-5.0, 5.0),
        ] {
            assert_eq!(scale_of(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn a_letter_of_ours_is_drawn_page_by_page_with_its_words() {
        let drawn = draw(&crate::draw::tests::letter(), 20).expect("it is drawn");
        assert!(!drawn.is_empty());
        for page in &drawn {
            assert!(page.png.starts_with(b"\x89PNG"));
            assert_eq!(page.width, 1240);
        }
        let text = &drawn[0].text;
        for words in ["Margaret Jones", "eye clinic", "Tuesday"] {
            assert!(text.contains(words), "{words:?} is missing in {text:?}");
        }
    }

    /// One page that shows one picture, and writes one line in a font.
    fn scan(picture: &str, font: &str) -> Vec<u8> {
        let content = "q 200 0 0 200 50 50 cm /Im Do Q BT /F 12 Tf 50 700 Td (Dear Margaret) Tj ET";
        let objects = [
            "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
            "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</XObject<</Im 5 0 R>>/Font<</F 6 0 R>>>>>>".to_owned(),
            format!("<</Length {}>>stream\n{content}\nendstream", content.len()),
            picture.to_owned(),
            font.to_owned(),
        ];
        let mut file = "%PDF-1.7\n".to_owned();
        let mut places = Vec::new();
        for (number, object) in (1..).zip(objects) {
            places.push(file.len());
            file += &format!("{number} 0 obj\n{object}\nendobj\n");
        }
        let start = file.len();
        file += &format!("xref\n0 {}\n0000000000 65535 f \n", places.len() + 1);
        for place in &places {
            file += &format!("{place:010} 00000 n \n");
        }
        file += &format!(
            "trailer\n<</Size {}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF",
            places.len() + 1
        );
        file.into_bytes()
    }

    #[test]
    fn a_page_that_cannot_be_drawn_as_it_is_meant_is_no_letter() {
        let grey = "<</Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8/Length 1>>stream\nA\nendstream";
        let damaged = "<</Type/XObject/Subtype/Image/Width 900/Height 900/ColorSpace/DeviceGray/BitsPerComponent 8/Filter/DCTDecode/Length 7>>stream\ngarbage\nendstream";
        let helvetica = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>";
        let unknown = "<</Type/Font/Subtype/Nonsense/BaseFont/Nonsense>>";
        assert!(draw(&scan(grey, helvetica), 20).is_some());
        assert_eq!(draw(&scan(damaged, helvetica), 20), None, "its picture");
        assert_eq!(draw(&scan(grey, unknown), 20), None, "its letters");
    }

    #[test]
    fn what_is_no_letter_is_not_drawn() {
        assert_eq!(draw(b"%PDF-1.7\ngarbage", 20), None);
        assert_eq!(draw(b"", 20), None);
        assert_eq!(
            draw(&crate::draw::tests::letter(), 0),
            None,
            "too many pages"
        );
    }
}
