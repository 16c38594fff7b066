//! Reads overrides from a self-describing format.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::overrides::{Given, Overrides};

/// The key under which `toml` passes a date or a time.
const TOML_DATETIME: &str = "$__toml_private_datetime";

const LIST: &str = "it is a list, expected one value";
const BYTES: &str = "it is a list of bytes, expected one value";

/// Reads a map of values and maps, whose keys are joined with dots. Needs a self-describing format.
impl<'de> Deserialize<'de> for Overrides {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut given = Vec::new();
        deserializer.deserialize_map(Values { key: "", given: &mut given })?;
        Ok(Self::of_values(given))
    }
}

/// Reads a value, or a map of values, under a key.
struct Values<'a> {
    key: &'a str,
    given: &'a mut Vec<Given>,
}

impl Values<'_> {
    fn give<E: serde::de::Error>(self, text: Result<String, &'static str>) -> Result<(), E> {
        if self.key.is_empty() {
            return Err(E::custom("overrides are a map, such as that of a whole file"));
        }
        self.given.push(Given { name: self.key.to_owned(), text });
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of overrides")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let key = match (self.key, name.as_str()) {
                (key, TOML_DATETIME) => key.to_owned(),
                ("", _) => name,
                (outer, _) => format!("{outer}.{name}"),
            };
            map.next_value_seed(Values { key: &key, given: self.given })?;
        }
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.give(Ok(text.to_owned()))
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.give(Ok(value.to_string()))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.give(Ok(value.to_string()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.give(Ok(value.to_string()))
    }

    fn visit_i128<E: serde::de::Error>(self, value: i128) -> Result<(), E> {
        self.give(Ok(value.to_string()))
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<(), E> {
        self.give(Ok(value.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.give(Ok(value.to_string()))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        // As an empty text.
        self.give(Ok(String::new()))
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<(), E> {
        self.give(Err(BYTES))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        self.give(Err(LIST))
    }
}
