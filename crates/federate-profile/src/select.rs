//! From a profile to targets that can be exchanged.

use std::collections::BTreeSet;
use std::sync::Arc;

use federate_core::suggest::nearest;
use federate_core::{BoundIdentity, Claims, CloudTarget, Context, Detection, Error, TargetSource, codes as core_codes};
use figment::value::Value;
use serde_json::Value as Json;

use crate::check::texts;
use crate::codes;
use crate::placeholders::{self, Filling};
use crate::profile::{Profile, TargetSection, json};

impl Profile {
    /// The targets that `-t` names (globs), else `default_targets`, else the only one.
    ///
    /// # Errors
    /// `target-unknown`, `target-unchosen`.
    pub fn matching(&self, patterns: &[String]) -> Result<Vec<String>, Error> {
        let all = self.target_names();
        let (patterns, origin) = if patterns.is_empty() {
            match self.default_targets() {
                Some(names) => (names, self.origin("default_targets")),
                None if all.len() == 1 => (vec![all[0].to_owned()], None),
                None if all.is_empty() => {
                    let what = format!("the profile {} has no targets", self.label());
                    let error = Error::new(&codes::TARGET_UNKNOWN, what);
                    return Err(match self.directory() {
                        Some(_) => error.with_help("add a table [targets.NAME], or choose another profile with -p"),
                        None => error.with_help("there is no directory of profiles from here up to the repository's root; make `profiles/base.toml`, or name the directory with --profiles-dir"),
                    });
                }
                None => {
                    return Err(Error::new(
                        &codes::TARGET_UNCHOSEN,
                        "the profile has several targets, and none was chosen",
                    )
                    .with_help(format!("choose with -t among {}, or set `default_targets`", some_of(&all))));
                }
            }
        } else {
            (patterns.to_vec(), None)
        };
        let mut chosen: Vec<String> = Vec::new();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut missed: Vec<&str> = Vec::new();
        for pattern in &patterns {
            let matched: Vec<&str> = all.iter().copied().filter(|name| glob(pattern, name)).collect();
            chosen.extend(matched.iter().filter(|name| seen.insert(name)).map(|name| (*name).to_owned()));
            if matched.is_empty() {
                missed.push(pattern);
            }
        }
        if missed.is_empty() {
            return Ok(chosen);
        }
        let what = format!("no target of the profile {} matches `{}`", self.label(), missed.join("` or `"));
        let mut error = Error::new(&codes::TARGET_UNKNOWN, what);
        if let Some(origin) = origin {
            error = error.with_setting("default_targets").with_origin(origin);
        }
        let mut helps: Vec<String> = Vec::new();
        for pattern in missed {
            let help = match nearest(pattern, all.iter().copied()) {
                _ if self.matrices().contains_key(pattern) => {
                    format!("`{pattern}` is a matrix; its targets are chosen like `{pattern}-*` (in quotes)")
                }
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", some_of(&all)),
            };
            if !helps.contains(&help) {
                helps.push(help);
            }
        }
        Err(helps.into_iter().fold(error, Error::with_help))
    }

    /// `default_targets`; an empty list says no more than none at all.
    fn default_targets(&self) -> Option<Vec<String>> {
        let default = self.merged.get(&["default_targets"])?;
        texts(default, self.is_text(default)).filter(|names| !names.is_empty())
    }

    /// Defaults that name no target of the profile.
    pub(crate) fn problems_of_defaults(&self) -> Vec<Error> {
        self.default_targets().and_then(|_| self.matching(&[]).err()).into_iter().collect()
    }

    /// Who vouches for the job: the identity of this name, else the profile's `identity`, else the CI system detected.
    ///
    /// # Errors
    /// `identity-unknown`, `identity-not-detected`, `identity-ambiguous`.
    pub fn identity(&self, context: &Context, name: Option<&str>) -> Result<BoundIdentity, Error> {
        let default = self.default_identity();
        match name.or(default.as_deref()).filter(|name| *name != "auto") {
            Some(name) => self.named_identity(name),
            None => self.detected_identity(context),
        }
    }

    pub(crate) fn named_identity(&self, name: &str) -> Result<BoundIdentity, Error> {
        let provider = match (self.identities.get(name), self.registry.identity(name)) {
            (Some(section), _) => section.provider.clone(),
            (None, Some(kind)) => match self.section_of(kind.kind)? {
                Some(bound) => return Ok(bound),
                None => kind.default_provider(),
            },
            (None, None) => return Err(self.unknown_identity(name)),
        };
        Ok(BoundIdentity { name: name.to_owned(), provider })
    }

    /// The configured section of a kind, if there is exactly one.
    fn section_of(&self, kind: &str) -> Result<Option<BoundIdentity>, Error> {
        let sections: Vec<_> = self.identities.iter().filter(|(_, section)| section.kind == kind).collect();
        match sections.as_slice() {
            [] => Ok(None),
            [(name, section)] => Ok(Some(BoundIdentity { name: (*name).clone(), provider: section.provider.clone() })),
            several => {
                let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
                Err(Error::new(
                    &core_codes::IDENTITY_AMBIGUOUS,
                    format!("the profile has several identities of type {kind}: {}", names.join(", ")),
                )
                .with_help("name one with `identity = …`"))
            }
        }
    }

    fn detected_identity(&self, context: &Context) -> Result<BoundIdentity, Error> {
        let kinds = self.registry.identities().iter();
        let here: Vec<_> = kinds
            .filter_map(|kind| match kind.default_provider().detect(context) {
                Detection::Here { evidence } => Some((kind, evidence)),
                Detection::NotHere => None,
            })
            .collect();
        match here.as_slice() {
            [(kind, _)] => Ok(self
                .section_of(kind.kind)?
                .unwrap_or_else(|| BoundIdentity { name: kind.kind.to_owned(), provider: kind.default_provider() })),
            [] => {
                let known: Vec<&str> = self.registry.identities().iter().map(|kind| kind.kind).collect();
                Err(Error::new(&core_codes::IDENTITY_NOT_DETECTED, "no CI system was recognised, so nobody vouches for this job")
                    .with_help(format!("run this in a CI job ({}), name the identity with `identity = …` in the profile, or try `federate sandbox -- federate …`", known.join(", "))))
            }
            several => {
                let seen: Vec<String> =
                    several.iter().map(|(kind, evidence)| format!("{} ({evidence})", kind.kind)).collect();
                Err(Error::new(
                    &core_codes::IDENTITY_AMBIGUOUS,
                    format!("more than one CI system was recognised: {}", seen.join(" and ")),
                )
                .with_help("name the right one with `identity = …` in the profile, or --set identity=NAME"))
            }
        }
    }

    /// The target with placeholders as written: for plans.
    ///
    /// # Errors
    /// `target-unknown`.
    pub fn as_written(&self, target: &str) -> Result<Arc<dyn CloudTarget>, Vec<Error>> {
        self.section(target).map(|section| section.target.clone())
    }

    fn section(&self, target: &str) -> Result<&TargetSection, Vec<Error>> {
        let unknown = || vec![Error::new(&codes::TARGET_UNKNOWN, format!("there is no target `{target}`"))];
        self.targets.get(target).ok_or_else(unknown)
    }

    /// The targets ready for a session: `{env:…}`, `{profile}` and `{target}` filled and validated again.
    ///
    /// # Errors
    /// Every problem of these targets.
    pub fn select(&self, context: &Context, targets: &[String]) -> Result<Vec<Arc<dyn TargetSource>>, Vec<Error>> {
        let profile = Arc::new(self.clone());
        let mut ready: Vec<Arc<dyn TargetSource>> = Vec::new();
        let mut errors: Vec<Error> = Vec::new();
        for name in targets {
            match profile.source(context, name) {
                Ok(source) => ready.push(Arc::new(source)),
                Err(found) => {
                    let new: Vec<Error> = found
                        .into_iter()
                        .filter(|error| {
                            !errors
                                .iter()
                                .any(|known| known.what() == error.what() && known.setting() == error.setting())
                        })
                        .collect();
                    errors.extend(new);
                }
            }
        }
        if errors.is_empty() { Ok(ready) } else { Err(errors) }
    }

    /// The target with `{env:…}`, `{profile}` and `{target}` filled and validated again; nobody has to vouch for the job.
    ///
    /// # Errors
    /// `target-unknown`, and every problem of the filled settings.
    pub fn filled(&self, context: &Context, target: &str) -> Result<Arc<dyn CloudTarget>, Vec<Error>> {
        self.fill(context, target, self.section(target)?).map(|(_, filled)| filled)
    }

    /// The filled settings, and what they make.
    fn fill(&self, context: &Context, name: &str, section: &TargetSection) -> Result<Filled, Vec<Error>> {
        let in_section = |errors: Vec<Error>| {
            errors
                .into_iter()
                .map(|error| error.in_section(&format!("targets.{}", crate::layer::dotted(&[name.to_owned()]))))
                .collect::<Vec<_>>()
        };
        let Some(kind) = self.registry.target(section.kind) else { return Err(Vec::new()) };
        let label = self.label();
        let filling = Filling { env: &context.env, profile: &label, target: name, claims: None };
        let settings = placeholders::fill(kind.rule, &section.settings, &filling).map_err(in_section)?;
        let target = self.build_target(name, section.kind, &settings).map_err(in_section)?;
        Ok((settings, target))
    }

    fn source(self: &Arc<Self>, context: &Context, name: &str) -> Result<Source, Vec<Error>> {
        let section = self.section(name)?;
        let identity = self.identity(context, section.identity.as_deref()).map_err(|error| vec![error])?;
        let (settings, unbound) = self.fill(context, name, section)?;
        Ok(Source {
            profile: Arc::clone(self),
            name: name.to_owned(),
            kind: section.kind,
            identity,
            settings,
            unbound,
            context: context.clone(),
        })
    }

    /// A target and its settings, defaults included, with `{env:…}`, `{profile}` and `{target}` filled where that is possible
    /// here; what a job alone knows stands as written.
    ///
    /// # Errors
    /// `target-unknown`, and every problem of settings that are filled now.
    pub fn filled_so_far(&self, context: &Context, target: &str) -> Result<(Arc<dyn CloudTarget>, Json), Vec<Error>> {
        let section = self.section(target)?;
        let Some(kind) = self.registry.target(section.kind) else { return Err(Vec::new()) };
        let label = self.label();
        let filling = Filling { env: &context.env, profile: &label, target, claims: None };
        let settings = placeholders::fill_known(kind.rule, &section.settings, &filling);
        let place = format!("targets.{}", crate::layer::dotted(&[target.to_owned()]));
        let is_text = |value: &Value| self.merged.layer_of(value).is_some_and(|layer| layer.kind.is_textual());
        (kind.build)(target, &settings, &is_text)
            .map_err(|errors| errors.into_iter().map(|error| error.in_section(&place)).collect())
    }
}

type Filled = (Value, Arc<dyn CloudTarget>);

/// A selected target.
#[derive(Debug)]
struct Source {
    profile: Arc<Profile>,
    name: String,
    kind: &'static str,
    identity: BoundIdentity,
    settings: Value,
    unbound: Arc<dyn CloudTarget>,
    context: Context,
}

impl TargetSource for Source {
    fn name(&self) -> &str {
        &self.name
    }

    fn identity(&self) -> &BoundIdentity {
        &self.identity
    }

    fn unbound(&self) -> &Arc<dyn CloudTarget> {
        &self.unbound
    }

    fn settings(&self) -> Json {
        json(&self.settings)
    }

    fn bind(&self, claims: &Claims) -> Result<Arc<dyn CloudTarget>, Error> {
        let Some(kind) = self.profile.registry.target(self.kind) else { return Ok(self.unbound.clone()) };
        let label = self.profile.label();
        let filling = Filling { env: &self.context.env, profile: &label, target: &self.name, claims: Some(claims) };
        let first = |mut errors: Vec<Error>| {
            if errors.is_empty() {
                Error::new(&core_codes::SETTING_INVALID, "the target cannot be made")
            } else {
                errors.swap_remove(0)
            }
        };
        let settings = placeholders::fill(kind.rule, &self.settings, &filling).map_err(first)?;
        self.profile.build_target(&self.name, self.kind, &settings).map_err(first)
    }
}

/// A list of names that may be long.
fn some_of(names: &[&str]) -> String {
    const SHOWN: usize = 20;
    match names.len() {
        0 => "none".to_owned(),
        count if count > SHOWN + 5 => format!("{} and {} more", names[..SHOWN].join(", "), count - SHOWN),
        _ => names.join(", "),
    }
}

/// `*` is any run of characters, `?` any one.
fn glob(pattern: &str, text: &str) -> bool {
    fn from(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => {
                from(rest, text) || text.split_first().is_some_and(|(_, left)| from(pattern, left))
            }
            (Some(('?', rest)), Some((_, left))) => from(rest, left),
            (Some((wanted, rest)), Some((found, left))) => wanted == found && from(rest, left),
            _ => false,
        }
    }
    from(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
}
