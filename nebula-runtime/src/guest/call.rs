//! One call of a guest, and what is kept for it.

use std::sync::Arc;

use bytesize::ByteSize;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::deployment::Deployment;
use crate::{
    call::{Evictable, Guards, Invocation, InvokeError, Place, Registration, Response},
    host::GuestStderr,
};

/// What becomes of a call.
pub(crate) type Answer = BoxFuture<'static, Result<Response, InvokeError>>;

/// One call of a guest.
pub(crate) struct Call {
    pub(crate) invocation: Invocation,
    pub(crate) deployment: Arc<Deployment>,
    /// How large a response may be that a guest of HTTP streams, in bytes, if that is limited.
    pub(crate) max_stream: Option<ByteSize>,
    /// When the call's own time began: that of loading is over.
    pub(crate) began: Instant,
    pub(crate) stderr: GuestStderr,
    /// To be kept until the guest has ended.
    pub(crate) held: Held,
}

/// What is kept until a guest has ended.
pub(crate) struct Held {
    /// What the layers attached to the invocation. Mostly to be dropped.
    pub(crate) guards: Guards,
    /// Where the function was let in.
    pub(crate) place: Place,
}

impl Held {
    /// Lets callers who queue for one of the places end `guest` from `due` on.
    pub(super) fn register(&self, due: Instant, guest: &Arc<dyn Evictable>) -> Vec<Registration> {
        let mut registrations = vec![self.place.register(due, guest)];
        self.guards.each_place(&mut |place| registrations.push(place.register(due, guest)));
        registrations
    }
}
