use super::bytes::EFFECTS;
use super::*;
use proptest::prelude::*;

fn checksum() -> impl Strategy<Value = Checksum> {
    any::<[u8; 32]>().prop_map(Checksum)
}

fn words() -> impl Strategy<Value = String> {
    "[a-z#/0-9ü]{0,12}"
}

fn option<S: Strategy<Value: Clone> + 'static>(of: S) -> impl Strategy<Value = Option<S::Value>> {
    proptest::option::of(of)
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 1..100u64, Just(u64::MAX - 1)]
}

fn limits() -> impl Strategy<Value = RunLimits> {
    (option(number()), option(number()), option(number())).prop_map(|(calls, money, tokens)| RunLimits {
        calls,
        money,
        tokens,
    })
}

fn error() -> impl Strategy<Value = Error> {
    (words(), words(), words()).prop_map(|(code, message, step)| Error { code, message, step })
}

fn output() -> impl Strategy<Value = Output> {
    (checksum(), option("[a-z]{1,8}")).prop_map(|(artifact, verdict)| Output { artifact, verdict })
}

prop_compose! {
    fn started()(
        (run, program, file, input) in (words(), checksum(), words(), checksum()),
        (limits, timeout_ms, workspace) in (limits(), option(number()), words()),
        params in proptest::collection::vec((words(), words()), 0..3),
        (mock, principal, version) in (any::<bool>(), words(), words()),
        forked in option((words(), words(), option(checksum())).prop_map(|(run, key, input)| Forked { run, key, input })),
        cassette in option((words(), any::<bool>()).prop_map(|(file, replay)| Cassette { file, replay })),
    ) -> RunStarted {
        RunStarted {
            run, program, file, input, limits, timeout_ms, workspace, params, mock, principal, version, forked, cassette,
        }
    }
}

prop_compose! {
    fn intent()(
        (request, key, attempt, worker) in (number(), words(), any::<u32>(), words()),
        (effect, digest, expires, undo) in (0..5usize, any::<[u8; 32]>(), option(number()), words()),
        (deadline_ms, money, tokens) in (option(number()), option(number()), option(number())),
    ) -> Intent {
        let effect = EFFECTS[effect];
        Intent { request, key, attempt, worker, effect, digest, expires, undo, deadline_ms, money, tokens }
    }
}

prop_compose! {
    fn outcome()(
        (request, key, attempt, worker) in (number(), words(), any::<u32>(), words()),
        result in prop_oneof![
            output().prop_map(Ok),
            (0..4usize, error()).prop_map(|(kind, error)| Err((EndKind::ALL[kind], error))),
        ],
        (money, tokens, micros, taken) in (number(), number(), number(), words()),
        (output_tokens, waited_ms) in (number(), number()),
    ) -> Outcome {
        Outcome { request, key, attempt, worker, result, money, tokens, output_tokens, micros, waited_ms, taken }
    }
}

fn records() -> impl Strategy<Value = Record> {
    let finished = (words(), option(output()), option(error()), proptest::collection::vec(words(), 0..3))
        .prop_map(|(status, output, error, not_undone)| RunFinished { status, output, error, not_undone });
    let resolved =
        (number(), option(checksum()), words()).prop_map(|(request, happened, by)| Resolved { request, happened, by });
    let asked = (
        number(),
        words(),
        words(),
        words(),
        proptest::collection::vec(words(), 0..3),
        any::<[u8; 32]>(),
        option(number()),
    )
        .prop_map(|(request, key, worker, question, choices, subject, expires)| ApprovalRequested {
            request,
            key,
            worker,
            question,
            choices,
            subject,
            expires,
        });
    let decided = (number(), any::<[u8; 32]>(), option("[a-z]{1,8}"), words(), option(checksum()), words()).prop_map(
        |(request, subject, verdict, comment, edited, by)| ApprovalDecided {
            request,
            subject,
            verdict,
            comment,
            edited,
            by,
        },
    );
    let rollback = (words(), proptest::collection::vec(words(), 0..3), words())
        .prop_map(|(to, done, by)| RollbackRequested { to, done, by });
    let body = prop_oneof![
        asked.prop_map(|asked| Body::ApprovalRequested(Box::new(asked))),
        decided.prop_map(|decided| Body::ApprovalDecided(Box::new(decided))),
        rollback.prop_map(|rollback| Body::RollbackRequested(Box::new(rollback))),
        checksum().prop_map(|program| Body::Upgraded { program }),
        started().prop_map(|started| Body::RunStarted(Box::new(started))),
        intent().prop_map(|intent| Body::Intent(Box::new(intent))),
        outcome().prop_map(|outcome| Body::Outcome(Box::new(outcome))),
        number().prop_map(|request| Body::Unknown { request }),
        resolved.prop_map(|resolved| Body::Resolved(Box::new(resolved))),
        option(number()).prop_map(|timer| Body::TimerFired { timer }),
        words().prop_map(|by| Body::CancelRequested { by }),
        limits().prop_map(Body::LimitsRaised),
        checksum().prop_map(|artifact| Body::Checkpoint { artifact }),
        words().prop_map(|reason| Body::Parked { reason }),
        finished.prop_map(|finished| Body::RunFinished(Box::new(finished))),
    ];
    (number(), number(), any::<bool>(), body).prop_map(|(at, yields, together, body)| Record {
        at,
        yields,
        together,
        body,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_written_is_read(record in records()) {
        prop_assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
    }

    #[test]
    fn what_is_written_by_hand_is_what_the_library_writes(record in records()) {
        prop_assert_eq!(record.to_bytes(), record.built());
    }

    #[test]
    fn a_changed_bit_is_refused_or_says_another_record(record in records(), at in any::<prop::sample::Index>()) {
        let mut bytes = record.to_bytes();
        let at = at.index(bytes.len() * 8);
        bytes[at / 8] ^= 1 << (at % 8);
        if let Ok(other) = Record::from_bytes(&bytes) {
            prop_assert_ne!(&other, &record);
            prop_assert_eq!(other.to_bytes(), bytes);
        }
    }

    #[test]
    fn bytes_from_strangers_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = Record::from_bytes(&bytes);
    }
}

#[test]
fn a_link_depends_on_everything_before_it() {
    let link = Link::default().then(1, b"first").then(2, b"second");
    for other in [
        Link::default().then(1, b"First").then(2, b"second"),
        Link::default().then(1, b"first").then(3, b"second"),
        Link::default().then(2, b"second").then(1, b"first"),
        Link::default().then(1, b"firs").then(2, b"tsecond"),
    ] {
        assert_ne!(link, other);
    }
}

#[test]
fn a_record_that_is_too_large_is_not_even_read() {
    assert_eq!(Record::from_bytes(&vec![0; RECORD + 8]), Err(RecordError::TooLarge(RECORD + 8)));
}
