//! The language, against the documentation's examples and against the parser's own interpreter.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

fn scope() -> Scope {
    let token = json!({
        "sub": "repo:o/r:ref:refs/heads/main", "n": 5, "x": 1.5, "yes": true, "list": ["a", "b"], "none": null,
        "arn": "arn:aws:sts::1:assumed-role/deploy/i-0", "deep": {"a": {"b": "c"}},
    });
    Scope::new(vec![("assertion", Value::of_json(&token))])
}

fn result(text: &str) -> Result<Json, String> {
    let tree = parse(text).map_err(|why| format!("{text}: {why}"))?;
    evaluate(&tree, &scope()).map(|value| value.to_json()).map_err(|fault| fault.to_string())
}

#[test]
fn googles_extensions() {
    for (text, expected) in [
        ("assertion.arn.extract('assumed-role/{role}/')", json!("deploy")),
        ("assertion.sub.extract('repo:{owner}/')", json!("o")),
        ("assertion.sub.extract('ref:{ref}')", json!("refs/heads/main")),
        ("assertion.sub.extract('{kind}:')", json!("repo")),
        ("assertion.sub.extract('nothing/{x}/')", json!("")),
        ("assertion.sub.split(':')", json!(["repo", "o/r", "ref", "refs/heads/main"])),
        ("assertion.sub.split(':')[1]", json!("o/r")),
        ("['a', 'b'].join('-')", json!("a-b")),
        ("assertion.list.join()", json!("ab")),
        ("'ABc'.lowerAscii() + 'd'.upperAscii()", json!("abcD")),
    ] {
        assert_eq!(result(text), Ok(expected), "{text}");
    }
    assert!(result("'a'.extract('no template')").unwrap_err().contains("template"));
}

#[test]
fn errors_do_not_decide_where_the_other_side_does() {
    for (text, expected) in [
        ("assertion.missing == 'x' || true", Some(true)),
        ("true || assertion.missing == 'x'", Some(true)),
        ("assertion.missing == 'x' && false", Some(false)),
        ("false && assertion.missing == 'x'", Some(false)),
        ("assertion.missing == 'x' || false", None),
        ("assertion.missing == 'x' && true", None),
        ("!(assertion.missing == 'x')", None),
        ("assertion.missing == 'x' ? true : true", None),
        ("true ? true : assertion.missing", Some(true)),
        ("has(assertion.missing)", Some(false)),
        ("has(assertion.sub) && !has(assertion.deep.a.x)", Some(true)),
        ("has(assertion.missing.deeper)", None),
        ("[1, 2].exists(x, assertion.missing == x || x == 2)", Some(true)),
        ("['a', 'b'].all(x, x in assertion.list)", Some(true)),
        ("assertion.list.exists_one(x, x == 'a')", Some(true)),
        ("assertion.list.map(x, x + '!') == ['a!', 'b!']", Some(true)),
        ("assertion.list.filter(x, x != 'a') == ['b']", Some(true)),
        ("assertion.sub.matches('o/r')", Some(true)),
        ("assertion.sub.matches('^o/r')", Some(false)),
        ("matches(assertion.sub, r'^repo:\\w/\\w:ref:')", Some(true)),
        ("assertion.sub.matches('(')", None),
        ("assertion.sub == 5", Some(false)),
        ("assertion.n == 5.0 && assertion.n == 5u && assertion.n < 5.5", Some(true)),
        ("assertion.sub < 5", None),
        ("'a' in assertion.list && 'sub' in assertion", Some(true)),
        ("assertion.none == null", Some(true)),
        ("assertion['deep']['a'].b == 'c'", Some(true)),
        ("assertion.list[2] == 'c'", None),
        ("size(assertion.list) == 2 && 'é'.size() == 1", Some(true)),
        ("string(assertion.n) == '5' && int('5') == 5 && bool('true')", Some(true)),
        ("nobody == 'x'", None),
        ("assertion.sub.unknown()", None),
        ("1 / 0 == 1", None),
        ("-9223372036854775808 - 1 < 0", None),
        ("(1 + 2) * 3 % 4 == 1", Some(true)),
    ] {
        assert_eq!(result(text).ok(), expected.map(Json::from), "{text}");
    }
    assert!(result("assertion.missing").unwrap_err().contains("`missing`"));
}

#[test]
fn what_is_no_expression_is_said_with_its_place() {
    for text in
        ["assertion.sub = 'x'", "assertion.sub == 'x", "a b", "", "assertion.sub == \"x\" and true", "Message{a: 1}"]
    {
        assert!(parse(text).is_err(), "{text}");
    }
    assert!(parse("true &&\n &").unwrap_err().contains("line 2"));
}

#[test]
fn bombs_fall_flat() {
    let nested = |open: &str, middle: &str, close: &str| {
        let times = 4096 / (open.len() + close.len());
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    for text in [
        nested("(", "1", ")"),
        nested("!", "true", ""),
        nested("-", "1", ""),
        nested("[", "", "]"),
        nested("1+", "1", ""),
        nested("true?", "true", ":true"),
        nested("a", "", ".b"),
        nested("{1:", "1", "}"),
        nested("'", "", ""),
        format!("['x']{}", ".map(y, y + y)".repeat(280)),
        format!("'ab'{}", ".split('').join('aaaaaaaaaaaaaaaaaaaa')".repeat(90)),
        format!("[{}]{}", "1,".repeat(500), ".map(x, [1,2,3,4,5,6,7,8].map(y, x + y)).exists(l, l.exists(m, m < 0))"),
        format!(
            "[1,2,3,4,5,6,7,8,9]{}true{}",
            ".all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9]".repeat(20),
            "))".repeat(20)
        ),
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.matches('^(a+)+$b')".to_owned(),
        "'a'.matches('((a{1000}){1000}){1000}')".to_owned(),
        format!("'a'.matches('{}')", "(".repeat(4000)),
    ] {
        // On the stack of a thread, and whatever it comes to.
        let worker = std::thread::Builder::new().stack_size(2 << 20);
        let done = worker.spawn(move || result(&text).err()).unwrap().join();
        assert!(done.is_ok());
    }
}

#[test]
fn an_expression_is_told_as_it_could_have_been_written() {
    for text in [
        "assertion.sub == 'x' && (a || b)",
        "!has(assertion.environment)",
        "assertion['oidc.circleci.com/project-id'] in ['a', 'b']",
        "a.startsWith('x') ? b : c",
        "size(a) > 3",
    ] {
        assert_eq!(parse(text).unwrap().to_string(), text);
    }
}

/// Expressions of what both know: the interpreter has neither Google's functions nor, as it is built, `matches`.
fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("assertion.sub".to_owned()),
        Just("assertion.n".to_owned()),
        Just("assertion.yes".to_owned()),
        Just("assertion.list".to_owned()),
        Just("assertion.missing".to_owned()),
        Just("has(assertion.n)".to_owned()),
        Just("has(assertion.missing)".to_owned()),
        Just("'a'".to_owned()),
        Just("''".to_owned()),
        Just("5".to_owned()),
        Just("-1".to_owned()),
        Just("1.5".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("null".to_owned()),
        Just("['a', 'b']".to_owned()),
    ];
    leaf.prop_recursive(4, 32, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            (two.clone(), prop::sample::select(vec!["==", "!=", "&&", "||", "<", ">=", "in", "+", "-"]))
                .prop_map(|((left, right), operator)| format!("({left} {operator} {right})")),
            (two, prop::sample::select(vec!["startsWith", "endsWith", "contains"]))
                .prop_map(|((left, right), name)| format!("({left}).{name}({right})")),
            inner.clone().prop_map(|one| format!("!({one})")),
            inner.clone().prop_map(|one| format!("size({one})")),
            inner.clone().prop_map(|one| format!("['a', 'b'].exists(x, x == ({one}))")),
            inner.clone().prop_map(|one| format!("[true, false].all(x, x || ({one}))")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("(({a}) ? ({b}) : ({c}))")),
        ]
    })
}

fn by_the_interpreter(text: &str) -> Option<bool> {
    use ::cel::objects::{Key, Map, Value as Other};
    let text_of = |text: &str| Other::String(std::sync::Arc::new(text.to_owned()));
    let list = Other::List(vec![text_of("a"), text_of("b")].into());
    let map: std::collections::HashMap<Key, Other> = [
        ("sub", text_of("repo:o/r:ref:refs/heads/main")),
        ("n", Other::Int(5)),
        ("yes", Other::Bool(true)),
        ("list", list),
    ]
    .into_iter()
    .map(|(key, value)| (Key::from(key), value))
    .collect();
    let mut context = ::cel::Context::default();
    context.add_variable_from_value("assertion", Other::Map(Map { map: std::sync::Arc::new(map) }));
    let tree = ::cel::parser::PrattParser::new().parse(text).unwrap();
    match Other::resolve(&tree, &context) {
        Ok(Other::Bool(flag)) => Some(flag),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Both say true, false, or neither, of the same expressions.
    #[test]
    fn the_parsers_own_interpreter_agrees(text in expressions()) {
        let tree = parse(&text).unwrap();
        let own = evaluate(&tree, &scope());
        prop_assume!(own != Err(Fault::TooMuch));
        let own = match own { Ok(Value::Bool(flag)) => Some(flag), _ => None };
        prop_assert_eq!(own, by_the_interpreter(&text), "{}", text);
    }
}
