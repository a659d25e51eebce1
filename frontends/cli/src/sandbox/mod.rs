//! The sandbox around a server: what the process can no longer do, whatever code runs in it.
//!
//! A guest that found a fault in Wasmtime or in a host function would have the rights of the process. In the sandbox these
//! are few: the kernel refuses other files and ports (Landlock), and system calls that a server does not need (seccomp).

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod files;
mod policy;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    policy::Policy,
    state::{Entered, NotEntered, Sandbox},
};

impl Sandbox {
    /// Takes rights away from the calling thread and from the threads that it starts later, for good.
    #[cfg(target_os = "linux")]
    pub(crate) fn enter(&self) -> Result<Entered, NotEntered> {
        let entered = files::restrict(self)?;
        calls::restrict().map_err(|error| NotEntered::Failed(error.into()))?;
        Ok(entered)
    }

    /// Only Linux has what the sandbox is made of.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn enter(&self) -> Result<Entered, NotEntered> {
        Err(NotEntered::Unsupported)
    }
}
