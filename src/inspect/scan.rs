//! The inspection itself: pages, encryption, and content that acts by itself. Runs only in the child.

use super::verdict::{Inspected, Refusal};
use hayro_syntax::Pdf;
use hayro_syntax::object::{Array, Dict, MaybeRef, Name, Object};

/// Nesting beyond this is no letter; real ones stay below ten.
const DEEPEST: u8 = 64;

/// Reads one file and judges it.
///
/// # Errors
/// The first reason found to refuse the file.
pub(super) fn scan(file: &[u8], most_pages: u32) -> Result<Inspected, Refusal> {
    if !file.starts_with(b"%PDF-") {
        return Err(Refusal::NotAPdf);
    }
    // The trailer is never compressed, so the key stands in plain bytes even where the empty password opens the file.
    if contains(file, b"/Encrypt") {
        return Err(Refusal::Encrypted);
    }
    let pdf = Pdf::new(file.to_vec()).map_err(|_| Refusal::Unreadable)?;
    for object in pdf.objects() {
        judge(&object, 0)?;
    }
    match u32::try_from(pdf.pages().len()).unwrap_or(u32::MAX) {
        0 => Err(Refusal::NoPages),
        pages if pages > most_pages => Err(Refusal::TooManyPages),
        pages => Ok(Inspected { pages }),
    }
}

/// Pages of a file that we made ourselves; nothing that came from outside is read here.
#[must_use]
pub fn page_count(own_file: &[u8]) -> Option<i32> {
    let pdf = Pdf::new(own_file.to_vec()).ok()?;
    i32::try_from(pdf.pages().len()).ok()
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

fn judge(object: &Object<'_>, depth: u8) -> Result<(), Refusal> {
    if depth > DEEPEST {
        return Err(Refusal::Unreadable);
    }
    match object {
        Object::Dict(dict) => judge_dict(dict, depth),
        Object::Stream(stream) => judge_dict(stream.dict(), depth),
        Object::Array(array) => judge_array(array, depth),
        _ => Ok(()),
    }
}

fn judge_array(array: &Array<'_>, depth: u8) -> Result<(), Refusal> {
    // References are met where the referred object stands in the file's own list.
    array.raw_iter().try_for_each(|item| match item {
        MaybeRef::NotRef(object) => judge(&object, depth + 1),
        MaybeRef::Ref(_) => Ok(()),
    })
}

fn judge_dict(dict: &Dict<'_>, depth: u8) -> Result<(), Refusal> {
    if let Some(action) = dict.get::<Name<'_>>(b"S".as_slice()) {
        judge_action(action.as_ref())?;
    }
    for (key, value) in dict.entries() {
        match key.as_ref() {
            b"JS" | b"JavaScript" => return Err(Refusal::Script),
            b"EmbeddedFiles" | b"EF" => return Err(Refusal::EmbeddedFile),
            b"XFA" => return Err(Refusal::Form),
            b"RichMediaContent" | b"RichMediaSettings" => return Err(Refusal::Media),
            _ => {}
        }
        if let MaybeRef::NotRef(object) = value {
            judge(&object, depth + 1)?;
        }
    }
    Ok(())
}

fn judge_action(name: &[u8]) -> Result<(), Refusal> {
    match name {
        b"JavaScript" => Err(Refusal::Script),
        b"Launch" | b"GoToR" | b"GoToE" => Err(Refusal::LaunchAction),
        b"SubmitForm" | b"ImportData" => Err(Refusal::Form),
        b"Rendition" | b"Movie" | b"Sound" | b"RichMediaExecute" => Err(Refusal::Media),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small but whole PDF; `extra` is put into the catalogue.
    fn pdf(pages: usize, extra: &str) -> Vec<u8> {
        let mut out = b"%PDF-1.7\n".to_vec();
        let mut offsets = Vec::new();
        let kids = (0..pages)
            .map(|n| format!("{} 0 R ", n + 3))
            .collect::<String>();
        let mut objects = vec![
            format!("<< /Type /Catalog /Pages 2 0 R {extra} >>"),
            format!("<< /Type /Pages /Kids [{kids}] /Count {pages} >>"),
        ];
        objects.extend(
            (0..pages)
                .map(|_| "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>".to_owned()),
        );
        for (index, body) in objects.iter().enumerate() {
            offsets.push(out.len());
            out.extend(format!("{} 0 obj\n{body}\nendobj\n", index + 1).bytes());
        }
        let start = out.len();
        out.extend(format!("xref\n0 {}\n0000000000 65535 f \n", offsets.len() + 1).bytes());
        for offset in &offsets {
            out.extend(format!("{offset:010} 00000 n \n").bytes());
        }
        out.extend(
            format!(
                "trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n",
                offsets.len() + 1
            )
            .bytes(),
        );
        out
    }

    #[test]
    fn a_plain_letter_passes_with_its_pages_counted() {
        assert_eq!(scan(&pdf(2, ""), 200), Ok(Inspected { pages: 2 }));
    }

    #[test]
    fn what_acts_by_itself_is_refused() {
        let cases = [
            (
                "/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >>",
                Refusal::Script,
            ),
            (
                "/OpenAction << /S /Launch /F (calc.exe) >>",
                Refusal::LaunchAction,
            ),
            (
                "/Names << /EmbeddedFiles << /Names [] >> >>",
                Refusal::EmbeddedFile,
            ),
            ("/AcroForm << /XFA [] >>", Refusal::Form),
            ("/AA << /WC << /S /SubmitForm >> >>", Refusal::Form),
            ("/Extra [ [ << /S /Movie >> ] ]", Refusal::Media),
        ];
        for (extra, refusal) in cases {
            assert_eq!(scan(&pdf(1, extra), 200), Err(refusal), "{extra}");
        }
    }

    #[test]
    fn bad_files_are_refused_with_a_reason() {
        assert_eq!(scan(b"<html>", 200), Err(Refusal::NotAPdf));
        assert_eq!(scan(b"%PDF-1.7\ngarbage", 200), Err(Refusal::Unreadable));
        assert_eq!(scan(&pdf(0, ""), 200), Err(Refusal::NoPages));
        assert_eq!(scan(&pdf(3, ""), 2), Err(Refusal::TooManyPages));
        assert_eq!(
            scan(&pdf(1, "/Encrypt << >>"), 200),
            Err(Refusal::Encrypted)
        );
    }

    #[test]
    fn deep_nesting_is_refused_and_not_followed() {
        let deep = format!("/Extra {}{}", "[".repeat(500), "]".repeat(500));
        assert_ne!(scan(&pdf(1, &deep), 200).ok(), Some(Inspected { pages: 9 }));
    }
}
