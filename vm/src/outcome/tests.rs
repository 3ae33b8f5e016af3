use super::*;
use aivm_schema::module::EdgeKind::*;

/// Edges of these kinds; the word of each is its kind's number.
fn list(kinds: &[EdgeKind]) -> Vec<Edge> {
    let edge = |(at, kind): (usize, &EdgeKind)| Edge {
        kind: *kind,
        word: WordId(*kind as u16),
        counter: None,
        offset: 1,
        retries: 0,
        at: at as u32,
    };
    kinds.iter().enumerate().map(edge).collect()
}

/// What is taken, and what is passed over, when those at `spent` cannot be taken.
fn taken(kinds: &[EdgeKind], said: Said, spent: &[usize]) -> (Option<EdgeKind>, Vec<EdgeKind>) {
    taken_of(kinds, said, spent, false)
}

fn taken_of(kinds: &[EdgeKind], said: Said, spent: &[usize], item: bool) -> (Option<EdgeKind>, Vec<EdgeKind>) {
    let choice = choose(&list(kinds), said, item, |at, _| !spent.contains(&at));
    (choice.taken.map(|at| kinds[at]), choice.passed_over.iter().map(|at| kinds[*at]).collect())
}

fn word(kind: EdgeKind) -> Said {
    Said::Word(WordId(kind as u16))
}

const FAILED: Said = Said::Failed(EndKind::Failure);
const TIMED_OUT: Said = Said::Failed(EndKind::Timeout);
const EXHAUSTED: Said = Said::Failed(EndKind::Exhausted);

#[test]
fn rule_1_the_word_that_was_said() {
    for kind in EdgeKind::ALL {
        assert_eq!(taken(&EdgeKind::ALL, word(kind), &[]), (Some(kind), vec![]), "{kind:?}");
    }
    // Twice the same word: the left one.
    let choice = choose(&list(&[Next, Back, Back]), word(Back), false, |_, _| true);
    assert_eq!((choice.taken, choice.rule), (Some(1), Rule::Verdict));
}

#[test]
fn rule_2_success_takes_the_first_forward_outcome() {
    assert_eq!(taken(&[Back, Continue], Said::Nothing, &[]).0, Some(Continue));
    assert_eq!(taken(&[Cancel, Back, Send, Next], Said::Nothing, &[]).0, Some(Send));
    assert_eq!(taken(&[Cancel, Back], Said::Nothing, &[]).0, Some(Cancel));
    assert_eq!(choose(&list(&[Next]), Said::Nothing, false, |_, _| true).rule, Rule::Success);
}

#[test]
fn rule_3_failure_takes_the_first_that_takes_failures() {
    for kind in [Back, Retry, Jump, Cancel] {
        assert_eq!(taken(&[Next, Send, kind, Back], FAILED, &[]).0, Some(kind));
    }
    assert_eq!(taken(&[Next, Send], FAILED, &[]), (None, vec![]));
    assert_eq!(taken(&[Next, Timeout], FAILED, &[]), (None, vec![]));
    assert_eq!(choose(&list(&[Cancel]), FAILED, false, |_, _| true).rule, Rule::Failure);
}

#[test]
fn rule_3_continue_takes_failures_where_it_stands_behind_next_or_send() {
    assert_eq!(taken(&[Send, Continue], FAILED, &[]).0, Some(Continue));
    assert_eq!(taken(&[Next, Continue, Back], FAILED, &[]).0, Some(Continue));
    assert_eq!(taken(&[Continue, Next], FAILED, &[]).0, None);
    assert_eq!(taken(&[Back, Continue], FAILED, &[0]), (None, vec![Back]));
    // A retry that is used up is a "no": it does not become a "yes".
    assert_eq!(taken(&[Next, Retry, Continue], FAILED, &[1]), (None, vec![Retry]));
}

#[test]
fn an_item_that_failed_for_good_continues() {
    assert_eq!(taken_of(&[Next, Retry, Continue], FAILED, &[], true), (Some(Retry), vec![]));
    assert_eq!(taken_of(&[Next, Retry, Continue], FAILED, &[1], true), (Some(Continue), vec![Retry]));
    assert_eq!(taken_of(&[Next, Retry, Continue], EXHAUSTED, &[], true), (Some(Continue), vec![]));
    assert_eq!(taken_of(&[Next, Retry], FAILED, &[1], true), (None, vec![Retry]));
}

#[test]
fn rule_3_timeout_comes_first_when_time_ran_out_but_for_a_retry_on_its_left() {
    assert_eq!(taken(&[Next, Cancel, Back, Timeout], TIMED_OUT, &[]).0, Some(Timeout));
    assert_eq!(taken(&[Next, Retry, Cancel, Timeout], TIMED_OUT, &[]).0, Some(Retry));
    assert_eq!(taken(&[Next, Retry, Cancel, Timeout], TIMED_OUT, &[1]), (Some(Timeout), vec![Retry]));
    assert_eq!(taken(&[Next, Timeout, Retry], TIMED_OUT, &[]).0, Some(Timeout));
    // Without such an outcome it is a failure like any other.
    assert_eq!(taken(&[Next, Cancel, Back], TIMED_OUT, &[]).0, Some(Cancel));
    assert_eq!(taken(&[Next, Continue], TIMED_OUT, &[]).0, Some(Continue));
}

#[test]
fn what_is_exhausted_is_not_retried() {
    assert_eq!(taken(&[Next, Retry], EXHAUSTED, &[]), (None, vec![]));
    assert_eq!(taken(&[Next, Retry, Cancel], EXHAUSTED, &[]), (Some(Cancel), vec![]));
}

#[test]
fn rule_4_passes_over_to_the_right() {
    assert_eq!(taken(&[Next, Back, Cancel], word(Next), &[0]), (Some(Back), vec![Next]));
    assert_eq!(taken(&[Next, Continue, Send], word(Next), &[0]), (Some(Continue), vec![Next]));
    assert_eq!(taken(&[Next, Back, Cancel], word(Back), &[1]), (Some(Cancel), vec![Back]));
    // Only to the right.
    assert_eq!(taken(&[Cancel, Next], word(Next), &[1]), (None, vec![Next]));
}

#[test]
fn rule_4_never_turns_a_no_into_a_yes() {
    for no in [Back, Retry, Jump] {
        for yes in [Next, Continue, Send] {
            assert_eq!(taken(&[no, yes], word(no), &[0]), (None, vec![no]));
            assert_eq!(taken(&[no, yes, Cancel], word(no), &[0]), (Some(Cancel), vec![no]));
            assert_eq!(taken(&[yes, no, yes], word(yes), &[0, 1]), (None, vec![yes, no]));
        }
    }
    // So `verify => back || continue` ends when it says "back" once too often.
    assert_eq!(taken(&[Back, Continue], word(Back), &[0]), (None, vec![Back]));
    assert_eq!(taken(&[Back, Continue], Said::Nothing, &[0]).0, Some(Continue));
}

#[test]
fn an_arm_takes_its_first_end() {
    assert_eq!(taken(&[Send, Cancel], Said::Arm, &[]).0, Some(Send));
    assert_eq!(taken(&[Jump, Send, Cancel], Said::Arm, &[0]), (Some(Cancel), vec![Jump]));
    assert_eq!(taken(&[Jump, Send], Said::Arm, &[0]), (None, vec![Jump]));
    assert_eq!(taken(&[], Said::Arm, &[]), (None, vec![]));
}

/// Every list of up to four outcomes, every ending, everything that can be spent: the rules hold as sentences.
#[test]
fn every_short_list() {
    let mut lists: Vec<Vec<EdgeKind>> = vec![vec![]];
    for length in 0..4 {
        let longer: Vec<Vec<EdgeKind>> = lists
            .iter()
            .filter(|list| list.len() == length)
            .flat_map(|list| EdgeKind::ALL.map(|kind| [list.as_slice(), &[kind]].concat()))
            .collect();
        lists.extend(longer);
    }
    let mut cases = 0;
    for kinds in &lists {
        let edges = list(kinds);
        for spent in 0u32..1 << kinds.len() {
            let open = |at: usize, _: &Edge| spent & 1 << at == 0;
            for kind in [EndKind::Cancel, EndKind::Failure, EndKind::Exhausted, EndKind::Timeout] {
                let choice = choose(&edges, Said::Failed(kind), false, open);
                check(kinds, &choice, spent);
                if let Some(at) = choice.taken {
                    assert!(!matches!(kinds[at], Next | Send), "{kinds:?}");
                    assert!(kinds[at] != Timeout || kind == EndKind::Timeout);
                    assert!(kinds[at] != Retry || kind != EndKind::Exhausted);
                }
                cases += 1;
            }
            for said in EdgeKind::ALL.map(word).into_iter().chain([Said::Nothing, Said::Arm]) {
                let choice = choose(&edges, said, false, open);
                check(kinds, &choice, spent);
                cases += 1;
            }
        }
    }
    assert!(cases > 500_000, "{cases}");
}

/// What holds for every choice.
fn check(kinds: &[EdgeKind], choice: &Choice, spent: u32) {
    let no = choice.passed_over.iter().position(|at| !kinds[*at].is_forward());
    assert!(choice.passed_over.is_sorted());
    assert!(choice.passed_over.iter().all(|at| spent & 1 << at != 0));
    if let Some(at) = choice.taken {
        assert!(spent & 1 << at == 0);
        assert!(choice.passed_over.iter().all(|passed| *passed < at));
        assert!(no.is_none() || !kinds[at].is_forward(), "{kinds:?} {choice:?}");
    }
}
