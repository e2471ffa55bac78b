//! The role sessions that the sandbox's STS has handed out.

use std::time::SystemTime;

use federate_core::Secret;

use crate::random::stable_key_id;
use crate::stage::RoleArn;
use crate::world::World;

/// A role session and its keys.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) secret_access_key: Secret,
    pub(crate) session_token: Secret,
    pub(crate) expires: SystemTime,
    /// The role's own ARN, as a chain's hops name it.
    pub(crate) role_arn: String,
    pub(crate) account: String,
    /// `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`.
    pub(crate) arn: String,
    /// `AROA…:SESSION`.
    pub(crate) user_id: String,
}

/// Opens a session and remembers it under its access key id, which is returned.
pub(crate) fn open(
    world: &World,
    role_arn: &str,
    role: &RoleArn,
    session_name: &str,
    expires: SystemTime,
) -> (String, Session) {
    let id = format!("ASIA{}", world.random.key_id(16));
    let session = Session {
        secret_access_key: world.random.secret_key(),
        session_token: world.random.opaque_token(),
        expires,
        role_arn: role_arn.to_owned(),
        account: role.account.clone(),
        arn: format!("arn:{}:sts::{}:assumed-role/{}/{session_name}", role.partition, role.account, role.name),
        user_id: format!("AROA{}:{session_name}", stable_key_id(role_arn, 17)),
    };
    world.sessions().insert(id.clone(), session.clone());
    (id, session)
}
