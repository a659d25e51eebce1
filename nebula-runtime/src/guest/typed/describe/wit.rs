//! Reads a component's WIT from its binary: besides the types of functions, it has the types' names and their authors'
//! documentation.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use wit_parser::{
    Docs, Function, FunctionKind, Resolve, Type, TypeDef, TypeDefKind, TypeId, TypeOwner, WorldId, WorldItem,
    decoding::{DecodedWasm, decode},
};

use crate::guest::{
    number::Integer,
    typed::shape::{Case, Field, Form, Shape, Signature, TypeName},
};

/// The WIT of a component.
pub(super) struct Wit {
    resolve: Resolve,
    world: WorldId,
    /// Names that several types have, each in another interface.
    shared: BTreeSet<String>,
    /// The names of types that were read before, by the types' indices.
    known: RefCell<BTreeMap<usize, Arc<TypeName>>>,
}

impl Wit {
    /// Reads a component's WIT. `None` if the component's exports cannot be described as WIT: a component that was
    /// written by hand may have such exports.
    pub(super) fn decode(binary: &[u8]) -> Option<Self> {
        let decoded = decode(binary);
        let decoded =
            decoded.inspect_err(|error| tracing::debug!(%error, "the component's WIT cannot be read")).ok()?;
        let DecodedWasm::Component(resolve, world) = decoded else { return None };
        let mut owners: BTreeMap<&str, BTreeSet<TypeId>> = BTreeMap::new();
        for (id, definition) in resolve.types.iter() {
            if let Some(name) = &definition.name {
                owners.entry(name).or_default().insert(origin(&resolve, id));
            }
        }
        let shared = owners.iter().filter(|(_, ids)| ids.len() > 1).map(|(name, _)| (*name).to_owned()).collect();
        Some(Self { resolve, world, shared, known: RefCell::default() })
    }

    /// The signature of a function of the world, or of an interface.
    pub(super) fn signature(&self, interface: Option<&str>, name: &str) -> Option<Signature> {
        let exports = &self.resolve.worlds.get(self.world)?.exports;
        let mut items = exports.iter().map(|(key, item)| (self.resolve.name_world_key(key), item));
        let function = items.find_map(|(key, item)| match (item, interface) {
            (WorldItem::Function(function), None) if function.name == name => Some(function),
            (WorldItem::Interface { id, .. }, Some(interface)) if key == interface => {
                self.resolve.interfaces.get(*id)?.functions.get(name)
            }
            _ => None,
        })?;
        self.function(function)
    }

    fn function(&self, function: &Function) -> Option<Signature> {
        let param = |param: &wit_parser::Param| {
            Some(Field { name: param.name.clone(), shape: self.shape(&param.ty)?, docs: None })
        };
        Some(Signature {
            params: function.params.iter().map(param).collect::<Option<_>>()?,
            result: self.optional(function.result.as_ref())?,
            is_async: matches!(function.kind, FunctionKind::AsyncFreestanding),
            docs: text(&function.docs),
        })
    }

    /// `None` for a type that cannot be written as JSON. A function with such a type was refused before.
    fn shape(&self, ty: &Type) -> Option<Shape> {
        let form = match ty {
            Type::Bool => Form::Bool,
            Type::U8 => Form::Integer(Integer::U8),
            Type::U16 => Form::Integer(Integer::U16),
            Type::U32 => Form::Integer(Integer::U32),
            Type::U64 => Form::Integer(Integer::U64),
            Type::S8 => Form::Integer(Integer::S8),
            Type::S16 => Form::Integer(Integer::S16),
            Type::S32 => Form::Integer(Integer::S32),
            Type::S64 => Form::Integer(Integer::S64),
            Type::F32 => Form::F32,
            Type::F64 => Form::F64,
            Type::Char => Form::Char,
            Type::String => Form::String,
            Type::ErrorContext => return None,
            Type::Id(id) => return self.defined(*id),
        };
        Some(Shape::anonymous(form))
    }

    fn defined(&self, id: TypeId) -> Option<Shape> {
        let id = origin(&self.resolve, id);
        let definition = self.resolve.types.get(id)?;
        let form = match &definition.kind {
            TypeDefKind::List(Type::U8) => Form::Bytes,
            TypeDefKind::List(of) => Form::List(Box::new(self.shape(of)?)),
            TypeDefKind::Tuple(tuple) => {
                Form::Tuple(tuple.types.iter().map(|ty| self.shape(ty)).collect::<Option<_>>()?)
            }
            TypeDefKind::Option(of) => Form::Option(Box::new(self.shape(of)?)),
            TypeDefKind::Result(result) => {
                let part = |ty: Option<&Type>| Some(self.optional(ty)?.map(Box::new));
                Form::Result(part(result.ok.as_ref())?, part(result.err.as_ref())?)
            }
            TypeDefKind::Record(record) => {
                Form::Record(record.fields.iter().map(|field| self.field(field)).collect::<Option<_>>()?)
            }
            TypeDefKind::Variant(variant) => {
                let case = |case: &wit_parser::Case| self.case(&case.name, case.ty.as_ref(), &case.docs);
                Form::Variant(variant.cases.iter().map(case).collect::<Option<_>>()?)
            }
            TypeDefKind::Enum(of) => {
                let case = |case: &wit_parser::EnumCase| self.case(&case.name, None, &case.docs);
                Form::Enum(of.cases.iter().map(case).collect::<Option<_>>()?)
            }
            TypeDefKind::Flags(of) => {
                let flag = |flag: &wit_parser::Flag| self.case(&flag.name, None, &flag.docs);
                Form::Flags(of.flags.iter().map(flag).collect::<Option<_>>()?)
            }
            TypeDefKind::Type(of) => self.shape(of)?.form,
            _ => return None,
        };
        Some(Shape { form, named: self.named(id, definition) })
    }

    fn optional(&self, ty: Option<&Type>) -> Option<Option<Shape>> {
        match ty {
            Some(ty) => self.shape(ty).map(Some),
            None => Some(None),
        }
    }

    fn field(&self, field: &wit_parser::Field) -> Option<Field> {
        Some(Field { name: field.name.clone(), shape: self.shape(&field.ty)?, docs: text(&field.docs) })
    }

    fn case(&self, name: &str, ty: Option<&Type>, docs: &Docs) -> Option<Case> {
        Some(Case { name: name.to_owned(), shape: self.optional(ty)?, docs: text(docs) })
    }

    fn named(&self, id: TypeId, definition: &TypeDef) -> Option<Arc<TypeName>> {
        let name = definition.name.as_ref()?;
        let named = || {
            let owner = match definition.owner {
                TypeOwner::Interface(owner) if self.shared.contains(name) => self.resolve.id_of(owner),
                _ => None,
            };
            let short = owner.as_deref().and_then(|owner| owner.split('@').next()?.rsplit('/').next());
            let name = short.map_or_else(|| name.clone(), |owner| format!("{owner}.{name}"));
            Arc::new(TypeName { name, docs: text(&definition.docs) })
        };
        Some(Arc::clone(self.known.borrow_mut().entry(id.index()).or_insert_with(named)))
    }
}

/// The type that another type is an alias of under the same name. This follows each `use` of another interface's type.
fn origin(resolve: &Resolve, id: TypeId) -> TypeId {
    let next = |id: &TypeId| match resolve.types.get(*id) {
        Some(TypeDef { name, kind: TypeDefKind::Type(Type::Id(of)), .. }) => {
            let same = resolve.types.get(*of).is_some_and(|of| of.name == *name);
            same.then_some(*of)
        }
        _ => None,
    };
    std::iter::successors(Some(id), next).last().unwrap_or(id)
}

fn text(docs: &Docs) -> Option<String> {
    docs.contents.as_ref().map(|docs| docs.trim().to_owned()).filter(|docs| !docs.is_empty())
}
