//! Azure applications and managed identities: workload identity federation with Microsoft Entra.
