//! Reads arrays and objects.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use wasmtime::component::Val;

use super::decoder::{Decoder, PathStep, Seed};
use crate::function::{nearest, quoted};
use crate::guest::{
    number::Integer,
    typed::shape::{Case, Field, Form, Shape},
};

impl<'t> Seed<'_, 't> {
    /// Reads an option's value, which is not `null`.
    pub(super) fn some<'de, D: Deserializer<'de>>(self, json: D) -> Result<Val, D::Error> {
        match &self.shape.form {
            Form::Option(of) if of.is_option() => json.deserialize_any(self),
            Form::Option(of) => {
                let value = self.decoder.seed(of).deserialize(json)?;
                Ok(Val::Option(Some(Box::new(value))))
            }
            _ => json.deserialize_any(self),
        }
    }

    pub(super) fn array<'de, A: SeqAccess<'de>>(self, mut items: A) -> Result<Val, A::Error> {
        let Self { decoder, shape } = self;
        match &shape.form {
            Form::List(of) => decoder.list(of, items).map(Val::List),
            Form::Bytes => decoder.list(&BYTE, items).map(Val::List),
            Form::Tuple(types) => decoder.tuple(types, items).map(Val::Tuple),
            Form::Flags(flags) => decoder.flags(flags, &mut items).map(Val::Flags),
            _ => Err(decoder.unexpected(shape, "an array")),
        }
    }

    pub(super) fn object<'de, A: MapAccess<'de>>(self, mut entries: A) -> Result<Val, A::Error> {
        let Self { decoder, shape } = self;
        match &shape.form {
            Form::Record(fields) => {
                let values = decoder.fields(fields, entries, EntryKind::Field)?;
                decoder.charge(fields.iter().map(|field| size_of::<String>() + field.name.len()).sum())?;
                Ok(Val::Record(fields.iter().map(|field| field.name.clone()).zip(values).collect()))
            }
            Form::Variant(cases) => {
                let case = decoder.tag(shape, &mut entries, |name| NameSeed::find(cases, name))?;
                let value = decoder.tagged(&case.name, case.shape.as_ref(), &mut entries)?;
                Ok(Val::Variant(case.name.clone(), value))
            }
            Form::Result(ok, err) => {
                let is_ok = decoder.tag(shape, &mut entries, |name| either(name, "ok", "err"))?;
                let (tag, of) = if is_ok { ("ok", ok) } else { ("err", err) };
                let value = decoder.tagged(tag, of.as_deref(), &mut entries)?;
                Ok(Val::Result(if is_ok { Ok(value) } else { Err(value) }))
            }
            Form::Option(of) if of.is_option() => {
                decoder.tag(shape, &mut entries, |name| either(name, "some", "some"))?;
                decoder.tagged("some", Some(of), &mut entries).map(Val::Option)
            }
            _ => Err(decoder.unexpected(shape, "an object")),
        }
    }
}

/// The meaning of an object's entries: fields of a record, or arguments.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum EntryKind {
    Field,
    Argument,
}

impl EntryKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Field => "field",
            Self::Argument => "argument",
        }
    }

    fn step(self, index: usize, field: &Field) -> PathStep<'_> {
        match self {
            Self::Field => PathStep::Key(&field.name),
            Self::Argument => PathStep::Argument(index),
        }
    }
}

impl<'t> Decoder<'t> {
    fn list<'de, A: SeqAccess<'de>>(&mut self, of: &'t Shape, mut items: A) -> Result<Vec<Val>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) =
            self.within(PathStep::Index(values.len()), |decoder| items.next_element_seed(decoder.seed(of)))?
        {
            values.push(value);
        }
        Ok(values)
    }

    fn tuple<'de, A: SeqAccess<'de>>(&mut self, types: &'t [Shape], mut items: A) -> Result<Vec<Val>, A::Error> {
        let mut values = Vec::with_capacity(types.len());
        for (index, ty) in types.iter().enumerate() {
            let value = self.within(PathStep::Index(index), |decoder| items.next_element_seed(decoder.seed(ty)))?;
            let Some(value) = value else {
                return Err(self.fail(format_args!("expected an array of {}, got one of {index}", types.len())));
            };
            values.push(value);
        }
        if items.next_element::<IgnoredAny>()?.is_some() {
            return Err(self.fail(format_args!("expected an array of {}, got a longer one", types.len())));
        }
        Ok(values)
    }

    fn flags<'de, A: SeqAccess<'de>>(&mut self, flags: &'t [Case], items: &mut A) -> Result<Vec<String>, A::Error> {
        let mut set = vec![false; flags.len()];
        let mut count = 0;
        while let Some(found) = self.within(PathStep::Index(count), |decoder| {
            let found = items.next_element_seed(NameSeed::new(flags))?;
            found.map(|found| found.map_err(|unknown| decoder.fail(unknown.of("flag")))).transpose()
        })? {
            match set.get_mut(found) {
                Some(set) if !*set => *set = true,
                _ => {
                    self.path.push(PathStep::Index(count));
                    return Err(self.fail("the flag is there twice"));
                }
            }
            count += 1;
        }
        let named: Vec<_> = flags.iter().zip(set).filter(|(_, set)| *set).map(|(flag, _)| flag.name.clone()).collect();
        self.charge(named.iter().map(|name| size_of::<String>() + name.len()).sum())?;
        Ok(named)
    }

    /// Reads the values of an object's entries, in the order of `fields`. A missing option is `none`.
    pub(in super::super) fn fields<'de, A: MapAccess<'de>>(
        &mut self,
        fields: &'t [Field],
        mut entries: A,
        what: EntryKind,
    ) -> Result<Vec<Val>, A::Error> {
        let mut values: Vec<Option<Val>> = Vec::new();
        values.resize_with(fields.len(), || None);
        let mut expected = 0;
        while let Some(found) = entries.next_key_seed(NameSeed { expected, ..NameSeed::new(fields) })? {
            let index = found.map_err(|unknown| self.fail(unknown.of(what.as_str())))?;
            let (Some(field), Some(value)) = (fields.get(index), values.get_mut(index)) else { continue };
            if value.is_some() {
                return Err(self.fail(format_args!("the {} {} is there twice", what.as_str(), field.name)));
            }
            *value = Some(
                self.within(what.step(index, field), |decoder| entries.next_value_seed(decoder.seed(&field.shape)))?,
            );
            expected = index + 1;
        }
        self.complete(fields, values, what)
    }

    fn complete<E: Error>(
        &mut self,
        fields: &'t [Field],
        values: Vec<Option<Val>>,
        what: EntryKind,
    ) -> Result<Vec<Val>, E> {
        let pairs = fields.iter().zip(values);
        let complete = pairs.map(|(field, value)| match value {
            Some(value) => Ok(value),
            None if field.shape.is_option() => self.charge(size_of::<Val>()).map(|()| Val::Option(None)),
            None => Err(self.fail(format_args!("the {} {} is missing", what.as_str(), field.name))),
        });
        complete.collect()
    }

    /// Reads the only key of an object with `find`.
    fn tag<'de, A: MapAccess<'de>, T>(
        &mut self,
        shape: &Shape,
        entries: &mut A,
        find: impl FnOnce(&str) -> Result<T, UnknownName>,
    ) -> Result<T, A::Error> {
        match entries.next_key_seed(LookupSeed(find))? {
            Some(found) => found.map_err(|unknown| self.fail(unknown.of("case"))),
            None => Err(self.unexpected(shape, "{}")),
        }
    }

    /// Reads the value of an object's only key, and the object's end.
    fn tagged<'de, A: MapAccess<'de>>(
        &mut self,
        tag: &'t str,
        shape: Option<&'t Shape>,
        entries: &mut A,
    ) -> Result<Option<Box<Val>>, A::Error> {
        let value = self.within(PathStep::Key(tag), |decoder| match shape {
            Some(shape) => entries.next_value_seed(decoder.seed(shape)).map(Some),
            None => {
                let null = entries.next_value::<Option<IgnoredAny>>()?.is_none();
                if null { Ok(None) } else { Err(decoder.fail("expected null: the case has no value")) }
            }
        })?;
        if entries.next_key::<IgnoredAny>()?.is_some() {
            return Err(self.fail("expected an object of one key, got a larger one"));
        }
        Ok(value.map(Box::new))
    }
}

static BYTE: Shape = Shape { form: Form::Integer(Integer::U8), named: None };

fn either(name: &str, yes: &str, no: &str) -> Result<bool, UnknownName> {
    match name {
        name if name == yes => Ok(true),
        name if name == no => Ok(false),
        _ => Err(UnknownName::new(name, [yes, no].into_iter())),
    }
}

/// A name that a type does not have, and the most similar name that it has.
pub(super) struct UnknownName {
    name: String,
    nearest: Option<String>,
}

impl UnknownName {
    fn new<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Self {
        Self { name: quoted(name), nearest: nearest(name, known).map(str::to_owned) }
    }

    pub(super) fn of(self, what: &str) -> String {
        let Self { name, nearest } = self;
        let hint = nearest.map(|nearest| format!("; did you mean {nearest:?}?")).unwrap_or_default();
        format!("there is no {what} {name}{hint}")
    }
}

/// A field or a case.
pub(super) trait HasName {
    fn name(&self) -> &str;
}

impl HasName for Field {
    fn name(&self) -> &str {
        &self.name
    }
}

impl HasName for Case {
    fn name(&self) -> &str {
        &self.name
    }
}

/// Reads the next string as one of these names.
pub(super) struct NameSeed<'t, N> {
    names: &'t [N],
    /// The index of the name that is checked first. Most objects have their keys in the order of the type.
    expected: usize,
}

impl<'t, N: HasName> NameSeed<'t, N> {
    fn new(names: &'t [N]) -> Self {
        Self { names, expected: 0 }
    }

    fn index(&self, name: &str) -> Result<usize, UnknownName> {
        let is_named = |named: &N| named.name() == name;
        let expected = self.names.get(self.expected).filter(|named| is_named(named)).map(|_| self.expected);
        expected
            .or_else(|| self.names.iter().position(is_named))
            .ok_or_else(|| UnknownName::new(name, self.names.iter().map(HasName::name)))
    }

    pub(super) fn find(names: &'t [N], name: &str) -> Result<&'t N, UnknownName> {
        let unknown = || UnknownName::new(name, names.iter().map(HasName::name));
        names.iter().find(|named| named.name() == name).ok_or_else(unknown)
    }
}

impl<'de, N: HasName> DeserializeSeed<'de> for NameSeed<'_, N> {
    type Value = Result<usize, UnknownName>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        LookupSeed(|name: &str| self.index(name)).deserialize(json)
    }
}

/// Reads the next string, and looks it up with a function.
struct LookupSeed<F>(F);

impl<'de, T, F: FnOnce(&str) -> Result<T, UnknownName>> DeserializeSeed<'de> for LookupSeed<F> {
    type Value = Result<T, UnknownName>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<T, F: FnOnce(&str) -> Result<T, UnknownName>> Visitor<'_> for LookupSeed<F> {
    type Value = Result<T, UnknownName>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0(name))
    }
}
