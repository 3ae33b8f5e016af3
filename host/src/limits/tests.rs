use super::window::{DAY_MS, MINUTE_MS};
use super::*;

fn rates(text: &str) -> Rates {
    toml::from_str(text).expect("limits")
}

/// The places of calls that come at these moments with so many tokens.
fn places(rates: &Rates, calls: &[(u64, u64)]) -> Vec<u64> {
    let mut window = Window::default();
    calls.iter().map(|(now, tokens)| window.book(*now, *tokens, rates).0.at_ms).collect()
}

#[test]
fn so_many_calls_begin_within_any_minute() {
    let two = rates("requests_per_minute = 2");
    let calls = [(0, 0), (10, 0), (20, 0), (30, 0), (40, 0), (200_000, 0)];
    assert_eq!(places(&two, &calls), [0, 10, MINUTE_MS, MINUTE_MS + 10, 2 * MINUTE_MS, 200_000]);
}

#[test]
fn so_many_tokens_are_used_within_any_minute() {
    let rates = rates("tokens_per_minute = \"100t\"");
    let calls = [(0, 60), (1_000, 30), (2_000, 20), (3_000, 1_000), (4_000, 1)];
    assert_eq!(places(&rates, &calls), [0, 1_000, 60_000, 120_000, 180_000], "more than the limit goes alone");
    let mut window = Window::default();
    let (first, _) = window.book(0, 100, &rates);
    window.settle(first, 10);
    assert_eq!(window.book(5, 90, &rates).0.at_ms, 5, "what was not used is free again");
    assert_eq!(window.book(6, 1, &rates).0.at_ms, MINUTE_MS);
}

/// Whatever comes, no minute has more than it may, and nobody is overtaken.
#[test]
fn no_minute_is_exceeded() {
    let rates = rates("requests_per_minute = 7\ntokens_per_minute = \"50t\"");
    let mut window = Window::default();
    let (mut now, mut seed) = (0, 9_u64);
    let mut all: Vec<(u64, u64)> = Vec::new();
    for _ in 0..2_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        now += (seed >> 33) % 9_000;
        let tokens = (seed >> 50) % 30;
        let (booked, _) = window.book(now, tokens, &rates);
        if seed >> 60 == 0 {
            window.cancel(booked);
            continue;
        }
        assert!(booked.at_ms >= now && all.last().is_none_or(|(last, _)| *last <= booked.at_ms));
        all.push((booked.at_ms, tokens));
    }
    for (n, (at, _)) in all.iter().enumerate() {
        let within: Vec<_> = all[..=n].iter().filter(|(other, _)| other + MINUTE_MS > *at).collect();
        assert!(within.len() <= 7 && within.iter().map(|(_, tokens)| tokens).sum::<u64>() <= 50, "at {at}");
    }
}

#[test]
fn a_day_counts_what_was_used_before() {
    let rates = rates("tokens_per_day = \"1kt\"");
    let mut window = Window::default();
    let now = 10 * DAY_MS;
    window.remember(now, [(now - 3_600_000, 900), (now - 7_200_000, 50)]);
    assert_eq!(window.book(now, 50, &rates).0.at_ms, now);
    let (booked, limit) = window.book(now + 1, 10, &rates);
    assert_eq!((booked.at_ms, limit), (now - 7_200_000 + DAY_MS + MINUTE_MS, "tokens a day"));
}

#[test]
fn who_asks_to_be_left_alone_is() {
    let mut window = Window::default();
    window.leave_alone(5_000);
    let (first, why) = window.book(1_000, 0, &Rates::default());
    assert_eq!((first.at_ms, why), (5_000, "it asked to be left alone"));
    assert_eq!(window.book(6_000, 0, &Rates::default()).0.at_ms, 6_000);
}

#[test]
fn a_call_that_is_not_made_takes_no_place() {
    let one = rates("requests_per_minute = 1");
    let mut window = Window::default();
    window.book(0, 0, &one);
    let (second, _) = window.book(1, 0, &one);
    window.cancel(second);
    assert_eq!(window.book(2, 0, &one).0.at_ms, MINUTE_MS);
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

#[test]
fn what_must_wait_longer_than_it_may_fails_at_once() {
    let limits = Limits::default();
    let one = rates("requests_per_minute = 1");
    let asks = |seconds| Asks { rates: &one, tokens: 0, most: Some(Duration::from_secs(seconds)) };
    run(async {
        let who = || Who::Worker("w".to_owned());
        let first = limits.enter(who(), asks(10), |_| {}).await.expect("the first");
        first.settle(5);
        let error = limits.enter(who(), asks(10), |_| {}).await.expect_err("a minute is too long").to_string();
        assert!(
            error.starts_with("`w` would have to wait ")
                && error.ends_with("(requests a minute), and its call may take 10.0s"),
            "{error}"
        );
        let others = limits.enter(Who::Worker("v".to_owned()), asks(10), |_| {}).await;
        assert!(others.is_ok_and(|pass| pass.waited < Duration::from_secs(1)));
    });
}

#[test]
fn places_are_given_back() {
    let limits = Limits::default();
    let two = rates("concurrent = 2");
    run(async {
        let enter = |most| {
            limits.enter(Who::Provider("p".to_owned()), Asks { rates: &two, tokens: 0, most: Some(most) }, |_| {})
        };
        let first = enter(Duration::ZERO).await.expect("a place");
        let _second = enter(Duration::ZERO).await.expect("a place");
        let error = enter(Duration::ZERO).await.expect_err("none is left").to_string();
        assert!(error.starts_with("the provider `p` would have to wait"), "{error}");
        drop(first);
        enter(Duration::ZERO).await.expect("it is free again");
    });
}
