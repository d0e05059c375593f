//! Letters drawn by the real confined child: within its bounds, whole or not at all.

use std::time::Duration;

use bytes::Bytes;
use letterbox::draw::{DrawError, Drawer, Limits};

use crate::rig::hospital::one_page;

fn drawer(most_pages: usize, memory_bytes: u64) -> Drawer {
    Drawer::new(Limits {
        program: env!("CARGO_BIN_EXE_letterbox").into(),
        children: 1,
        patience: Duration::from_secs(60),
        wall: Duration::from_secs(60),
        memory_bytes,
        most_pages,
    })
}

#[tokio::test]
async fn a_letter_is_drawn_by_a_process_without_rights() {
    let pages = drawer(30, 402_653_184).draw(&Bytes::from(one_page())).await;
    let pages = pages.expect("it is drawn");
    assert_eq!(pages.len(), 1);
    assert!(pages[0].png.starts_with(b"\x89PNG"));
    assert!(pages[0].width > 500 && pages[0].height > 500);
}

#[tokio::test]
async fn a_letter_beyond_its_bounds_is_not_drawn_at_all() {
    let letter = Bytes::from(one_page());
    let beyond = |answer: Result<Vec<_>, DrawError>| matches!(answer, Err(DrawError::Beyond));
    assert!(beyond(drawer(0, 402_653_184).draw(&letter).await), "pages");
    assert!(beyond(drawer(30, 1_000_000).draw(&letter).await), "memory");
    let rubbish = Bytes::from_static(b"%PDF-1.7\ngarbage");
    assert!(beyond(drawer(30, 402_653_184).draw(&rubbish).await));
}
