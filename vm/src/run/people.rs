//! What a run asks of people, and of probes: questions, decisions, whether something happened.

use super::{DecideError, Decided, Do, Probed, Progress, Question, Run};
use crate::action::{Answer, Call, CallError, RequestId, Usage};
use crate::machine::CompleteError;
use aivm_schema::journal::{ApprovalDecided, ApprovalRequested, Body, Link, RECORD};
use aivm_schema::module::EndKind;

impl Run {
    /// A person is asked: the record first, then whoever should know.
    pub(super) fn ask(&mut self, request: RequestId) {
        let Some(under_way) = self.calls.get_mut(&request) else { return };
        under_way.state = Progress::Asked;
        let (call, stop) = (under_way.call.clone(), under_way.stop);
        if stop {
            return self.stopped.push_back(request);
        }
        let facts = self.facts(call.worker);
        let after = call.deadline_ms.or(facts.and_then(|facts| facts.timeout_ms));
        let expires = after.map(|ms| self.now.saturating_add(ms.saturating_mul(super::MILLISECOND)));
        if let Some(under_way) = self.calls.get_mut(&request) {
            under_way.expires = expires;
        }
        let Some(question) = self.question(request) else { return };
        if self.recording {
            let worker = self.facts(call.worker).map_or_else(String::new, |facts| facts.name.clone());
            let mut shown = question.question.clone();
            super::told::cut(&mut shown, super::told::MESSAGE);
            let mut room = RECORD / 4;
            let fits = |word: &&String| room.checked_sub(word.len() + 16).inspect(|left| room = *left).is_some();
            let row = ApprovalRequested {
                request: request.0,
                key: call.key.text(),
                worker,
                question: shown,
                choices: question.choices.iter().take_while(fits).cloned().collect(),
                subject: question.subject,
                expires,
            };
            self.tell(self.now, Body::ApprovalRequested(Box::new(row)));
        }
        self.say(Do::Ask(Box::new(question)), true);
    }

    /// Of exactly what a person decides: whom, what about, between which words.
    pub(super) fn subject(&self, call: &Call) -> [u8; 32] {
        let mut link = Link(self.digest(call));
        for (at, word) in (1..).zip(self.machine.words(call.request)) {
            link = link.then(at, word.as_bytes());
        }
        link.0
    }

    fn question(&self, request: RequestId) -> Option<Question> {
        let under_way = self.calls.get(&request).filter(|under_way| under_way.state == Progress::Asked)?;
        let call = under_way.call.clone();
        Some(Question {
            question: self.facts(call.worker)?.question.clone()?,
            choices: self.machine.words(request).into_iter().map(str::to_owned).collect(),
            subject: self.subject(&call),
            expires: under_way.expires,
            call,
        })
    }

    /// What people are asked now.
    pub fn questions(&self) -> Vec<Question> {
        self.calls.keys().filter_map(|request| self.question(*request)).collect()
    }

    /// A person has decided. The decision counts once, for exactly what was asked, while the question stands.
    pub fn decide(&mut self, at: u64, request: RequestId, decided: Decided) -> Result<(), DecideError> {
        let question = self.question(request).ok_or(DecideError::NotAsked)?;
        if question.subject != decided.subject {
            return Err(DecideError::OtherSubject);
        }
        if question.expires.is_some_and(|expires| expires <= at) {
            return Err(DecideError::Expired);
        }
        if let Some(word) = decided.verdict.as_ref().filter(|word| !question.choices.contains(word)) {
            return Err(DecideError::NoChoice(word.clone()));
        }
        let Decided { subject, verdict, mut comment, edited, by } = decided;
        super::told::cut(&mut comment, super::told::MESSAGE);
        let row = ApprovalDecided {
            request: request.0,
            subject,
            verdict: verdict.clone(),
            comment,
            edited: edited.as_ref().map(|edited| edited.checksum()),
            by,
        };
        self.tell(at, Body::ApprovalDecided(Box::new(row)));
        let output = edited.unwrap_or(question.call.input);
        let answer = Answer::Done { output, verdict, usage: Usage::default() };
        self.answered(at, request, answer, 0).map_err(|_| DecideError::NotAsked)
    }

    /// When the first question expires that nobody has answered.
    pub(super) fn next_expiry(&self) -> Option<u64> {
        let asked = self.calls.values().filter(|under_way| under_way.state == Progress::Asked);
        asked.filter_map(|under_way| under_way.expires).min()
    }

    /// Nobody answered a question in time. Was there one?
    pub(super) fn expire(&mut self, at: u64) -> bool {
        let over = |under_way: &super::UnderWay| {
            under_way.state == Progress::Asked && under_way.expires.is_some_and(|expires| expires <= at)
        };
        let Some(request) = self.calls.iter().find(|(_, under_way)| over(under_way)).map(|(request, _)| *request)
        else {
            return false;
        };
        let error = CallError { code: "E0712".into(), message: "nobody answered in time".into(), step: String::new() };
        let answer = Answer::Failed { kind: EndKind::Timeout, error, usage: Usage::default() };
        self.answered(at, request, answer, 0).is_ok()
    }

    /// Has somebody found out whether an unknown call happened? Then it is settled; else it waits for a person.
    pub(super) fn probe(&mut self, request: RequestId) {
        let Some(under_way) = self.calls.get(&request) else { return };
        if !self.facts(under_way.call.worker).is_some_and(|facts| facts.probed) {
            return;
        }
        if let Some(under_way) = self.calls.get_mut(&request) {
            under_way.state = Progress::Unknown { probing: true };
            let call = under_way.call.clone();
            self.say(Do::Probe(call), true);
        }
    }

    /// What a probe found out.
    pub fn probed(&mut self, at: u64, request: RequestId, probed: Probed, by: &str) -> Result<(), CompleteError> {
        let happened = match probed {
            Probed::Happened(output) => Some((output, None)),
            Probed::NotHappened => None,
            Probed::NotKnown => {
                let under_way = self.calls.get_mut(&request).ok_or(CompleteError::Unknown(request))?;
                if let Progress::Unknown { probing } = &mut under_way.state {
                    *probing = false;
                }
                return Ok(());
            }
        };
        self.resolve(at, request, happened, by)
    }
}
