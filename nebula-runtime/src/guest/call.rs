//! One call of a guest, and the values that are kept for it.

use std::sync::Arc;

use bytesize::ByteSize;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::deployment::Deployment;
use crate::{
    call::{Evictable, Guards, Invocation, InvokeError, Place, Registration, Response},
    host::GuestStderr,
};

/// A running call. It is ready when the response begins.
pub(crate) type CallFuture = BoxFuture<'static, Result<Response, InvokeError>>;

/// One call of a guest.
pub(crate) struct Call {
    pub(crate) invocation: Invocation,
    pub(crate) deployment: Arc<Deployment>,
    /// The largest response that an HTTP handler may stream, if that is limited.
    pub(crate) max_stream: Option<ByteSize>,
    /// When the call began. Loading the code was over then.
    pub(crate) began: Instant,
    pub(crate) stderr: GuestStderr,
    /// Kept until the guest has ended.
    pub(crate) guards: CallGuards,
}

/// The values that are kept until a guest has ended.
pub(crate) struct CallGuards {
    /// The values that layers attached to the invocation.
    pub(crate) guards: Guards,
    /// The place that the invocation has at the function's gate.
    pub(crate) place: Place,
}

impl CallGuards {
    /// Lets a caller who queues for one of these places end `guest`, once `due` has passed.
    pub(super) fn register(&self, due: Instant, guest: &Arc<dyn Evictable>) -> Vec<Registration> {
        let mut registrations = vec![self.place.register(due, guest)];
        self.guards.each_place(&mut |place| registrations.push(place.register(due, guest)));
        registrations
    }
}
