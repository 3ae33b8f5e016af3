//! The bytes of records: canonical Cap'n Proto, read back only when they are.

use super::*;
use crate::journal_capnp as wire;
use crate::wire::{canonical, none64, open, set, some64, text};
use capnp::message::{Builder, HeapAllocator};

pub(super) const EFFECTS: [Effect; 5] =
    [Effect::Pure, Effect::Read, Effect::Idempotent, Effect::Compensable, Effect::Irreversible];

impl Record {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        layout::call(self).unwrap_or_else(|| self.built())
    }

    /// The canonical bytes, of any record.
    pub(super) fn built(&self) -> Vec<u8> {
        let mut message = Builder::new(HeapAllocator::new().first_segment_words(128));
        let mut record = message.init_root::<wire::record::Builder<'_>>();
        record.set_at(self.at);
        record.set_yields(self.yields);
        record.set_together(self.together);
        match &self.body {
            Body::RunStarted(started) => put_started(record.init_run_started(), started),
            Body::Intent(intent) => put_intent(record.init_intent(), intent),
            Body::Outcome(outcome) => put_outcome(record.init_outcome(), outcome),
            Body::Unknown { request } => record.set_unknown(*request),
            Body::Resolved(resolved) => {
                let mut row = record.init_resolved();
                row.set_request(resolved.request);
                row.set_how(u8::from(resolved.happened.is_some()));
                if let Some(output) = resolved.happened {
                    row.set_output(&output.0);
                }
                set!(row.set_by = resolved.by);
            }
            Body::TimerFired { timer } => record.set_timer_fired(some64(*timer)),
            Body::CancelRequested { by } => record.set_cancel_requested(by.as_str()),
            Body::LimitsRaised(limits) => put_limits(record.init_limits_raised(), *limits),
            Body::Checkpoint { artifact } => record.set_checkpoint(&artifact.0),
            Body::Parked { reason } => record.set_parked(reason.as_str()),
            Body::RunFinished(finished) => put_finished(record.init_run_finished(), finished),
            Body::ApprovalRequested(asked) => put_asked(record.init_approval_requested(), asked),
            Body::ApprovalDecided(decided) => put_decided(record.init_approval_decided(), decided),
            Body::RollbackRequested(rollback) => {
                let mut row = record.init_rollback_requested();
                set!(row.set_to = rollback.to);
                set!(row.set_by = rollback.by);
                if !rollback.done.is_empty() {
                    put_texts(row.init_done(rollback.done.len() as u32), &rollback.done);
                }
            }
            Body::Upgraded { program } => record.set_upgraded(&program.0),
        }
        canonical(message)
    }

    /// Do these bytes say that they are a checkpoint? Nothing else of them is looked at.
    pub fn is_checkpoint(bytes: &[u8]) -> bool {
        let segments = [bytes];
        let Ok(message) = open(&segments) else { return false };
        let root = message.get_root::<wire::record::Reader<'_>>();
        root.is_ok_and(|root| matches!(root.which(), Ok(wire::record::Which::Checkpoint(_))))
    }

    /// The record of its canonical bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Record, RecordError> {
        if bytes.len() > RECORD {
            return Err(RecordError::TooLarge(bytes.len()));
        }
        let segments = [bytes];
        let message = open(&segments).map_err(|reason| RecordError::Malformed(reason.into()))?;
        let root = message.get_root::<wire::record::Reader<'_>>()?;
        let record = Record {
            at: root.get_at(),
            yields: root.get_yields(),
            together: root.get_together(),
            body: body(root.which()?)?,
        };
        if record.to_bytes() == bytes { Ok(record) } else { Err(RecordError::NotCanonical) }
    }
}

fn body(which: wire::record::WhichReader<'_>) -> Result<Body, RecordError> {
    use wire::record::Which;
    Ok(match which {
        Which::RunStarted(row) => Body::RunStarted(Box::new(started(row?)?)),
        Which::Intent(row) => Body::Intent(Box::new(intent(row?)?)),
        Which::Outcome(row) => Body::Outcome(Box::new(outcome(row?)?)),
        Which::Unknown(request) => Body::Unknown { request },
        Which::Resolved(row) => {
            let row = row?;
            let happened = if row.get_how() == 1 { Some(hash(row.get_output()?)?) } else { None };
            Body::Resolved(Box::new(Resolved { request: row.get_request(), happened, by: text(row.get_by())? }))
        }
        Which::TimerFired(timer) => Body::TimerFired { timer: none64(timer) },
        Which::CancelRequested(by) => Body::CancelRequested { by: text(by)? },
        Which::LimitsRaised(row) => Body::LimitsRaised(limits(row?)),
        Which::Checkpoint(artifact) => Body::Checkpoint { artifact: hash(artifact?)? },
        Which::Parked(reason) => Body::Parked { reason: text(reason)? },
        Which::RunFinished(row) => Body::RunFinished(Box::new(finished(row?)?)),
        Which::ApprovalRequested(row) => Body::ApprovalRequested(Box::new(asked(row?)?)),
        Which::ApprovalDecided(row) => Body::ApprovalDecided(Box::new(decided(row?)?)),
        Which::RollbackRequested(row) => {
            let row = row?;
            let done = texts(row.get_done()?)?;
            Body::RollbackRequested(Box::new(RollbackRequested {
                to: text(row.get_to())?,
                done,
                by: text(row.get_by())?,
            }))
        }
        Which::Upgraded(program) => Body::Upgraded { program: hash(program?)? },
    })
}

fn hash(data: &[u8]) -> Result<Checksum, RecordError> {
    data.try_into().map(Checksum).map_err(|_| RecordError::Malformed("a checksum is 32 bytes".into()))
}

fn hash_or_none(data: &[u8]) -> Result<Option<Checksum>, RecordError> {
    if data.is_empty() { Ok(None) } else { hash(data).map(Some) }
}

fn put_limits(mut row: wire::limits::Builder<'_>, limits: RunLimits) {
    row.set_calls(some64(limits.calls));
    row.set_money(some64(limits.money));
    row.set_tokens(some64(limits.tokens));
}

fn limits(row: wire::limits::Reader<'_>) -> RunLimits {
    RunLimits { calls: none64(row.get_calls()), money: none64(row.get_money()), tokens: none64(row.get_tokens()) }
}

fn put_started(mut row: wire::run_started::Builder<'_>, started: &RunStarted) {
    set!(row.set_run = started.run);
    row.set_program(&started.program.0);
    set!(row.set_file = started.file);
    row.set_input(&started.input.0);
    if started.limits != RunLimits::default() {
        put_limits(row.reborrow().init_limits(), started.limits);
    }
    row.set_timeout_ms(some64(started.timeout_ms));
    set!(row.set_workspace = started.workspace);
    if !started.params.is_empty() {
        let mut list = row.reborrow().init_params(started.params.len() as u32);
        for (at, (name, value)) in started.params.iter().enumerate() {
            let mut param = list.reborrow().get(at as u32);
            set!(param.set_name = name);
            set!(param.set_value = value);
        }
    }
    row.set_mock(started.mock);
    set!(row.set_principal = started.principal);
    set!(row.set_version = started.version);
    if let Some(forked) = &started.forked {
        let mut row = row.reborrow().init_forked();
        set!(row.set_run = forked.run);
        set!(row.set_key = forked.key);
        if let Some(input) = forked.input {
            row.set_input(&input.0);
        }
    }
    if let Some(cassette) = &started.cassette {
        let mut row = row.reborrow().init_cassette();
        set!(row.set_file = cassette.file);
        row.set_replay(cassette.replay);
    }
}

fn started(row: wire::run_started::Reader<'_>) -> Result<RunStarted, RecordError> {
    let param = |param: wire::param::Reader<'_>| Ok((text(param.get_name())?, text(param.get_value())?));
    Ok(RunStarted {
        run: text(row.get_run())?,
        program: hash(row.get_program()?)?,
        file: text(row.get_file())?,
        input: hash(row.get_input()?)?,
        limits: limits(row.get_limits()?),
        timeout_ms: none64(row.get_timeout_ms()),
        workspace: text(row.get_workspace())?,
        params: row.get_params()?.iter().map(param).collect::<Result<_, RecordError>>()?,
        mock: row.get_mock(),
        principal: text(row.get_principal())?,
        version: text(row.get_version())?,
        forked: if row.has_forked() { Some(forked(row.get_forked()?)?) } else { None },
        cassette: if row.has_cassette() { Some(cassette(row.get_cassette()?)?) } else { None },
    })
}

fn cassette(row: wire::cassette::Reader<'_>) -> Result<Cassette, RecordError> {
    Ok(Cassette { file: text(row.get_file())?, replay: row.get_replay() })
}

fn forked(row: wire::forked::Reader<'_>) -> Result<Forked, RecordError> {
    Ok(Forked { run: text(row.get_run())?, key: text(row.get_key())?, input: hash_or_none(row.get_input()?)? })
}

fn put_intent(mut row: wire::intent::Builder<'_>, intent: &Intent) {
    row.set_request(intent.request);
    set!(row.set_key = intent.key);
    row.set_attempt(intent.attempt);
    set!(row.set_worker = intent.worker);
    row.set_effect(intent.effect as u8);
    row.set_digest(&intent.digest);
    row.set_expires(some64(intent.expires));
    set!(row.set_undo = intent.undo);
    row.set_deadline_ms(some64(intent.deadline_ms));
    row.set_money(some64(intent.money));
    row.set_tokens(some64(intent.tokens));
}

fn intent(row: wire::intent::Reader<'_>) -> Result<Intent, RecordError> {
    let effect = EFFECTS.get(usize::from(row.get_effect())).copied();
    Ok(Intent {
        request: row.get_request(),
        key: text(row.get_key())?,
        attempt: row.get_attempt(),
        worker: text(row.get_worker())?,
        effect: effect.ok_or_else(|| RecordError::Malformed("an effect of no class".into()))?,
        digest: hash(row.get_digest()?)?.0,
        expires: none64(row.get_expires()),
        undo: text(row.get_undo())?,
        deadline_ms: none64(row.get_deadline_ms()),
        money: none64(row.get_money()),
        tokens: none64(row.get_tokens()),
    })
}

fn put_outcome(mut row: wire::outcome::Builder<'_>, outcome: &Outcome) {
    row.set_request(outcome.request);
    set!(row.set_key = outcome.key);
    row.set_attempt(outcome.attempt);
    set!(row.set_worker = outcome.worker);
    match &outcome.result {
        Ok(output) => {
            row.set_artifact(&output.artifact.0);
            if let Some(verdict) = &output.verdict {
                set!(row.set_verdict = verdict);
            }
        }
        Err((kind, error)) => {
            row.set_kind(*kind as u8);
            put_error(row.reborrow().init_error(), error);
        }
    }
    row.set_money(outcome.money);
    row.set_tokens(outcome.tokens);
    row.set_micros(outcome.micros);
    row.set_output_tokens(outcome.output_tokens);
    row.set_waited_ms(outcome.waited_ms);
    set!(row.set_taken = outcome.taken);
}

fn outcome(row: wire::outcome::Reader<'_>) -> Result<Outcome, RecordError> {
    let result = match (hash_or_none(row.get_artifact()?)?, row.has_error()) {
        (Some(artifact), false) => Ok(Output { artifact, verdict: text_or_none(row.get_verdict())? }),
        (None, true) => {
            let kind = EndKind::ALL.get(usize::from(row.get_kind())).copied();
            let kind = kind.ok_or_else(|| RecordError::Malformed("an ending of no kind".into()))?;
            Err((kind, error(row.get_error()?)?))
        }
        _ => return Err(RecordError::Malformed("a call returns a value, or fails".into())),
    };
    Ok(Outcome {
        request: row.get_request(),
        key: text(row.get_key())?,
        attempt: row.get_attempt(),
        worker: text(row.get_worker())?,
        result,
        money: row.get_money(),
        tokens: row.get_tokens(),
        output_tokens: row.get_output_tokens(),
        micros: row.get_micros(),
        waited_ms: row.get_waited_ms(),
        taken: text(row.get_taken())?,
    })
}

fn put_texts(mut list: capnp::text_list::Builder<'_>, texts: &[String]) {
    for (at, text) in texts.iter().enumerate() {
        list.set(at as u32, text.as_str());
    }
}

fn texts(list: capnp::text_list::Reader<'_>) -> Result<Vec<String>, RecordError> {
    Ok(list.iter().map(text).collect::<capnp::Result<_>>()?)
}

fn put_asked(mut row: wire::approval_requested::Builder<'_>, asked: &ApprovalRequested) {
    row.set_request(asked.request);
    set!(row.set_key = asked.key);
    set!(row.set_worker = asked.worker);
    set!(row.set_question = asked.question);
    if !asked.choices.is_empty() {
        put_texts(row.reborrow().init_choices(asked.choices.len() as u32), &asked.choices);
    }
    row.set_subject(&asked.subject);
    row.set_expires(some64(asked.expires));
}

fn asked(row: wire::approval_requested::Reader<'_>) -> Result<ApprovalRequested, RecordError> {
    Ok(ApprovalRequested {
        request: row.get_request(),
        key: text(row.get_key())?,
        worker: text(row.get_worker())?,
        question: text(row.get_question())?,
        choices: texts(row.get_choices()?)?,
        subject: hash(row.get_subject()?)?.0,
        expires: none64(row.get_expires()),
    })
}

fn put_decided(mut row: wire::approval_decided::Builder<'_>, decided: &ApprovalDecided) {
    row.set_request(decided.request);
    row.set_subject(&decided.subject);
    if let Some(verdict) = &decided.verdict {
        set!(row.set_verdict = verdict);
    }
    set!(row.set_comment = decided.comment);
    if let Some(edited) = decided.edited {
        row.set_edited(&edited.0);
    }
    set!(row.set_by = decided.by);
}

fn decided(row: wire::approval_decided::Reader<'_>) -> Result<ApprovalDecided, RecordError> {
    Ok(ApprovalDecided {
        request: row.get_request(),
        subject: hash(row.get_subject()?)?.0,
        verdict: text_or_none(row.get_verdict())?,
        comment: text(row.get_comment())?,
        edited: hash_or_none(row.get_edited()?)?,
        by: text(row.get_by())?,
    })
}

fn text_or_none(field: capnp::Result<capnp::text::Reader<'_>>) -> Result<Option<String>, RecordError> {
    Ok(Some(text(field)?).filter(|text| !text.is_empty()))
}

fn put_error(mut row: wire::error::Builder<'_>, error: &Error) {
    set!(row.set_code = error.code);
    set!(row.set_message = error.message);
    set!(row.set_step = error.step);
}

fn error(row: wire::error::Reader<'_>) -> Result<Error, RecordError> {
    Ok(Error { code: text(row.get_code())?, message: text(row.get_message())?, step: text(row.get_step())? })
}

fn put_finished(mut row: wire::run_finished::Builder<'_>, finished: &RunFinished) {
    set!(row.set_status = finished.status);
    if let Some(output) = &finished.output {
        row.set_output(&output.artifact.0);
        if let Some(verdict) = &output.verdict {
            set!(row.set_verdict = verdict);
        }
    }
    if let Some(error) = &finished.error {
        put_error(row.reborrow().init_error(), error);
    }
    if !finished.not_undone.is_empty() {
        put_texts(row.reborrow().init_not_undone(finished.not_undone.len() as u32), &finished.not_undone);
    }
}

fn finished(row: wire::run_finished::Reader<'_>) -> Result<RunFinished, RecordError> {
    let verdict = text_or_none(row.get_verdict())?;
    Ok(RunFinished {
        status: text(row.get_status())?,
        output: hash_or_none(row.get_output()?)?.map(|artifact| Output { artifact, verdict }),
        error: if row.has_error() { Some(error(row.get_error()?)?) } else { None },
        not_undone: texts(row.get_not_undone()?)?,
    })
}
