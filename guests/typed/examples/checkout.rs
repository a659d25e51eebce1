//! Adds the tax to a price. It imports the rates from another function.

wit_bindgen::generate!({ path: ["wit/tax.wit", "wit/checkout.wit"], world: "nebula:checkout/checkout", generate_all });

struct Checkout;

export!(Checkout);

impl Guest for Checkout {
    fn gross(net: u32, country: String) -> Result<u32, String> {
        let rate = nebula::tax::rates::rate(&country).ok_or_else(|| format!("no rate is known for {country:?}"))?;
        Ok((f64::from(net) * (1.0 + rate / 100.0)).round() as u32)
    }
}
