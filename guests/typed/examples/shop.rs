//! A shop with records, variants, enums, flags, lists, options, tuples and results.

wit_bindgen::generate!({ path: "wit/shop.wit" });

use exports::nebula::shop::orders::{Care, Good, Guest, Order, Parcel, Payment, Receipt, Refusal, Unit};

struct Shop;

export!(Shop);

impl Guest for Shop {
    fn goods() -> Vec<Good> {
        let good = |name: &str, unit, price, care| Good { name: name.to_owned(), unit, price, care };
        vec![
            good("apple", Unit::Kilogram, 320, Care::empty()),
            good("milk", Unit::Litre, 119, Care::HEAVY),
            good("ice", Unit::Litre, 450, Care::FRAGILE | Care::FROZEN),
            good("egg", Unit::Piece, 35, Care::FRAGILE),
        ]
    }

    fn find(name: String) -> Option<Good> {
        Self::goods().into_iter().find(|good| good.name == name)
    }

    fn place(order: Order) -> Result<Receipt, Refusal> {
        let (mut care, mut lines) = (Care::empty(), Vec::new());
        for (line, item) in (0..).zip(order.items) {
            let refusal = |reason: String| Refusal { line, reason };
            let good = Self::find(item.name.clone()).ok_or_else(|| refusal(format!("there is no {:?}", item.name)))?;
            if item.amount.is_nan() || item.amount <= 0.0 {
                return Err(refusal(format!("{} is no amount", item.amount)));
            }
            care |= good.care;
            lines.push((good.name, (f64::from(good.price) * item.amount).round() as u32));
        }
        let voucher = match order.payment {
            Payment::Voucher((_, worth)) => worth,
            Payment::Cash | Payment::Card(_) => 0,
        };
        let total = lines.iter().map(|(_, price)| *price).sum::<u32>().saturating_sub(voucher);
        Ok(Receipt { total, lines, care, greeting: order.greeting })
    }

    fn weigh(parcel: Parcel) -> Parcel {
        Parcel { weight: parcel.weight + 1.0, ..parcel }
    }
}
