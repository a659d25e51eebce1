//! Profiles: where functions spend their time.

use tokio::time::Instant;

use super::Runtime;
use crate::{
    call::{ErrorKind, InvokeError, Profile},
    function::FunctionRef,
};

impl Runtime {
    /// Begins a profile: forgets the stacks that were sampled so far.
    ///
    /// Samples are taken if [`RuntimeBuilder::sample_stacks`](crate::RuntimeBuilder::sample_stacks) says so.
    pub fn begin_profile(&self) {
        if let Some(profiler) = self.code.loader.engines().profiler() {
            profiler.begin();
        }
    }

    /// The stacks that were sampled since the profile began, with the names and lines of one function's module. So only
    /// guests of this module should have run meanwhile.
    ///
    /// # Errors
    /// The function cannot be found, or this runtime takes no samples.
    pub async fn profile(&self, function: &FunctionRef) -> Result<Profile, InvokeError> {
        let deployment = self.deployments.get(function, Instant::now()).await?;
        let Some(profiler) = self.code.loader.engines().profiler() else {
            return Err(InvokeError::new(ErrorKind::InvalidInput, "this runtime takes no samples"));
        };
        Ok(profiler.profile(&deployment.symbols).await)
    }
}
