//! A child's private files, and the ID tokens among them that have to be kept fresh.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use federate_core::{ChildEnv, FileContent, IdToken, Renewal, Session, TargetSource};

use crate::child::{Holder, file_failure};
use crate::private::PrivateDirectory;
use crate::report::Failure;

/// A token file that has to be kept fresh.
struct Renewed {
    file: String,
    source: Arc<dyn TargetSource>,
    token: Arc<IdToken>,
}

/// The files, written.
#[derive(Default)]
pub(crate) struct Files {
    /// Where each is, by its id.
    pub(crate) paths: BTreeMap<String, PathBuf>,
    renewed: Vec<Renewed>,
}

impl Files {
    /// Writes what the surroundings need into the private directory.
    pub(crate) fn place(
        directory: &PrivateDirectory,
        surroundings: &ChildEnv,
        holders: &[Holder],
    ) -> Result<Self, Failure> {
        let mut files = Self { paths: BTreeMap::new(), renewed: Vec::new() };
        for file in &surroundings.files {
            let path = match &file.content {
                FileContent::Directory => directory.make_directory(&file.name),
                FileContent::Text(content) => directory.write(&file.name, content),
                FileContent::IdToken { target, token } => {
                    if let Some((source, token, Renewal::Again(_))) =
                        holders.iter().find(|(source, ..)| source.name() == target)
                    {
                        files.renewed.push(Renewed {
                            file: file.name.clone(),
                            source: source.clone(),
                            token: token.clone(),
                        });
                    }
                    directory.write(&file.name, token)
                }
            };
            let path = path.map_err(|error| file_failure("a private file cannot be written", &error))?;
            files.paths.insert(file.id.clone(), path);
        }
        Ok(files)
    }

    /// Keeps token files fresh until dropped: at half of a token's remaining life, and after a failure every few seconds.
    pub(crate) async fn keep_fresh(&mut self, session: &Session, directory: &PrivateDirectory) {
        let files = &mut self.renewed;
        const AFTER_FAILURE: Duration = Duration::from_secs(15);
        let remaining = |token: &IdToken| {
            token.expires().and_then(|end| end.duration_since(SystemTime::now()).ok()).unwrap_or_default()
        };
        let mut pause = files.iter().map(|file| remaining(&file.token) / 2).min();
        loop {
            match pause {
                Some(pause) => tokio::time::sleep(pause.max(Duration::from_secs(1))).await,
                None => std::future::pending().await,
            }
            let mut next: Option<Duration> = None;
            for file in files.iter_mut() {
                let identity = file.source.identity();
                let customary = identity.provider.customary_audience(session.context());
                let audiences = file.source.unbound().audiences(customary.as_deref());
                let wait = match session.fresh_token(identity, &audiences, &file.token).await {
                    Ok(token) => match directory.write(&file.file, token.raw()) {
                        Ok(_) => {
                            file.token = token;
                            remaining(&file.token) / 2
                        }
                        Err(error) => {
                            session.context().reporter.warn(&format!("the ID token file cannot be rewritten: {error}"));
                            AFTER_FAILURE
                        }
                    },
                    Err(error) => {
                        session.context().reporter.warn(&format!("the ID token file cannot be renewed yet: {error}"));
                        AFTER_FAILURE
                    }
                };
                next = Some(next.map_or(wait, |known| known.min(wait)));
            }
            pause = next;
        }
    }
}
