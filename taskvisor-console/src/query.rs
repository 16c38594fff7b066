//! The query of a request. The rest of the URI is ignored, so that the console can be mounted at any path.

use std::borrow::Cow;

/// The one parameter of a query. Without `=` the value is `None`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parameter<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: Option<Cow<'a, str>>,
}

/// Reads a query. `None` if it is empty.
///
/// The value is percent-encoded; a `+` is a plus. The key is never encoded.
///
/// # Errors
/// The problem with the query.
pub(crate) fn read(query: Option<&str>) -> Result<Option<Parameter<'_>>, &'static str> {
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(None) };
    if query.contains('&') {
        return Err("a query has one parameter; in a path, `&` is `%26`");
    }
    let Some((key, value)) = query.split_once('=') else { return Ok(Some(Parameter { key: query, value: None })) };
    Ok(Some(Parameter { key, value: Some(decode(value)?) }))
}

fn decode(text: &str) -> Result<Cow<'_, str>, &'static str> {
    if !text.contains('%') {
        return Ok(text.into());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut pieces = text.split('%');
    bytes.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2).ok_or("a `%` needs two hexadecimal digits after it")?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let byte = u8::from_str_radix(digits, 16).ok().filter(|_| is_hex);
        bytes.push(byte.ok_or("a `%` needs two hexadecimal digits after it")?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| "the path is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(query: &str) -> Result<Option<String>, &'static str> {
        let parameter = read(Some(query))?.expect("it is not empty");
        Ok(parameter.value.map(Cow::into_owned))
    }

    #[test]
    fn a_query_is_a_name_or_a_name_with_a_path() {
        assert_eq!(read(None), Ok(None));
        assert_eq!(read(Some("")), Ok(None));
        assert_eq!(read(Some("app.js")), Ok(Some(Parameter { key: "app.js", value: None })));
        assert_eq!(value("node="), Ok(Some(String::new())), "the path of the root");
        assert_eq!(value("node=store/pool"), Ok(Some("store/pool".into())));
        assert_eq!(value("node=a=b+c"), Ok(Some("a=b+c".into())));
        assert!(read(Some("tree&events")).is_err());
    }

    #[test]
    fn percent_decoding_is_strict() {
        assert_eq!(value("node=store%2Fpool%20%C3%BC%26"), Ok(Some("store/pool ü&".into())));
        for query in ["node=%", "node=%2", "node=%zz", "node=%+1", "node=a%2ü", "node=%ff", "node=%C3", "node=%é"] {
            assert!(value(query).is_err(), "{query}");
        }
    }
}
