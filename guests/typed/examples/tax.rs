//! Tax rates, which other functions import.

wit_bindgen::generate!({ path: "wit/tax.wit" });

struct Tax;

export!(Tax);

impl exports::nebula::tax::rates::Guest for Tax {
    fn rate(country: String) -> Option<f64> {
        match country.as_str() {
            "at" => Some(20.0),
            "ch" => Some(8.1),
            "de" => Some(19.0),
            _ => None,
        }
    }
}
