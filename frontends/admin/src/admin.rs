//! The admin API as a whole.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::Router;
use nebula_http::{BODY_STALL, FileBacked};
use nebula_runtime::{ByteSize, Runtime, Services};

use crate::{
    api::{self, State},
    changes::Changes,
    recent::RecentInvocations,
    tokens::TokenFile,
    upload::UploadLimits,
};

/// The API that changes functions over HTTP.
///
/// | route | right | answer |
/// |---|---|---|
/// | `GET /functions?after=NAME&limit=100` | `read` | the functions, in pages |
/// | `GET /functions/{name}`, `GET /functions/{name}/versions/{version}` | `read` | one version, and the `ETag` of the function |
/// | `GET /functions/{name}/versions` | `read` | all versions |
/// | `PUT /functions/{name}?alias=prod` | `publish`, and `alias` for an alias | publishes the body |
/// | `DELETE /functions/{name}`, `DELETE /functions/{name}/versions/{number}`, `?force=true` | `remove`, and `alias` to force | removes versions |
/// | `GET /functions/{name}/aliases` | `read` | the aliases |
/// | `PUT`, `DELETE /functions/{name}/aliases/{alias}` | `alias` | moves or removes an alias |
/// | `POST /functions/{name}/rollback` | `alias` | takes the last move of an alias back |
/// | `GET /functions/{name}/history` | `read` | all changes |
/// | `GET /functions/{name}/diff?from=VERSION&to=VERSION` | `read` | how two versions differ |
/// | `GET /services/{service}/keyvalue?prefix=P&cursor=C` | `data` | the keys of a key-value store, in pages |
/// | `GET`, `PUT`, `DELETE /services/{service}/keyvalue/value?key=KEY` | `data` | the value of a key |
/// | `GET /services/{service}/blobs?prefix=P` | `data` | the blobs of a service, one on each line |
/// | `GET`, `PUT`, `DELETE /services/{service}/blobs/content?name=NAME` | `data` | a blob |
/// | `GET /invocations?function=NAME&failed=true&after=PLACE&limit=100` | `read` | the last invocations of this server, with what their guests logged |
/// | `GET /openapi.json`, `GET /healthz` | no token | the description of the API; `ok` |
/// | `GET /` | no token | the console, a page for people that asks for a token and holds no data itself |
///
/// - Every request but the last three needs `Authorization: Bearer TOKEN`. A token that is revoked, or that has expired,
///   lets nobody in from the next request on. While the token file cannot be used, nobody is let in.
/// - A change is made only if `If-Match` or `If-None-Match: *` hold, where the request has them.
/// - A configuration that grants folders of this machine is refused.
/// - A change that has begun goes on when its client leaves.
/// - A token for some functions reads and changes nothing in services: it belongs to no function.
/// - Keys and names of blobs are parameters of the query, because proxies and clients change a path with `..`, `//` or
///   `%2F` in it.
pub struct Admin {
    runtime: Arc<Runtime>,
    tokens: TokenFile,
    uploads: UploadLimits,
    changes: Changes,
    services: Services,
    recent: RecentInvocations,
}

impl Admin {
    /// The largest upload, unless another one is set: 256 MiB.
    pub const MAX_UPLOAD: ByteSize = ByteSize::mib(256);

    /// An API for the functions of `runtime`, and for the tokens in a file, which need not exist yet.
    pub fn new(runtime: Arc<Runtime>, tokens: TokenFile) -> Self {
        /// How long an upload may take.
        const TIME: Duration = Duration::from_mins(10);

        let uploads = UploadLimits { size: Self::MAX_UPLOAD, stall: BODY_STALL, time: TIME };
        let (changes, services, recent) = Default::default();
        Self { runtime, tokens, uploads, changes, services, recent }
    }

    /// The same API with another size of the largest upload.
    #[must_use]
    pub fn with_max_upload(self, size: ByteSize) -> Self {
        Self { uploads: self.uploads.of_size(size), ..self }
    }

    /// The same API with the services of the node, whose values and blobs the holders of tokens read and change.
    #[must_use]
    pub fn with_services(self, services: Services) -> Self {
        Self { services, ..self }
    }

    /// The same API with the last invocations, which the runtime has to have as an observer. Without them, none are shown.
    #[must_use]
    pub fn with_invocations(self, recent: RecentInvocations) -> Self {
        Self { recent, ..self }
    }

    /// The changes that are under way. A server that stops waits for them.
    #[must_use]
    pub fn changes(&self) -> Changes {
        self.changes.clone()
    }

    /// The router, for a listener of its own.
    pub fn router(self) -> Router {
        let Self { runtime, tokens, uploads, changes, services, recent } = self;
        let read = || Ok::<_, Infallible>(api::read_tokens(&tokens));
        let Ok(known) = FileBacked::new(vec![tokens.path().to_owned()], read);
        api::router(State::new(runtime, tokens, known, uploads, (changes, services, recent)))
    }
}
