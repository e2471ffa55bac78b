//! A loopback issuer and clouds that verify tokens and trust as the real ones do.
