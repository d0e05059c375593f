//! Who a person is and how they can be reached: parsed once at the edge, hidden in `Debug` ever after.
//!
//! Nothing here says whether a contact works or was verified; only that it is well formed.

mod address;
mod contact;
mod name;
mod nhs_number;

pub use address::{AddressError, PostalAddress};
pub use contact::{ContactError, Email, Mobile};
pub use name::{BirthDate, BirthDateError, NameError, PersonName};
pub use nhs_number::{NhsNumber, NhsNumberError};

/// `Debug` that names the type and hides the value, for everything that would identify somebody in a log.
macro_rules! hidden {
    ($($name:ident),+) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )+};
}
pub(crate) use hidden;
