//! The WIT types whose values can be written as JSON.

use std::sync::Arc;

use wasmtime::component::{Type, types::ComponentFunc};

use crate::guest::number::Integer;

/// A function's parameters and result.
#[derive(Debug, Clone)]
pub(super) struct Signature {
    pub(super) params: Vec<Field>,
    pub(super) result: Option<Shape>,
    pub(super) is_async: bool,
    pub(super) docs: Option<String>,
}

/// A type, and its name if that is known. Wasmtime does not tell the names of types; they are read from the component's
/// WIT.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) form: Form,
    pub(super) named: Option<Arc<TypeName>>,
}

/// The name of a type, and its author's documentation.
#[derive(Debug, Clone)]
pub(super) struct TypeName {
    pub(super) name: String,
    pub(super) docs: Option<String>,
}

/// The kind of a type, with the types of its parts.
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

/// A record's field, or a function's parameter.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) shape: Shape,
    pub(super) docs: Option<String>,
}

/// A case of a variant or an enum, or a flag. Only a variant's case can have a `shape`.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) shape: Option<Shape>,
    pub(super) docs: Option<String>,
}

/// Why a function cannot be called with JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotCallable(pub(super) String);

/// The most parts that the types of one function may have. In a component's binary, types share their parts. Here they
/// do not, so a few hundred bytes of a binary could take gigabytes.
const MAX_PARTS: usize = 10_000;

/// The most parts that the types of all functions of a component may have.
pub(super) const MAX_PARTS_OF_ALL: usize = 100_000;

/// How deep types may be nested. Values are read and written recursively, so this bounds the stack.
const MAX_DEPTH: usize = 64;

impl Signature {
    /// The signature of a component's function, without the names of its types. It may have at most `left` parts, and
    /// reduces `left` by those that it has.
    pub(super) fn reflect(ty: &ComponentFunc, left: &mut usize) -> Result<Self, NotCallable> {
        let room = MAX_PARTS.min(*left);
        let mut reflection = Reflection { room, depth: 0 };
        let reflected = reflection.signature(ty);
        *left -= room - reflection.room;
        reflected
    }

    /// The type that the caller gets: the result's, or that of `ok` if the result is a `result`.
    pub(super) fn success(&self) -> Option<&Shape> {
        match self.result.as_ref().map(|shape| &shape.form) {
            Some(Form::Result(ok, _)) => ok.as_deref(),
            _ => self.result.as_ref(),
        }
    }

    /// The type of the error that the caller gets, if the result is a `result`.
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

/// Reads types from Wasmtime.
struct Reflection {
    /// How many more parts the types may have.
    room: usize,
    depth: usize,
}

impl Reflection {
    fn signature(&mut self, ty: &ComponentFunc) -> Result<Signature, NotCallable> {
        let mut params = Vec::new();
        for (name, ty) in ty.params() {
            let shape =
                self.shape(&ty).map_err(|NotCallable(why)| NotCallable(format!("its parameter {name} {why}")))?;
            params.push(Field { name: name.to_owned(), shape, docs: None });
        }
        let result = ty.results().next().map(|ty| self.shape(&ty)).transpose();
        let result = result.map_err(|NotCallable(why)| NotCallable(format!("its result {why}")))?;
        Ok(Signature { params, result, is_async: ty.async_(), docs: None })
    }

    fn shape(&mut self, ty: &Type) -> Result<Shape, NotCallable> {
        self.count(1)?;
        if self.depth == MAX_DEPTH {
            return Err(NotCallable("has a type that is nested too deeply".to_owned()));
        }
        self.depth += 1;
        let form = self.form(ty)?;
        self.depth -= 1;
        Ok(Shape::anonymous(form))
    }

    fn form(&mut self, ty: &Type) -> Result<Form, NotCallable> {
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
            other => {
                return Err(NotCallable(format!("holds {}, which no JSON value can stand for", unwritable(other))));
            }
        })
    }

    fn boxed(&mut self, ty: &Type) -> Result<Box<Shape>, NotCallable> {
        self.shape(ty).map(Box::new)
    }

    fn optional(&mut self, ty: Option<Type>) -> Result<Option<Box<Shape>>, NotCallable> {
        ty.map(|ty| self.boxed(&ty)).transpose()
    }

    fn labels<'a>(&mut self, names: impl ExactSizeIterator<Item = &'a str>) -> Result<Vec<Case>, NotCallable> {
        self.count(names.len())?;
        Ok(names.map(Case::label).collect())
    }

    fn count(&mut self, parts: usize) -> Result<(), NotCallable> {
        let left =
            self.room.checked_sub(parts).ok_or_else(|| NotCallable("has a type of too many parts".to_owned()))?;
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
