//! The verdict: from the clients' journal and the sandbox's journal first; the database is heard as a witness.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::journal::{Fact, Line};
use crate::records::{Dispatch, Records};
use crate::rig::outside;
use crate::rig::world::Cast;

/// From the last question before a message leaves to its arrival in the sandbox's journal, on a busy machine.
const UNDER_WAY: TimeDelta = TimeDelta::seconds(2);
/// One objection of a kind may stand for thousands.
const SHOWN: usize = 5;

/// What the judges found.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) objections: Vec<String>,
    /// Figures that a reader wants to see, in the order in which they are found.
    pub(crate) figures: Vec<(&'static str, usize)>,
}

/// Everything that was written down.
pub(crate) struct Case<'a> {
    pub(crate) clients: &'a [Line],
    pub(crate) outside: &'a [outside::Line],
    pub(crate) records: &'a Records,
    pub(crate) cast: &'a Cast,
}

/// Hears everybody.
pub(crate) fn judge(case: &Case<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let letters = case.letters(&mut verdict);
    case.every_letter_is_there(&letters, &mut verdict);
    let printed = case.nothing_is_printed_twice(&mut verdict);
    case.every_letter_arrives(&letters, &printed, &mut verdict);
    case.messages_go_twice_only_after_an_unknown_outcome(&letters, &mut verdict);
    case.nothing_follows_the_opening(&mut verdict);
    verdict
        .figures
        .push(("broken invariants", case.records.broken.len()));
    verdict
        .objections
        .extend(case.records.broken.iter().cloned());
    verdict
}

/// A letter that the clients hold an acknowledgement of.
struct Known {
    letter: Uuid,
    patient: usize,
    opened: bool,
}

impl Verdict {
    fn object(&mut self, what: &str, whom: Vec<String>) {
        if !whom.is_empty() {
            let some = whom
                .iter()
                .take(SHOWN)
                .cloned()
                .collect::<Vec<_>>()
                .join(", ");
            self.objections
                .push(format!("{what}: {} ({some})", whom.len()));
        }
    }

    fn figure(&mut self, name: &'static str, count: usize) {
        self.figures.push((name, count));
    }
}

impl Case<'_> {
    /// Folds the clients' journal; the same id must always have had the same answer.
    fn letters(&self, verdict: &mut Verdict) -> BTreeMap<String, Known> {
        let mut letters: BTreeMap<String, Known> = BTreeMap::new();
        let (mut created, mut answers) = (HashSet::new(), 0);
        let (mut two_ids, mut twice, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for line in self.clients {
            match &line.fact {
                Fact::Acknowledged {
                    source_id,
                    letter,
                    status,
                    patient,
                } => {
                    answers += 1;
                    let new = || Known {
                        letter: *letter,
                        patient: *patient,
                        opened: false,
                    };
                    if letters.entry(source_id.clone()).or_insert_with(new).letter != *letter {
                        two_ids.push(source_id.clone());
                    }
                    if *status == 201 && !created.insert(source_id) {
                        twice.push(source_id.clone());
                    }
                }
                Fact::Refused {
                    source_id,
                    status,
                    code,
                } => refused.push(format!("{source_id}: {status} {code}")),
                Fact::Opened { source_id, .. } => {
                    if let Some(known) = letters.get_mut(source_id) {
                        known.opened = true;
                    }
                }
            }
        }
        verdict.figure("letters acknowledged", letters.len());
        verdict.figure("acknowledgements, repeats included", answers);
        verdict.figure(
            "opened by their patients",
            letters.values().filter(|known| known.opened).count(),
        );
        verdict.object("one id of the trust, two letters", two_ids);
        verdict.object("created twice (two 201)", twice);
        verdict.object("refused although nothing was wrong with them", refused);
        letters
    }

    fn every_letter_is_there(&self, letters: &BTreeMap<String, Known>, verdict: &mut Verdict) {
        let there = |(source_id, known): &(&String, &Known)| {
            self.records
                .letters
                .get(*source_id)
                .is_some_and(|letter| letter.id == known.letter)
        };
        let lost = letters
            .iter()
            .filter(|each| !there(each))
            .map(|(source_id, _)| source_id.clone())
            .collect();
        verdict.object("acknowledged and lost", lost);
        let opened = |(source_id, known): &(&String, &Known)| {
            !known.opened
                || self
                    .records
                    .letters
                    .get(*source_id)
                    .is_some_and(|letter| letter.opened_at.is_some())
        };
        let closed = letters
            .iter()
            .filter(|each| !opened(each))
            .map(|(source_id, _)| source_id.clone())
            .collect();
        verdict.object(
            "opened before the patient's eyes, and not opened in the records",
            closed,
        );
    }

    /// Answers which letters lie on a doormat.
    fn nothing_is_printed_twice(&self, verdict: &mut Verdict) -> HashSet<String> {
        let mut copies: BTreeMap<String, usize> = BTreeMap::new();
        for line in self.outside.iter().filter(|line| line.kind == "printed") {
            *copies.entry(line.text("letter_id").to_owned()).or_default() += 1;
        }
        verdict.figure("letters printed", copies.len());
        verdict.figure(
            "batches that appeared twice, printed once",
            self.outside_count("batch_duplicate"),
        );
        let twice = copies
            .iter()
            .filter(|(_, copies)| **copies > 1)
            .map(|(id, n)| format!("{id} {n} times"));
        verdict.object("printed twice", twice.collect());
        copies.into_keys().collect()
    }

    fn every_letter_arrives(
        &self,
        letters: &BTreeMap<String, Known>,
        printed: &HashSet<String>,
        verdict: &mut Verdict,
    ) {
        let records = self.records;
        let (mut silent, mut unsaid, mut going_on) = (Vec::new(), Vec::new(), 0);
        for (source_id, known) in letters {
            let record = records.letters.get(source_id);
            let opened = record.is_some_and(|letter| letter.opened_at.is_some());
            let on_paper = printed.contains(&known.letter.to_string());
            let waits = records.in_progress.contains(&known.letter)
                || records.handed_over.contains(&known.letter);
            going_on += usize::from(waits);
            if !opened && !on_paper && !waits {
                silent.push(source_id.clone());
            }
            if record.is_some_and(|letter| letter.posted) && !on_paper {
                unsaid.push(source_id.clone());
            }
        }
        verdict.figure("letters with a next step to come", going_on);
        verdict.object("neither opened nor printed, and nothing to come", silent);
        verdict.object("called posted, and never printed", unsaid);
    }

    fn messages_go_twice_only_after_an_unknown_outcome(
        &self,
        letters: &BTreeMap<String, Known>,
        verdict: &mut Verdict,
    ) {
        let mut mails: BTreeMap<Uuid, usize> = BTreeMap::new();
        for mail in self
            .outside
            .iter()
            .filter(|line| line.kind == "mail_accepted")
        {
            *mails.entry(key_of(mail.text("message_id"))).or_default() += 1;
        }
        verdict.figure("mails", mails.values().sum());
        verdict.figure(
            "mails that went twice after an unknown outcome",
            mails.values().filter(|n| **n == 2).count(),
        );
        let too_many = |(key, n): &(&Uuid, &usize)| **n > self.allowed(**key);
        let twice = mails
            .iter()
            .filter(too_many)
            .map(|(key, n)| format!("{key} {n} times"));
        verdict.object(
            "mails sent again without an unknown outcome before",
            twice.collect(),
        );
        self.texts(letters, verdict);
    }

    /// Texts carry no key, so they are counted by number.
    fn texts(&self, letters: &BTreeMap<String, Known>, verdict: &mut Verdict) {
        let mut texts: BTreeMap<&str, usize> = BTreeMap::new();
        for text in self
            .outside
            .iter()
            .filter(|line| line.kind == "text_accepted")
        {
            *texts.entry(text.text("to")).or_default() += 1;
        }
        let mut allowed: HashMap<&str, usize> = HashMap::new();
        for known in letters.values() {
            if let Some(mobile) = &self.cast.patients[known.patient].mobile {
                *allowed.entry(mobile).or_default() += self.allowed_texts(known.letter);
            }
        }
        verdict.figure("texts", texts.values().sum());
        let too_many = |(to, n): &(&&str, &usize)| **n > allowed.get(**to).copied().unwrap_or(0);
        let twice = texts
            .iter()
            .filter(too_many)
            .map(|(to, n)| format!("{to} {n} times"));
        verdict.object(
            "texts sent again without an unknown outcome before",
            twice.collect(),
        );
    }

    fn allowed_texts(&self, letter: Uuid) -> usize {
        let texts = self.records.texts_of.get(&letter);
        texts
            .into_iter()
            .flatten()
            .map(|key| self.allowed(*key))
            .sum()
    }

    /// How often the message with this key may have gone out.
    fn allowed(&self, key: Uuid) -> usize {
        1 + usize::from(self.records.possible_duplicates.contains(&key))
    }

    /// What was on its way already when the patient opened the letter is exempt, and counted.
    fn nothing_follows_the_opening(&self, verdict: &mut Verdict) {
        let opened: HashMap<Uuid, DateTime<Utc>> =
            self.clients.iter().filter_map(opening).collect();
        let by_text: HashMap<&str, &Dispatch> = self
            .records
            .dispatches
            .values()
            .filter_map(referenced)
            .collect();
        let (mut late, mut under_way) = (Vec::new(), 0);
        for line in self.outside {
            let dispatch = match line.kind.as_str() {
                "mail_accepted" => self
                    .records
                    .dispatches
                    .get(&key_of(line.text("message_id"))),
                "text_accepted" => by_text.get(line.text("sid")).copied(),
                _ => None,
            };
            let Some(dispatch) = dispatch else { continue };
            if opened.get(&dispatch.letter).is_none_or(|at| line.at <= *at) {
                continue;
            }
            let exempt = self.left_before_the_opening(dispatch)
                || line.at <= opened[&dispatch.letter] + UNDER_WAY;
            under_way += usize::from(exempt);
            if !exempt {
                late.push(format!("{} of {}", dispatch.channel, dispatch.letter));
            }
        }
        verdict.figure(
            "messages under way while the letter was being opened",
            under_way,
        );
        verdict.object("messages after the letter was opened", late);
        self.no_paper_follows_the_opening(&opened, verdict);
    }

    fn left_before_the_opening(&self, dispatch: &Dispatch) -> bool {
        let opened_at = self.records.opened_at.get(&dispatch.letter).copied();
        dispatch
            .left_at
            .zip(opened_at)
            .is_some_and(|(left, opened)| left <= opened)
    }

    fn no_paper_follows_the_opening(
        &self,
        opened: &HashMap<Uuid, DateTime<Utc>>,
        verdict: &mut Verdict,
    ) {
        let mut late = Vec::new();
        for line in self.outside.iter().filter(|line| line.kind == "printed") {
            let Ok(letter) = line.text("letter_id").parse::<Uuid>() else {
                continue;
            };
            let closed = self.records.batch_closed.get(&letter);
            let opened_at = self.records.opened_at.get(&letter).copied();
            let frozen_before = closed
                .zip(opened_at)
                .is_some_and(|(closed, opened)| *closed <= opened);
            if opened.get(&letter).is_some_and(|at| line.at > *at) && !frozen_before {
                late.push(letter.to_string());
            }
        }
        verdict.object("printed although opened before the batch closed", late);
    }

    fn outside_count(&self, kind: &str) -> usize {
        self.outside.iter().filter(|line| line.kind == kind).count()
    }
}

fn opening(line: &Line) -> Option<(Uuid, DateTime<Utc>)> {
    match &line.fact {
        Fact::Opened { letter, .. } => Some((*letter, line.at)),
        Fact::Acknowledged { .. } | Fact::Refused { .. } => None,
    }
}

fn referenced(dispatch: &Dispatch) -> Option<(&str, &Dispatch)> {
    dispatch
        .reference
        .as_deref()
        .map(|reference| (reference, dispatch))
}

/// `<key@domain>`; nil where it is none of ours, which then is one too many.
fn key_of(message_id: &str) -> Uuid {
    let key = message_id
        .trim_start_matches('<')
        .split('@')
        .next()
        .unwrap_or_default();
    key.parse().unwrap_or_default()
}
