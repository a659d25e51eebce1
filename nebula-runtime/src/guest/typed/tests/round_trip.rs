//! Tests random types with random values.

use proptest::{collection::vec, option, prelude::*, sample::Index};
use wasmtime::component::Val;

use super::components::{identity, runtime_with, same};
use crate::guest::{
    number::Integer,
    typed::{
        decode::Decoder,
        encode::encode,
        shape::{Case, Field, Form, Shape},
    },
};

fn shape() -> impl Strategy<Value = Shape> {
    let integer = prop_oneof![
        Just(Integer::S8),
        Just(Integer::U8),
        Just(Integer::S16),
        Just(Integer::U16),
        Just(Integer::S32),
        Just(Integer::U32),
        Just(Integer::S64),
        Just(Integer::U64),
    ];
    let label = |index: usize| Case::label(&format!("c{index}"));
    let leaf = prop_oneof![
        Just(Form::Bool),
        integer.prop_map(Form::Integer),
        Just(Form::F32),
        Just(Form::F64),
        Just(Form::Char),
        Just(Form::String),
        Just(Form::Bytes),
        (1..40_usize).prop_map(move |count| Form::Enum((0..count).map(label).collect())),
        (1..33_usize).prop_map(move |count| Form::Flags((0..count).map(label).collect())),
    ];
    leaf.prop_map(Shape::anonymous).prop_recursive(4, 24, 5, |inner| {
        let field = |(shape, index): (Shape, usize)| Field { name: format!("f{index}"), shape, docs: None };
        let case = |(shape, index): (Option<Shape>, usize)| Case { name: format!("c{index}"), shape, docs: None };
        let form = prop_oneof![
            // A list of bytes is a form of its own.
            inner.clone().prop_map(|of| match of.form {
                Form::Integer(Integer::U8) => Form::Bytes,
                _ => Form::List(Box::new(of)),
            }),
            inner.clone().prop_map(|of| Form::Option(Box::new(of))),
            vec(inner.clone(), 1..5).prop_map(Form::Tuple),
            vec(inner.clone(), 1..5)
                .prop_map(move |shapes| Form::Record(shapes.into_iter().zip(0..).map(field).collect())),
            vec(option::of(inner.clone()), 1..5)
                .prop_map(move |shapes| Form::Variant(shapes.into_iter().zip(0..).map(case).collect())),
            (option::of(inner.clone()), option::of(inner))
                .prop_map(|(ok, err)| Form::Result(ok.map(Box::new), err.map(Box::new))),
        ];
        form.prop_map(Shape::anonymous)
    })
}

/// A value of a type, made from random bytes. After the last byte come zeros.
fn value(shape: &Shape, bytes: &mut impl Iterator<Item = u8>) -> Val {
    let mut byte = || bytes.next().unwrap_or_default();
    match &shape.form {
        Form::Bool => Val::Bool(byte() % 2 == 1),
        Form::Integer(of) => integer(*of, wide(&mut byte)),
        Form::F32 => Val::Float32(f32::from_bits(wide(&mut byte) as u32)),
        Form::F64 => Val::Float64(f64::from_bits(wide(&mut byte))),
        Form::Char => Val::Char(char::from_u32(wide(&mut byte) as u32 % 0x11_0000).unwrap_or('\u{10ffff}')),
        Form::String => {
            let length = byte() % 8;
            Val::String((0..length).map(|_| char::from(byte())).collect())
        }
        Form::Bytes => {
            let length = byte() % 8;
            Val::List((0..length).map(|_| Val::U8(byte())).collect())
        }
        Form::Enum(cases) => Val::Enum(cases[usize::from(byte()) % cases.len()].name.clone()),
        Form::Flags(flags) => {
            let set = flags.iter().filter(|_| byte() % 2 == 1);
            Val::Flags(set.map(|flag| flag.name.clone()).collect())
        }
        Form::List(of) => {
            let length = byte() % 4;
            Val::List((0..length).map(|_| value(of, bytes)).collect())
        }
        Form::Tuple(types) => Val::Tuple(types.iter().map(|ty| value(ty, bytes)).collect()),
        Form::Option(of) => Val::Option((byte() % 3 > 0).then(|| Box::new(value(of, bytes)))),
        Form::Result(ok, err) => {
            let is_ok = byte() % 2 == 1;
            let payload = if is_ok { ok } else { err }.as_ref().map(|shape| Box::new(value(shape, bytes)));
            Val::Result(if is_ok { Ok(payload) } else { Err(payload) })
        }
        Form::Record(fields) => {
            Val::Record(fields.iter().map(|field| (field.name.clone(), value(&field.shape, bytes))).collect())
        }
        Form::Variant(cases) => {
            let case = &cases[usize::from(byte()) % cases.len()];
            Val::Variant(case.name.clone(), case.shape.as_ref().map(|shape| Box::new(value(shape, bytes))))
        }
    }
}

/// A number of eight bytes. Special values are more frequent than by chance.
fn wide(byte: &mut impl FnMut() -> u8) -> u64 {
    match byte() % 8 {
        0 => u64::MAX,
        1 => i64::MAX as u64,
        2 => i64::MIN as u64,
        3 => f64::NAN.to_bits(),
        4 => f64::NEG_INFINITY.to_bits(),
        5 => u64::from(f32::NAN.to_bits()),
        _ => u64::from_le_bytes(std::array::from_fn(|_| byte())),
    }
}

fn integer(of: Integer, wide: u64) -> Val {
    match of {
        Integer::S8 => Val::S8(wide as i8),
        Integer::U8 => Val::U8(wide as u8),
        Integer::S16 => Val::S16(wide as i16),
        Integer::U16 => Val::U16(wide as u16),
        Integer::S32 => Val::S32(wide as i32),
        Integer::U32 => Val::U32(wide as u32),
        Integer::S64 => Val::S64(wide as i64),
        Integer::U64 => Val::U64(wide),
    }
}

/// A type in the text format of components. Types that must have a name are defined in `types`.
fn wat(shape: &Shape, types: &mut String) -> String {
    let mut of = |shape: &Shape| wat(shape, types);
    let optional =
        |keyword: &str, shape: Option<String>| shape.map_or_else(String::new, |shape| format!(" ({keyword} {shape})"));
    let defined = match &shape.form {
        Form::Bool => return "bool".to_owned(),
        Form::Integer(of) => return of.as_str().to_owned(),
        Form::F32 => return "f32".to_owned(),
        Form::F64 => return "f64".to_owned(),
        Form::Char => return "char".to_owned(),
        Form::String => return "string".to_owned(),
        Form::Bytes => return "(list u8)".to_owned(),
        Form::List(item) => return format!("(list {})", of(item)),
        Form::Option(value) => return format!("(option {})", of(value)),
        Form::Tuple(parts) => return format!("(tuple {})", parts.iter().map(of).collect::<Vec<_>>().join(" ")),
        Form::Result(ok, err) => {
            let ok = ok.as_deref().map_or_else(String::new, |ok| format!(" {}", of(ok)));
            return format!("(result{ok}{})", optional("error", err.as_deref().map(of)));
        }
        Form::Record(fields) => {
            let field = |field: &Field| format!("(field \"{}\" {})", field.name, of(&field.shape));
            format!("(record {})", fields.iter().map(field).collect::<String>())
        }
        Form::Variant(cases) => {
            let case = |case: &Case| match &case.shape {
                Some(shape) => format!("(case \"{}\" {})", case.name, of(shape)),
                None => format!("(case \"{}\")", case.name),
            };
            format!("(variant {})", cases.iter().map(case).collect::<String>())
        }
        Form::Enum(cases) => format!("(enum {})", labels(cases)),
        Form::Flags(flags) => format!("(flags {})", labels(flags)),
    };
    let index = types.matches("(type").count();
    types.push_str(&format!("(type $t{index} {defined}) (export $e{index} \"t{index}\" (type $t{index}))\n"));
    format!("$e{index}")
}

fn labels(cases: &[Case]) -> String {
    cases.iter().map(|case| format!("\"{}\" ", case.name)).collect()
}

fn written(shape: &Shape, value: &Val) -> String {
    String::from_utf8(encode(Some(shape), Some(value), u64::MAX).unwrap()).unwrap()
}

fn read(shape: &Shape, json: &str) -> Val {
    Decoder::new(1 << 30).decode(0, shape, json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error:?}"))
}

proptest! {
    #[test]
    fn every_value_is_read_back_from_its_json(shape in shape(), bytes in vec(any::<u8>(), 0..200)) {
        let original = value(&shape, &mut bytes.into_iter());
        let json = written(&shape, &original);
        let back = read(&shape, &json);
        prop_assert_eq!(&back, &original, "{}", json);
        prop_assert_eq!(written(&shape, &back), json);
    }

    #[test]
    fn reading_any_text_does_not_panic(shape in shape(), text in r#"[\[\]{}",:0-9a-fco. -]{0,40}|.{0,20}"#) {
        let _ = Decoder::new(1 << 20).decode(0, &shape, text.as_bytes());
    }

    #[test]
    fn reading_a_damaged_value_does_not_panic(
        shape in shape(),
        bytes in vec(any::<u8>(), 0..200),
        at in any::<Index>(),
        byte in any::<u8>(),
    ) {
        let mut json = written(&shape, &value(&shape, &mut bytes.into_iter())).into_bytes();
        let at = at.index(json.len());
        json[at] = byte;
        let _ = Decoder::new(1 << 20).decode(0, &shape, &json);
    }
}

proptest! {
    // Few cases, because each compiles a component.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_value_passes_through_a_component_unchanged(shape in shape(), bytes in vec(any::<u8>(), 0..200)) {
        let mut types = String::new();
        let ty = wat(&shape, &mut types);
        let mut bytes = bytes.into_iter();
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let runtime = runtime_with("same", &identity(&types, &ty)).await.unwrap_or_else(|error| panic!("{ty} {types}: {error}"));
            for _ in 0..4 {
                let json = written(&shape, &value(&shape, &mut bytes));
                let answer = same(&runtime, &json).await.unwrap_or_else(|error| panic!("{json}: {error}"));
                assert_eq!(answer, json);
            }
        });
    }
}
