//! Where STS is asked, as the SDKs decide it.

use federate_core::{Context, Error, Reach, codes};
use url::Url;

use crate::partition::{self, GLOBAL};
use crate::settings::Settings;

/// Regions that `AWS_STS_REGIONAL_ENDPOINTS=legacy` sends to the global endpoint.
const LEGACY: &[&str] = &[
    "ap-northeast-1",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    GLOBAL,
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// An endpoint of STS.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) url: Url,
    pub(crate) reach: Reach,
    pub(crate) signing_region: String,
}

/// The profile's `endpoint_url`, else `AWS_ENDPOINT_URL_STS`, else `AWS_ENDPOINT_URL`, else by partition and region.
pub(crate) fn resolve(settings: &Settings, context: &Context) -> Result<Endpoint, Error> {
    let region = region(settings)?;
    let signing_region = if region == GLOBAL { "us-east-1".to_owned() } else { region.clone() };
    if let Some(url) = &settings.endpoint_url {
        return given(url, Reach::Setting("endpoint_url".to_owned()), signing_region);
    }
    if !context.env.flag("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
        for variable in ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"] {
            if let Some(url) = context.env.get(variable) {
                return given(url, Reach::Environment(variable.to_owned()), signing_region);
            }
        }
    }
    let fips = settings.use_fips.unwrap_or_else(|| context.env.flag("AWS_USE_FIPS_ENDPOINT"));
    let dual_stack = settings.use_dualstack.unwrap_or_else(|| context.env.flag("AWS_USE_DUALSTACK_ENDPOINT"));
    let legacy = context.env.get("AWS_STS_REGIONAL_ENDPOINTS").is_some_and(|mode| mode.eq_ignore_ascii_case("legacy"));
    let (host, signing_region) = builtin(&region, fips, dual_stack, legacy).ok_or_else(|| not_a_region(&region))?;
    let url = Url::parse(&format!("https://{host}/")).map_err(|_| not_a_region(&region))?;
    Ok(Endpoint { url, reach: Reach::BuiltIn, signing_region })
}

/// AWS's own endpoint for the region, with IPv4, whatever is set besides.
pub(crate) fn own(settings: &Settings, context: &Context) -> Result<Endpoint, Error> {
    let region = region(settings)?;
    let fips = settings.use_fips.unwrap_or_else(|| context.env.flag("AWS_USE_FIPS_ENDPOINT"));
    let (host, signing_region) = builtin(&region, fips, false, false).ok_or_else(|| not_a_region(&region))?;
    let url = Url::parse(&format!("https://{host}/")).map_err(|_| not_a_region(&region))?;
    Ok(Endpoint { url, reach: Reach::BuiltIn, signing_region })
}

fn region(settings: &Settings) -> Result<String, Error> {
    if let Some(region) = &settings.region {
        return Ok(region.clone());
    }
    match partition::of_arn(&settings.role_arn) {
        Some(own) if own.id != "aws" => Err(Error::new(
            &codes::SETTING_MISSING,
            format!("the partition {} has no global endpoint, so a region is needed", own.id),
        )
        .with_setting("region")
        .with_help("set `region`, or AWS_REGION in the job")),
        _ => Ok(GLOBAL.to_owned()),
    }
}

fn given(text: &str, reach: Reach, signing_region: String) -> Result<Endpoint, Error> {
    let url = Url::parse(text).ok().filter(|url| url.has_host()).ok_or_else(|| {
        let error = Error::new(&codes::SETTING_INVALID, "the endpoint of STS is not a URL");
        match &reach {
            Reach::Environment(variable) => error.with_origin(format!("environment variable {variable}")),
            _ => error.with_setting("endpoint_url"),
        }
    })?;
    // One of AWS's own, of another region than the target's: it accepts no signature for any other than its own.
    let own = url.host_str().and_then(partition::signing_region).map(str::to_owned);
    Ok(Endpoint { url, reach, signing_region: own.unwrap_or(signing_region) })
}

fn not_a_region(region: &str) -> Error {
    Error::new(&codes::SETTING_INVALID, format!("`{region}` is not an AWS region"))
        .with_setting("region")
        .with_help("write it like eu-west-1")
}

/// Host and signing region; the rules are botocore's endpoint rule set for STS.
fn builtin(region: &str, fips: bool, dual_stack: bool, legacy: bool) -> Option<(String, String)> {
    let partition = partition::of_region(region)?;
    let plain = !fips && !dual_stack;
    if plain && (region == GLOBAL || legacy && LEGACY.contains(&region)) {
        return Some(("sts.amazonaws.com".to_owned(), "us-east-1".to_owned()));
    }
    // GovCloud's plain hosts are FIPS-validated themselves.
    let service = if fips && (partition.id != "aws-us-gov" || dual_stack) { "sts-fips" } else { "sts" };
    let suffix = if dual_stack { partition.dual_stack_suffix } else { partition.suffix };
    Some((format!("{service}.{region}.{suffix}"), region.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use federate_core::testing::fixture;
    use serde_json::json;

    /// Made by botocore 1.43.11 from its own rules: every region of every partition, with and without FIPS and dual-stack.
    const BOTOCORE: &str = include_str!("../tests/endpoints.csv");

    #[test]
    fn resolves_as_botocore_does_for_every_region() {
        let mut rows = 0;
        for line in BOTOCORE.lines().skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            let [region, fips, dual_stack, url, _] = fields[..] else { panic!("{line}") };
            let (host, signing) = builtin(region, fips == "1", dual_stack == "1", false).unwrap();
            assert_eq!(format!("https://{host}"), url, "{line}");
            if region != GLOBAL {
                assert_eq!(signing, region);
                assert!(partition::is_sts_host(&host), "{host}");
            }
            rows += 1;
        }
        assert!(rows > 150, "{rows}");
    }

    fn resolved(settings: serde_json::Value, variables: &[(&str, &str)]) -> Result<(String, Reach), Error> {
        let mut all = json!({"role_arn": "arn:aws:iam::111122223333:role/deploy"});
        for (key, value) in settings.as_object().unwrap() {
            all[key] = value.clone();
        }
        let endpoint = resolve(&serde_json::from_value(all).unwrap(), &fixture(variables, |_| false).context)?;
        Ok((endpoint.url.to_string(), endpoint.reach))
    }

    #[test]
    fn precedence() {
        let both = [("AWS_ENDPOINT_URL_STS", "https://sts.test"), ("AWS_ENDPOINT_URL", "https://all.test")];
        let url = |settings, variables: &[(&str, &str)]| resolved(settings, variables).unwrap().0;
        assert_eq!(url(json!({"endpoint_url": "https://own.test"}), &both), "https://own.test/");
        assert_eq!(
            resolved(json!({}), &both).unwrap(),
            ("https://sts.test/".into(), Reach::Environment("AWS_ENDPOINT_URL_STS".into()))
        );
        assert_eq!(url(json!({}), &both[1..]), "https://all.test/");
        assert_eq!(
            url(json!({}), &[both[0], ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")]),
            "https://sts.amazonaws.com/"
        );
        assert_eq!(
            url(json!({"region": "eu-west-1"}), &[("AWS_STS_REGIONAL_ENDPOINTS", "legacy")]),
            "https://sts.amazonaws.com/"
        );
        assert_eq!(
            url(json!({"region": "us-east-1", "use_fips": true}), &[]),
            "https://sts-fips.us-east-1.amazonaws.com/"
        );
    }

    #[test]
    fn signatures_are_for_the_host_that_is_asked() {
        for (url, region) in [
            ("https://sts.us-east-2.amazonaws.com", "us-east-2"),
            ("https://sts.amazonaws.com", "us-east-1"),
            ("https://vpce-1.sts.us-east-2.vpce.amazonaws.com", "eu-west-1"),
        ] {
            let settings = json!({"role_arn": "arn:aws:iam::1:role/x", "region": "eu-west-1", "endpoint_url": url});
            let context = fixture(&[], |_| false).context;
            let endpoint = resolve(&serde_json::from_value(settings).unwrap(), &context).unwrap();
            assert_eq!(endpoint.signing_region, region, "{url}");
        }
    }

    #[test]
    fn other_partitions_need_a_region() {
        let error = resolved(json!({"role_arn": "arn:aws-cn:iam::111122223333:role/x"}), &[]).unwrap_err();
        assert_eq!(error.setting(), Some("region"));
    }
}
