//! The results of pure functions, which are kept in memory.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use bytesize::ByteSize;
use http::HeaderValue;
use quick_cache::{
    DefaultHashBuilder, Weighter,
    sync::{Cache, DefaultLifecycle, PlaceholderGuard},
};

use crate::{
    call::{ErrorKind, InvokeError},
    function::Digest,
    store::cache::sized_cache,
};

/// The results of all pure functions of a runtime. Those that were not asked for the longest time go where there is no room.
///
/// - One call at a time computes the result for a key. Other calls with the same key wait for it.
/// - Only results are kept. A failure is told to the calls that wait for it, and to no later call.
/// - If the call that computes a result leaves, the next call that waits for it computes it.
pub(crate) struct Results {
    capacity: ByteSize,
    /// Made when a pure function is first called.
    kept: OnceLock<Kept>,
}

type Kept = Cache<Key, Shared, Size>;

/// What a call is told that waits for the result: the result, or why another call has none.
type Shared = Result<Answer, Failure>;

/// What the results of pure functions take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ResultCacheUse {
    /// How many results are kept.
    pub results: u64,
    /// How many bytes they take.
    pub bytes: u64,
    /// How many bytes they may take.
    pub limit: u64,
}

/// All that a result depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key(Box<[u8]>);

/// A result.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// The result as JSON.
    pub(super) body: Bytes,
    /// Its entity tag, a strong one (RFC 9110, section 8.8.3).
    pub(super) tag: Option<HeaderValue>,
}

#[derive(Debug, Clone)]
struct Failure {
    kind: ErrorKind,
    detail: Arc<str>,
}

/// What a call does that needs a result.
pub(super) enum Turn<'a> {
    /// It takes the result that another call has computed.
    Known(Answer),
    /// It fails as the call that it has waited for.
    Failed(InvokeError),
    /// It computes the result.
    Own(Computation<'a>),
}

/// The right to compute the result for a key. If it is dropped, the next call that waits has it.
pub(super) struct Computation<'a> {
    kept: &'a Kept,
    key: &'a Key,
    place: PlaceholderGuard<'a, Key, Shared, Size, DefaultHashBuilder, DefaultLifecycle<Key, Shared>>,
}

impl Results {
    /// Keeps results of `capacity` bytes together, with what it takes to keep them.
    pub(crate) fn new(capacity: ByteSize) -> Self {
        Self { capacity, kept: OnceLock::new() }
    }

    /// What is kept now.
    pub(crate) fn used(&self) -> ResultCacheUse {
        let limit = self.capacity.as_u64();
        match self.kept.get() {
            Some(kept) => ResultCacheUse { results: kept.len() as u64, bytes: kept.weight(), limit },
            None => ResultCacheUse { limit, ..ResultCacheUse::default() },
        }
    }

    /// The result for a key, if it is kept.
    pub(super) fn get(&self, key: &Key) -> Option<Answer> {
        self.kept().get(key)?.ok()
    }

    /// Waits while another call computes the result for this key.
    pub(super) async fn turn<'a>(&'a self, key: &'a Key) -> Turn<'a> {
        let kept = self.kept();
        match kept.get_value_or_guard_async(key).await {
            Ok(Ok(answer)) => Turn::Known(answer),
            Ok(Err(Failure { kind, detail })) => Turn::Failed(InvokeError::new(kind, &*detail)),
            Err(place) => Turn::Own(Computation { kept, key, place }),
        }
    }

    fn kept(&self) -> &Kept {
        self.kept.get_or_init(|| sized_cache(self.capacity, Size))
    }
}

impl Computation<'_> {
    /// Keeps the result, and gives it to the calls that wait.
    pub(super) fn keep(self, answer: Answer) {
        // It is given back if there is no more room for it, or if the cache was cleared.
        drop(self.place.insert(Ok(answer)));
    }

    /// Gives a failure to the calls that wait.
    pub(super) fn fail(self, error: &InvokeError) {
        let failure = Failure { kind: error.kind(), detail: error.detail().into() };
        drop(self.place.insert(Err(failure)));
        self.kept.remove_if(self.key, Result::is_err);
    }
}

impl Key {
    /// The key of a call: the module, the export, the bits of its arguments, and the memory that the guest may have.
    pub(super) fn new(
        module: &Digest,
        export: &str,
        arguments: impl ExactSizeIterator<Item = u64>,
        memory: u64,
    ) -> Self {
        let size = module.as_bytes().len() + export.len() + (arguments.len() + 2) * size_of::<u64>();
        let mut key = Vec::with_capacity(size);
        key.extend_from_slice(module.as_bytes());
        key.extend_from_slice(&memory.to_le_bytes());
        // The length tells where the name ends.
        key.extend_from_slice(&(export.len() as u64).to_le_bytes());
        key.extend_from_slice(export.as_bytes());
        arguments.for_each(|argument| key.extend_from_slice(&argument.to_le_bytes()));
        Self(key.into())
    }
}

impl Answer {
    /// This result, with a tag that is the digest of its bytes.
    pub(super) fn new(body: Bytes) -> Self {
        let tag = HeaderValue::try_from(format!("\"{}\"", Digest::of(&body).hex())).ok();
        Self { body, tag }
    }
}

/// How much memory an entry takes.
#[derive(Clone)]
struct Size;

impl Weighter<Key, Shared> for Size {
    fn weight(&self, Key(key): &Key, shared: &Shared) -> u64 {
        /// What an entry takes besides its key and its body: its place in the cache, its tag, and what the allocator adds.
        const OVERHEAD: usize = 400;

        let body = shared.as_ref().map_or(0, |answer| answer.body.len());
        (key.len() + body + OVERHEAD) as u64
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn key(argument: u64) -> Key {
        Key::new(&Digest::of(b"module"), "f", [argument].into_iter(), 1)
    }

    fn answer(text: String) -> Answer {
        Answer::new(text.into())
    }

    /// Computes the result for a key that no call computes now.
    fn compute(results: &Results, number: u64) {
        let key = key(number);
        match results.turn(&key).now_or_never() {
            Some(Turn::Own(computation)) => computation.keep(answer(number.to_string())),
            _ => panic!("the result for {number} is there, or is computed by another call"),
        }
    }

    #[test]
    fn results_take_no_more_than_their_room_and_the_one_that_is_asked_for_stays() {
        let results = Results::new(ByteSize::kib(64));
        (0..10_000).for_each(|number| {
            compute(&results, number);
            results.get(&key(0)).expect("a result that is asked for often stays");
        });
        let kept = results.kept();
        assert!(kept.weight() <= ByteSize::kib(64).as_u64(), "{}", kept.weight());
        assert!(kept.len() > 50, "{}", kept.len());
    }

    #[test]
    fn without_room_a_result_is_given_to_those_that_wait_and_is_not_kept() {
        let results = Results::new(ByteSize(0));
        let key = key(1);
        let Some(Turn::Own(computation)) = results.turn(&key).now_or_never() else { panic!("it is not kept yet") };
        let mut waiting = Box::pin(results.turn(&key));
        assert!(waiting.as_mut().now_or_never().is_none());
        computation.keep(answer("7".to_owned()));
        assert!(matches!(waiting.now_or_never(), Some(Turn::Known(answer)) if answer.body == "7"));
        assert!(results.get(&key).is_none());
    }

    #[test]
    fn a_failure_is_told_to_those_that_wait_and_to_no_later_call() {
        let results = Results::new(ByteSize::kib(64));
        let key = key(1);
        let Some(Turn::Own(computation)) = results.turn(&key).now_or_never() else { panic!("it is not kept yet") };
        let mut waiting = Box::pin(results.turn(&key));
        assert!(waiting.as_mut().now_or_never().is_none());
        computation.fail(&InvokeError::new(ErrorKind::GuestFault, "the guest trapped"));
        let Some(Turn::Failed(error)) = waiting.now_or_never() else { panic!("the failure is not told") };
        assert_eq!((error.kind(), error.detail()), (ErrorKind::GuestFault, "the guest trapped"));
        assert!(results.get(&key).is_none());
        compute(&results, 1);
    }

    #[test]
    fn when_the_call_that_computes_leaves_the_next_one_computes() {
        let results = Results::new(ByteSize::kib(64));
        let key = key(1);
        let Some(Turn::Own(computation)) = results.turn(&key).now_or_never() else { panic!("it is not kept yet") };
        let mut waiting = Box::pin(results.turn(&key));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(computation);
        assert!(matches!(waiting.now_or_never(), Some(Turn::Own(_))));
    }

    #[test]
    fn a_key_is_all_that_a_result_depends_on() {
        let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
        let keys = [
            Key::new(&one, "f", [1, 2].into_iter(), 64),
            Key::new(&one, "f", [2, 1].into_iter(), 64),
            Key::new(&one, "f", [1, 2].into_iter(), 65),
            Key::new(&one, "g", [1, 2].into_iter(), 64),
            Key::new(&two, "f", [1, 2].into_iter(), 64),
            Key::new(&one, "f\u{1}\0\0\0\0\0\0\0", [2].into_iter(), 64),
        ];
        let different: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
        assert_eq!(keys[0], Key::new(&one, "f", [1, 2].into_iter(), 64));
    }
}
