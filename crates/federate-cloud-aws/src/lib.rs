//! AWS roles: AssumeRoleWithWebIdentity, role chains, GetCallerIdentity.
