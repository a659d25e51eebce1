//! The WIT types of values that can be written as JSON.

use std::sync::Arc;

use wasmtime::component::{Type, types::ComponentFunc};

use crate::guest::number::Integer;

/// What can be called, and with what.
#[derive(Debug, Clone)]
pub(super) struct Signature {
    pub(super) params: Vec<Field>,
    pub(super) result: Option<Shape>,
    pub(super) is_async: bool,
    pub(super) docs: Option<String>,
}

/// A type, and its name where that is known: a component's code tells none, only its description does.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) form: Form,
    pub(super) named: Option<Arc<Named>>,
}

#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) docs: Option<String>,
}

/// How values of a type are made up.
#[derive(Debug, Clone)]
pub(super) enum Form {
    Bool,
    Integer(Integer),
    F32,
    F64,
    Char,
    String,
    /// `list<u8>`.
    Bytes,
    List(Box<Shape>),
    Tuple(Vec<Shape>),
    Option(Box<Shape>),
    Result(Option<Box<Shape>>, Option<Box<Shape>>),
    Record(Vec<Field>),
    Variant(Vec<Case>),
    Enum(Vec<Case>),
    Flags(Vec<Case>),
}

/// A record's field, or a parameter.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) shape: Shape,
    pub(super) docs: Option<String>,
}

/// A case of a variant or an enum, or a flag.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) shape: Option<Shape>,
    pub(super) docs: Option<String>,
}

/// Why a function cannot be called with JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) String);

/// How many types one function's may be made of, and those of all functions of a component. In its binary they share
/// their parts, and here they do not: a few hundred bytes of it could take gigabytes.
const MAX_PARTS: usize = 10_000;
pub(super) const MAX_PARTS_OF_ALL: usize = 100_000;

/// How deep types may lie in each other: values are read and written recursively.
const MAX_DEPTH: usize = 64;

impl Signature {
    /// The signature of a function of a component, without the names of its types. It may be made of as many parts as are
    /// `left`, from which they are then taken.
    pub(super) fn reflect(ty: &ComponentFunc, left: &mut usize) -> Result<Self, Refusal> {
        let room = MAX_PARTS.min(*left);
        let mut reflection = Reflection { room, depth: 0 };
        let reflected = reflection.signature(ty);
        *left -= room - reflection.room;
        reflected
    }

    /// What the caller is given: the result, or what is in it where it is one of success and failure.
    pub(super) fn success(&self) -> Option<&Shape> {
        match self.result.as_ref().map(|shape| &shape.form) {
            Some(Form::Result(ok, _)) => ok.as_deref(),
            _ => self.result.as_ref(),
        }
    }

    /// What the caller is told of a failure.
    pub(super) fn failure(&self) -> Option<&Shape> {
        match self.result.as_ref().map(|shape| &shape.form) {
            Some(Form::Result(_, err)) => err.as_deref(),
            _ => None,
        }
    }
}

impl Shape {
    pub(super) fn anonymous(form: Form) -> Self {
        Self { form, named: None }
    }

    pub(super) fn is_option(&self) -> bool {
        matches!(self.form, Form::Option(_))
    }
}

impl Case {
    pub(super) fn label(name: &str) -> Self {
        Self { name: name.to_owned(), shape: None, docs: None }
    }
}

struct Reflection {
    /// How many parts there may be yet.
    room: usize,
    depth: usize,
}

impl Reflection {
    fn signature(&mut self, ty: &ComponentFunc) -> Result<Signature, Refusal> {
        let mut params = Vec::new();
        for (name, ty) in ty.params() {
            let shape = self.shape(&ty).map_err(|Refusal(why)| Refusal(format!("its parameter {name} {why}")))?;
            params.push(Field { name: name.to_owned(), shape, docs: None });
        }
        let result = ty.results().next().map(|ty| self.shape(&ty)).transpose();
        let result = result.map_err(|Refusal(why)| Refusal(format!("its result {why}")))?;
        Ok(Signature { params, result, is_async: ty.async_(), docs: None })
    }

    fn shape(&mut self, ty: &Type) -> Result<Shape, Refusal> {
        self.count(1)?;
        if self.depth == MAX_DEPTH {
            return Err(Refusal("has a type that is nested too deeply".to_owned()));
        }
        self.depth += 1;
        let form = self.form(ty)?;
        self.depth -= 1;
        Ok(Shape::anonymous(form))
    }

    fn form(&mut self, ty: &Type) -> Result<Form, Refusal> {
        Ok(match ty {
            Type::Bool => Form::Bool,
            Type::S8 => Form::Integer(Integer::S8),
            Type::U8 => Form::Integer(Integer::U8),
            Type::S16 => Form::Integer(Integer::S16),
            Type::U16 => Form::Integer(Integer::U16),
            Type::S32 => Form::Integer(Integer::S32),
            Type::U32 => Form::Integer(Integer::U32),
            Type::S64 => Form::Integer(Integer::S64),
            Type::U64 => Form::Integer(Integer::U64),
            Type::Float32 => Form::F32,
            Type::Float64 => Form::F64,
            Type::Char => Form::Char,
            Type::String => Form::String,
            Type::List(list) if list.ty() == Type::U8 => Form::Bytes,
            Type::List(list) => Form::List(self.boxed(&list.ty())?),
            Type::Tuple(tuple) => Form::Tuple(tuple.types().map(|ty| self.shape(&ty)).collect::<Result<_, _>>()?),
            Type::Option(option) => Form::Option(self.boxed(&option.ty())?),
            Type::Result(result) => Form::Result(self.optional(result.ok())?, self.optional(result.err())?),
            Type::Record(record) => {
                let field = |field: wasmtime::component::types::Field<'_>| {
                    Ok(Field { name: field.name.to_owned(), shape: self.shape(&field.ty)?, docs: None })
                };
                Form::Record(record.fields().map(field).collect::<Result<_, _>>()?)
            }
            Type::Variant(variant) => {
                let case = |case: wasmtime::component::types::Case<'_>| {
                    let shape = case.ty.map(|ty| self.shape(&ty)).transpose()?;
                    Ok(Case { name: case.name.to_owned(), shape, docs: None })
                };
                Form::Variant(variant.cases().map(case).collect::<Result<_, _>>()?)
            }
            Type::Enum(cases) => Form::Enum(self.labels(cases.names())?),
            Type::Flags(flags) => Form::Flags(self.labels(flags.names())?),
            other => return Err(Refusal(format!("holds {}, which no JSON value can stand for", unwritable(other)))),
        })
    }

    fn boxed(&mut self, ty: &Type) -> Result<Box<Shape>, Refusal> {
        self.shape(ty).map(Box::new)
    }

    fn optional(&mut self, ty: Option<Type>) -> Result<Option<Box<Shape>>, Refusal> {
        ty.map(|ty| self.boxed(&ty)).transpose()
    }

    fn labels<'a>(&mut self, names: impl ExactSizeIterator<Item = &'a str>) -> Result<Vec<Case>, Refusal> {
        self.count(names.len())?;
        Ok(names.map(Case::label).collect())
    }

    fn count(&mut self, parts: usize) -> Result<(), Refusal> {
        let left = self.room.checked_sub(parts).ok_or_else(|| Refusal("has a type of too many parts".to_owned()))?;
        self.room = left;
        Ok(())
    }
}

fn unwritable(ty: &Type) -> &'static str {
    match ty {
        Type::Own(_) | Type::Borrow(_) => "a resource",
        Type::Future(_) => "a future",
        Type::Stream(_) => "a stream",
        Type::ErrorContext => "an error context",
        Type::Map(_) => "a map",
        Type::FixedLengthList(_) => "a list of a fixed length",
        _ => "a value",
    }
}
