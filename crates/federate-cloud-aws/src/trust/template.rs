//! CloudFormation: what a template's functions come to, as far as the template itself says.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>

use serde_json::{Map, Value as Json};

/// Functions inside functions, and references to what refers to them.
const DEEPEST: usize = 40;

/// Resource types that stand for an IAM OIDC provider; CDK has one of its own.
const PROVIDERS: [&str; 2] = ["AWS::IAM::OIDCProvider", "Custom::AWSCDKOpenIdConnectProvider"];

/// A template's parts that functions refer to. What they do not say becomes `<…>`, which matches nothing real.
#[derive(Debug, Default)]
pub(super) struct Template<'a> {
    parameters: Option<&'a Map<String, Json>>,
    resources: Option<&'a Map<String, Json>>,
    mappings: Option<&'a Map<String, Json>>,
}

/// Does the text stand for something that is not known, or have such a thing in it?
pub(super) fn is_open(text: &str) -> bool {
    text.split_once('<').is_some_and(|(_, behind)| behind.contains('>'))
}

/// The text as a pattern, in which what is not known may be anything.
pub(super) fn as_pattern(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once('<') {
        let Some((_, after)) = behind.split_once('>') else { break };
        out.push_str(before);
        out.push('*');
        rest = after;
    }
    out + rest
}

fn open(name: &str) -> String {
    format!("<{name}>")
}

impl<'a> Template<'a> {
    pub(super) fn new(document: &'a Json) -> Self {
        let part = |name: &str| document.get(name).and_then(Json::as_object);
        Self { parameters: part("Parameters"), resources: part("Resources"), mappings: part("Mappings") }
    }

    /// The value without functions.
    pub(super) fn resolve(&self, value: &Json) -> Json {
        self.at(value, 0).unwrap_or(Json::Null)
    }

    /// `None` where the template says `AWS::NoValue`.
    fn at(&self, value: &Json, depth: usize) -> Option<Json> {
        if depth > DEEPEST && !value.is_string() {
            return Some(open("too deep").into());
        }
        Some(match value {
            Json::Array(entries) => entries.iter().filter_map(|entry| self.at(entry, depth + 1)).collect(),
            Json::Object(map) => {
                if let Some((name, inner)) = map.iter().next().filter(|_| map.len() == 1)
                    && (name == "Ref" || name.starts_with("Fn::"))
                {
                    return self.function(name, inner, depth + 1);
                }
                let resolved = map.iter().filter_map(|(key, value)| {
                    let key = if key.contains("${") { self.substituted(key, None, depth) } else { key.clone() };
                    Some((key, self.at(value, depth + 1)?))
                });
                Json::Object(resolved.collect())
            }
            other => other.clone(),
        })
    }

    fn function(&self, name: &str, inner: &Json, depth: usize) -> Option<Json> {
        let parts = inner.as_array().map_or(&[][..], Vec::as_slice);
        let text = |value: Option<&Json>| value.and_then(|value| self.at(value, depth)).and_then(scalar);
        let known = match (name, inner, parts) {
            ("Ref", Json::String(target), _) => return self.reference(target, depth),
            ("Fn::GetAtt", Json::String(path), _) => {
                path.split_once('.').map(|(target, attribute)| self.attribute(target, attribute, depth))
            }
            ("Fn::GetAtt", _, [Json::String(target), attribute]) => {
                Some(self.attribute(target, &text(Some(attribute)).unwrap_or_default(), depth))
            }
            ("Fn::Sub", Json::String(text), _) => Some(self.substituted(text, None, depth).into()),
            ("Fn::Sub", _, [Json::String(text), more]) => Some(self.substituted(text, more.as_object(), depth).into()),
            ("Fn::Join", _, [separator, list]) => {
                let separator = text(Some(separator)).unwrap_or_default();
                let pieces = self.at(list, depth).unwrap_or_default();
                let texts = pieces.as_array().map(|pieces| {
                    let one = |piece: &Json| scalar(piece.clone()).unwrap_or_else(|| open(name));
                    pieces.iter().map(one).collect::<Vec<_>>()
                });
                texts.map(|texts| texts.join(&separator).into())
            }
            ("Fn::Split", _, [separator, list]) => match (text(Some(separator)), text(Some(list))) {
                (Some(separator), Some(list)) if !separator.is_empty() => {
                    Some(list.split(separator.as_str()).map(Json::from).collect())
                }
                _ => None,
            },
            ("Fn::Select", _, [index, list]) => {
                let index = text(Some(index)).and_then(|index| index.parse::<usize>().ok());
                let list = self.at(list, depth).unwrap_or_default();
                index.and_then(|index| list.get(index).cloned())
            }
            ("Fn::FindInMap", _, [map, first, second, ..]) => {
                let keys = [map, first, second].map(|part| text(Some(part)).unwrap_or_default());
                let found = self.mappings.and_then(|maps| maps.get(&keys[0])?.get(&keys[1])?.get(&keys[2]));
                found.cloned()
            }
            // Which branch counts is decided when it is deployed; the first that says something stands for both.
            ("Fn::If", _, [_, then, otherwise]) => {
                let (then, otherwise) = (self.at(then, depth), self.at(otherwise, depth));
                let says = |value: &Option<Json>| {
                    value.as_ref().is_some_and(|value| value.as_str().is_none_or(|text| !is_open(text)))
                };
                return if says(&then) || otherwise.is_none() { then } else { otherwise };
            }
            ("Fn::ToJsonString", inner, _) => self.at(inner, depth).map(|value| value.to_string().into()),
            _ => None,
        };
        Some(known.unwrap_or_else(|| open(name).into()))
    }

    fn reference(&self, name: &str, depth: usize) -> Option<Json> {
        match name {
            "AWS::NoValue" => return None,
            "AWS::Partition" => return Some("aws".into()),
            "AWS::URLSuffix" => return Some("amazonaws.com".into()),
            _ => {}
        }
        if let Some(parameter) = self.parameters.and_then(|all| all.get(name)) {
            let default = parameter.get("Default").cloned().and_then(scalar).filter(|text| !text.is_empty());
            let is_list = parameter.get("Type").and_then(Json::as_str).is_some_and(|kind| kind.contains("List"));
            return Some(match default {
                Some(text) if is_list => text.split(',').map(|entry| Json::from(entry.trim())).collect(),
                Some(text) => text.into(),
                None => open(name).into(),
            });
        }
        Some(self.provider_arn(name, depth).unwrap_or_else(|| open(name)).into())
    }

    fn attribute(&self, name: &str, attribute: &str, depth: usize) -> Json {
        let resource = self.resources.and_then(|all| all.get(name));
        let is_json = resource.and_then(|one| one.get("Type")).is_some_and(|kind| kind == "Custom::AWSCDKCfnJson");
        if is_json && attribute == "Value" {
            let value = resource.and_then(|one| self.at(one.get("Properties")?.get("Value")?, depth + 1));
            // CDK writes an object whose keys are not known beforehand as text.
            let parsed = value.as_ref().and_then(Json::as_str).and_then(|text| serde_json::from_str(text).ok());
            return parsed.or(value).unwrap_or_else(|| open(name).into());
        }
        let arn = self.provider_arn(name, depth).filter(|_| attribute == "Arn");
        arn.unwrap_or_else(|| open(&format!("{name}.{attribute}"))).into()
    }

    /// The ARN of an OIDC provider that the template itself declares.
    fn provider_arn(&self, name: &str, depth: usize) -> Option<String> {
        let resource = self.resources?.get(name)?;
        if !PROVIDERS.iter().any(|kind| resource.get("Type").is_some_and(|own| own == kind)) {
            return None;
        }
        let url = resource.get("Properties").and_then(|properties| properties.get("Url"));
        let url = url.and_then(|url| self.at(url, depth + 1)).and_then(scalar)?;
        Some(format!("arn:aws:iam::<AWS::AccountId>:oidc-provider/{}", url.strip_prefix("https://").unwrap_or(&url)))
    }

    /// `${Name}` and `${Resource.Attribute}` replaced; `${!Name}` is a literal `${Name}`.
    fn substituted(&self, text: &str, more: Option<&Map<String, Json>>, depth: usize) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, behind)) = after.split_once('}') else { break };
            out.push_str(before);
            rest = behind;
            if let Some(literal) = name.strip_prefix('!') {
                out.push_str(&format!("${{{literal}}}"));
                continue;
            }
            let name = name.trim();
            let value = match (more.and_then(|more| more.get(name)), name.split_once('.')) {
                _ if depth > DEEPEST => None,
                (Some(value), _) => self.at(value, depth + 1),
                (None, Some((target, attribute))) => Some(self.attribute(target, attribute, depth + 1)),
                (None, None) => self.reference(name, depth + 1),
            };
            out.push_str(&value.and_then(scalar).unwrap_or_else(|| open(name)));
        }
        out.push_str(rest);
        out
    }
}

fn scalar(value: Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(flag) => Some(flag.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn template() -> Json {
        json!({
            "Parameters": {"Org": {"Type": "String", "Default": "acme"}, "Repo": {"Type": "String"}, "Refs": {"Type": "CommaDelimitedList", "Default": "a, b"}},
            "Mappings": {"Names": {"prod": {"branch": "main"}}},
            "Resources": {
                "Provider": {"Type": "AWS::IAM::OIDCProvider", "Properties": {"Url": {"Fn::Sub": "https://${Host}"}}},
                "GitHub": {"Type": "AWS::IAM::OIDCProvider", "Properties": {"Url": "https://token.actions.githubusercontent.com"}},
                "Loop": {"Type": "AWS::IAM::OIDCProvider", "Properties": {"Url": {"Ref": "Loop"}}},
                "Keys": {"Type": "Custom::AWSCDKCfnJson", "Properties": {"Value": {"Fn::Join": ["", ["{\"", "idp.example.com", ":sub\":\"x\"}"]]}}},
            },
        })
    }

    #[test]
    fn functions_come_to_what_the_template_says() {
        let document = template();
        let template = Template::new(&document);
        for (value, expected) in [
            (json!({"Ref": "Org"}), json!("acme")),
            (json!({"Ref": "Repo"}), json!("<Repo>")),
            (json!({"Ref": "Refs"}), json!(["a", "b"])),
            (json!({"Fn::Sub": "repo:${Org}/${Repo}:${!x}"}), json!("repo:acme/<Repo>:${x}")),
            (json!({"Fn::Sub": ["${a}-${AWS::Partition}", {"a": {"Ref": "Org"}}]}), json!("acme-aws")),
            (json!({"Fn::Join": [":", ["a", {"Ref": "Org"}, 1]]}), json!("a:acme:1")),
            (
                json!({"Fn::GetAtt": ["GitHub", "Arn"]}),
                json!("arn:aws:iam::<AWS::AccountId>:oidc-provider/token.actions.githubusercontent.com"),
            ),
            (
                json!({"Fn::GetAtt": "GitHub.Arn"}),
                json!("arn:aws:iam::<AWS::AccountId>:oidc-provider/token.actions.githubusercontent.com"),
            ),
            (
                json!({"Fn::Select": [1, {"Fn::Split": [":oidc-provider/", {"Ref": "GitHub"}]}]}),
                json!("token.actions.githubusercontent.com"),
            ),
            (json!({"Fn::FindInMap": ["Names", "prod", "branch"]}), json!("main")),
            (json!({"Fn::If": ["c", {"Ref": "Repo"}, "x"]}), json!("x")),
            (json!({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}), json!({"b": [1]})),
            (json!({"Fn::GetAtt": ["Keys", "Value"]}), json!({"idp.example.com:sub": "x"})),
            (json!({"Fn::ImportValue": "x"}), json!("<Fn::ImportValue>")),
            (json!({"Fn::Sub": 1}), json!("<Fn::Sub>")),
            (json!({"${Org}:sub": 1}), json!({"acme:sub": 1})),
        ] {
            assert_eq!(template.resolve(&value), expected, "{value}");
        }
        assert_eq!((as_pattern("repo:<Org>/<Repo>:x"), as_pattern("a<b")), ("repo:*/*:x".to_owned(), "a<b".to_owned()));
        assert!(template.resolve(&json!({"Ref": "Loop"})).as_str().is_some_and(is_open), "a cycle ends");
    }
}
