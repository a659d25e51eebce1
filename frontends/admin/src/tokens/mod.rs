//! Tokens: who may change functions over the network, and which.

mod file;
mod rights;
mod token;

pub(crate) use self::file::Tokens;
pub use self::{
    file::{TokenFile, TokenFileError},
    rights::{FunctionPattern, InvalidPattern, InvalidRight, Right},
    token::{InvalidTokenName, NewToken, Secret, Token, TokenName},
};
