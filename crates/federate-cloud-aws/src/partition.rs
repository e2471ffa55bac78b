//! AWS partitions, as botocore 1.43 lists them in `partitions.json`.

/// A partition: its ARN name, its regions, its DNS suffixes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) id: &'static str,
    /// The regions' first part; the second is a word, the third a number.
    prefixes: &'static [&'static str],
    pub(crate) suffix: &'static str,
    pub(crate) dual_stack_suffix: &'static str,
}

/// The most special prefixes first: `us-gov-` would also be `us-`.
const PARTITIONS: &[Partition] = &[
    Partition { id: "aws-us-gov", prefixes: &["us-gov"], suffix: "amazonaws.com", dual_stack_suffix: "api.aws" },
    Partition {
        id: "aws-cn",
        prefixes: &["cn"],
        suffix: "amazonaws.com.cn",
        dual_stack_suffix: "api.amazonwebservices.com.cn",
    },
    Partition {
        id: "aws-eusc",
        prefixes: &["eusc-de"],
        suffix: "amazonaws.eu",
        dual_stack_suffix: "api.amazonwebservices.eu",
    },
    Partition { id: "aws-iso", prefixes: &["us-iso"], suffix: "c2s.ic.gov", dual_stack_suffix: "api.aws.ic.gov" },
    Partition { id: "aws-iso-b", prefixes: &["us-isob"], suffix: "sc2s.sgov.gov", dual_stack_suffix: "api.aws.scloud" },
    Partition {
        id: "aws-iso-e",
        prefixes: &["eu-isoe"],
        suffix: "cloud.adc-e.uk",
        dual_stack_suffix: "api.cloud-aws.adc-e.uk",
    },
    Partition {
        id: "aws-iso-f",
        prefixes: &["us-isof"],
        suffix: "csp.hci.ic.gov",
        dual_stack_suffix: "api.aws.hci.ic.gov",
    },
    Partition {
        id: "aws",
        prefixes: &["us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"],
        suffix: "amazonaws.com",
        dual_stack_suffix: "api.aws",
    },
];

/// The pseudo-region of the global endpoint.
pub(crate) const GLOBAL: &str = "aws-global";

/// The partition of this id.
pub(crate) fn by_id(id: &str) -> Option<&'static Partition> {
    PARTITIONS.iter().find(|partition| partition.id == id)
}

/// The partition of a region; `None` for a text that has no region's shape.
pub(crate) fn of_region(region: &str) -> Option<&'static Partition> {
    if region == GLOBAL {
        return by_id("aws");
    }
    PARTITIONS.iter().find(|partition| partition.has_region(region))
}

/// The partition of an ARN.
pub(crate) fn of_arn(arn: &str) -> Option<&'static Partition> {
    by_id(arn.split(':').nth(1)?)
}

impl Partition {
    fn has_region(&self, region: &str) -> bool {
        self.prefixes.iter().any(|prefix| {
            let rest = region
                .strip_prefix(prefix)
                .and_then(|rest| rest.strip_prefix('-'))
                .and_then(|rest| rest.rsplit_once('-'));
            rest.is_some_and(|(word, number)| {
                let is_word =
                    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
                is_word && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
            })
        })
    }
}

/// Is this one of STS's own hosts? The region must have a region's shape: `sts.s3.amazonaws.com` is somebody's bucket.
pub(crate) fn is_sts_host(host: &str) -> bool {
    signing_region(host).is_some()
}

/// The region that one of STS's own hosts wants requests to be signed for.
pub(crate) fn signing_region(sts_host: &str) -> Option<&str> {
    if sts_host == "sts.amazonaws.com" {
        return Some("us-east-1");
    }
    let (service, rest) = sts_host.split_once('.')?;
    let (region, suffix) = rest.split_once('.').filter(|(region, _)| *region != GLOBAL)?;
    let partition = of_region(region)?;
    let is_own = suffix == partition.suffix || suffix == partition.dual_stack_suffix;
    (is_own && matches!(service, "sts" | "sts-fips")).then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_find_their_partition() {
        for (region, id) in [
            ("eu-west-1", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("cn-north-1", "aws-cn"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("eusc-de-east-1", "aws-eusc"),
            ("ap-southeast-5", "aws"),
        ] {
            assert_eq!(of_region(region).map(|partition| partition.id), Some(id), "{region}");
        }
        for bad in ["", "eu", "eu-west", "eu-west-x", "EU-WEST-1", "s3", "eu-west-1.evil", "xx-west-1"] {
            assert_eq!(of_region(bad), None, "{bad}");
        }
    }

    #[test]
    fn hosts_that_customers_can_have_are_not_sts() {
        for good in [
            "sts.amazonaws.com",
            "sts.eu-west-1.amazonaws.com",
            "sts-fips.us-east-1.amazonaws.com",
            "sts.eu-west-1.api.aws",
            "sts.cn-north-1.amazonaws.com.cn",
        ] {
            assert!(is_sts_host(good), "{good}");
        }
        assert_eq!(signing_region("sts-fips.us-east-2.amazonaws.com"), Some("us-east-2"));
        assert_eq!(signing_region("sts.amazonaws.com"), Some("us-east-1"));
        for bad in [
            "sts.s3.amazonaws.com",
            "sts.elb.amazonaws.com",
            "evilamazonaws.com",
            "sts.amazonaws.com.evil.test",
            "sts.eu-west-1.amazonaws.com.evil.test",
            "x.sts.eu-west-1.amazonaws.com",
            "sts.eu-west-1.amazonaws.com.cn",
            "s3.eu-west-1.amazonaws.com",
            "sts.aws-global.amazonaws.com",
        ] {
            assert!(!is_sts_host(bad), "{bad}");
        }
    }
}
