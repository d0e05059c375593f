//! The wire between nodes. It may lose, double, reorder or delay anything: it only makes things quicker.

use letterbox_domain::event::Event;

/// Rings other nodes.
pub trait Bus: Send + Sync + 'static {
    /// Passes events on, or drops them when there is no room. Never waits.
    fn ring(&self, events: &[Event]);
}

/// No wire: this node is alone, or the others find out by comparing heads, within a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalBus;

impl Bus for LocalBus {
    fn ring(&self, _: &[Event]) {}
}
