//! Intake against a real database: what is promised to trusts and patients.

mod publish;
