//! Which requests are looked at: those of a client on this machine that knows the secret.

use std::net::SocketAddr;

use federate_core::{Error, Secret, codes};
use federate_http::Incoming;
use ring::hmac;
use ring::rand::SystemRandom;

/// Why a request is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) why: &'static str,
}

/// What a client has to show and what it must not.
pub(crate) struct Gate {
    hosts: [String; 2],
    headers: Vec<&'static str>,
    key: hmac::Key,
    tag: hmac::Tag,
}

impl Gate {
    /// For a server at this address; the secret may stand in any of these headers (lower case).
    ///
    /// # Errors
    /// Where the system has no randomness to give.
    pub(crate) fn new(address: SocketAddr, secret: &Secret, headers: Vec<&'static str>) -> Result<Self, Error> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| Error::new(&codes::USAGE, "the system gives no random numbers"))?;
        let tag = hmac::sign(&key, secret.reveal().as_bytes());
        let hosts = [address.to_string(), format!("localhost:{}", address.port())];
        Ok(Self { hosts, headers, key, tag })
    }

    /// What holds for every request, with the secret or without.
    pub(crate) fn shape(&self, request: &Incoming) -> Result<(), Refused> {
        let refused = |status, why| Err(Refused { status, why });
        if request.method != "GET" {
            return refused(405, "only GET is answered");
        }
        // A page whose name was made to lead here (DNS rebinding) still sends its own name.
        let mut hosts = request.headers.iter().filter(|(name, _)| name == "host").map(|(_, value)| value);
        match (hosts.next(), hosts.next()) {
            (Some(host), None) if self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host)) => {}
            _ => return refused(403, "the Host header does not name this endpoint"),
        }
        // Pages send the one, proxies that were talked into asking send the others.
        if ["origin", "forwarded", "x-forwarded-for"].iter().any(|name| request.header(name).is_some()) {
            return refused(403, "requests of pages and of proxies are not answered");
        }
        Ok(())
    }

    /// Does the request show the secret? In a header of its own, or as a bearer token.
    pub(crate) fn secret(&self, request: &Incoming) -> Result<(), Refused> {
        let mut shown = request.headers.iter().filter(|(name, _)| self.headers.contains(&name.as_str()));
        let is_known = match (shown.next(), shown.next()) {
            (Some((_, value)), None) => self.is_secret(value),
            _ => false,
        };
        if is_known { Ok(()) } else { Err(Refused { status: 401, why: "the secret of this endpoint was not shown" }) }
    }

    /// Takes equally long wherever the text differs.
    fn is_secret(&self, value: &str) -> bool {
        let bearer = match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => value,
        };
        hmac::verify(&self.key, bearer.as_bytes(), self.tag.as_ref()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef";

    fn gate() -> Gate {
        let address = SocketAddr::from(([127, 0, 0, 1], 4000));
        Gate::new(address, &Secret::new(SECRET), vec!["authorization", "x-identity-header"]).unwrap()
    }

    fn request(method: &str, headers: &[(&str, &str)]) -> Incoming {
        Incoming {
            method: method.to_owned(),
            path: "/".to_owned(),
            query: Vec::new(),
            raw_query: String::new(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: Vec::new(),
        }
    }

    #[test]
    fn only_plain_requests_to_this_very_address() {
        let own = ("host", "127.0.0.1:4000");
        for host in ["127.0.0.1:4000", "localhost:4000", "LOCALHOST:4000"] {
            assert_eq!(gate().shape(&request("GET", &[("host", host)])), Ok(()), "{host}");
        }
        for host in
            ["127.0.0.1", "127.0.0.1:80", "evil.test", "evil.test:4000", "localhost.evil.test:4000", "", "[::1]:4000"]
        {
            assert_eq!(gate().shape(&request("GET", &[("host", host)])).unwrap_err().status, 403, "{host}");
        }
        assert_eq!(gate().shape(&request("GET", &[])).unwrap_err().status, 403);
        assert_eq!(gate().shape(&request("GET", &[own, own])).unwrap_err().status, 403, "twice is once too often");
        for method in ["POST", "PUT", "HEAD", "OPTIONS", "get", "DELETE"] {
            assert_eq!(gate().shape(&request(method, &[own])).unwrap_err().status, 405, "{method}");
        }
        for header in ["origin", "forwarded", "x-forwarded-for"] {
            assert_eq!(gate().shape(&request("GET", &[own, (header, "x")])).unwrap_err().status, 403, "{header}");
        }
    }

    #[test]
    fn the_secret_opens_and_nothing_else() {
        let bearer = format!("Bearer {SECRET}");
        for header in [("authorization", SECRET), ("authorization", &bearer), ("x-identity-header", SECRET)] {
            assert_eq!(gate().secret(&request("GET", &[header])), Ok(()), "{header:?}");
        }
        let cut = &SECRET[..SECRET.len() - 1];
        let longer = format!("{SECRET}0");
        let basic = format!("Basic {SECRET}");
        for headers in [
            &[][..],
            &[("authorization", "")],
            &[("authorization", cut)],
            &[("authorization", &longer)],
            &[("authorization", &basic)],
            &[("x-api-key", SECRET)],
            &[("authorization", "wrong"), ("authorization", SECRET)],
            &[("authorization", "wrong"), ("x-identity-header", SECRET)],
        ] {
            assert_eq!(gate().secret(&request("GET", headers)).unwrap_err().status, 401, "{headers:?}");
        }
    }
}
