//! Returns its argument: one function for each type of WIT.
#![expect(clippy::too_many_arguments, reason = "the bindings pass the parts of a record one by one")]

wit_bindgen::generate!({ path: "wit/typed-all.wit" });

struct All;

export!(All);

macro_rules! identities {
    ($($name:ident: $value:ty),* $(,)?) => {
        impl Guest for All {
            $(fn $name(value: $value) -> $value {
                value
            })*

            fn nothing() {}

            fn several(text: String, times: u32, separator: Option<String>) -> String {
                vec![text; times as usize].join(&separator.unwrap_or_default())
            }
        }
    };
}

identities! {
    bools: bool,
    s8s: i8,
    s16s: i16,
    s32s: i32,
    s64s: i64,
    u8s: u8,
    u16s: u16,
    u32s: u32,
    u64s: u64,
    f32s: f32,
    f64s: f64,
    chars: char,
    strings: String,
    bytes: Vec<u8>,
    lists: Vec<String>,
    tuples: (u8, String, bool),
    options: Option<String>,
    nested_options: Option<Option<u32>>,
    results: Result<u32, String>,
    inner_results: Vec<Result<u32, String>>,
    empty_results: Vec<Result<(), ()>>,
    variants: Shape,
    enums: Colour,
    many_flags: Permissions,
    records: Outer,
}
