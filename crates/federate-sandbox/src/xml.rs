//! STS's answers (API version 2011-06-15).

use federate_http::Answer;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// `<name>text</name>`.
pub(crate) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escaped(text))
}

/// `<name>` around elements.
pub(crate) fn group(name: &str, elements: &[String]) -> String {
    format!("<{name}>{}</{name}>", elements.concat())
}

/// A success of an operation.
pub(crate) fn success(operation: &str, request_id: &str, result: &[String]) -> Answer {
    let result = group(&format!("{operation}Result"), result);
    let metadata = group("ResponseMetadata", &[element("RequestId", request_id)]);
    let body = format!("<{operation}Response xmlns=\"{NAMESPACE}\">{result}{metadata}</{operation}Response>");
    answer(200, request_id, body)
}

/// A refusal.
pub(crate) fn error(status: u16, code: &str, message: &str, request_id: &str) -> Answer {
    let inner = [element("Type", "Sender"), element("Code", code), element("Message", message)];
    let error = group("Error", &inner);
    let id = element("RequestId", request_id);
    answer(status, request_id, format!("<ErrorResponse xmlns=\"{NAMESPACE}\">{error}{id}</ErrorResponse>"))
}

fn answer(status: u16, request_id: &str, body: String) -> Answer {
    Answer::text(status, "text/xml", body).with_header("x-amzn-requestid", request_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_words_stay_words() {
        let body = error(403, "AccessDenied", "</Message><Code>x</Code>&\"", "id").body;
        let body = String::from_utf8(body).unwrap();
        assert!(body.contains("&lt;/Message&gt;&lt;Code&gt;x&lt;/Code&gt;&amp;&quot;"), "{body}");
    }
}
