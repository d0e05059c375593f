//! The rules of Letterbox: what a letter may become, when it is overdue, who may see it, which words are sent.
//!
//! For everyone who must decide something: the actors, the commands and the pages ask here and then act.
//! Nothing here reads a clock, opens a connection, waits, or knows how a value is stored or sent: the
//! instant is handed in, effects happen elsewhere, and every boundary owns its own form of these types.
//!
//! In reading order: who and what ([`id`], [`person`]), who may join ([`joining`]), when ([`time`]), the things themselves ([`letter`],
//! [`appointment`]), who may see them ([`circle`]), what happened ([`event`], [`mailbox`]), what must happen
//! next ([`policy`], [`ladder`], [`case`], [`dispatch`]), and what people read ([`promise`], [`route`],
//! [`message`], [`reminder`]) and what they choose ([`choice`]).

pub mod account_mail;
pub mod appointment;
pub mod case;
pub mod change_request;
pub mod choice;
pub mod circle;
pub mod dispatch;
pub mod dispute;
pub mod event;
pub mod id;
pub mod invitation;
pub mod joining;
pub mod ladder;
pub mod letter;
pub mod mailbox;
pub mod message;
pub mod month;
pub mod person;
pub mod policy;
pub mod promise;
pub mod reminder;
pub mod route;
pub mod time;
