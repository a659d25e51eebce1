//! What callers see of a function with many short calls beside another function.

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    thread::available_parallelism,
};

use tokio::task::{JoinSet, yield_now};

use super::*;

/// Calls a function again and again, as a client over one connection does: it waits for the server between two calls.
async fn client(runtime: Arc<Runtime>, function: &'static str, answered: Arc<AtomicUsize>, calls: usize) {
    for _ in 0..calls {
        assert_eq!(call(&runtime, function).await, Ok("7".to_owned()));
        answered.fetch_add(1, SeqCst);
        yield_now().await;
    }
}

#[tokio::test]
async fn a_function_that_is_called_over_few_connections_has_its_part_beside_one_that_is_flooded() {
    const CALLS: usize = 50;

    // A round has some calls of a function for each processor.
    let few = 16 * available_parallelism().unwrap().get();
    let runtime = Arc::new(Runtime::builder(Store::memory()).admission(512).build().unwrap());
    for function in ["flooded", "other"] {
        publish(&runtime, function, 7).await;
        call(&runtime, function).await.unwrap();
    }
    let [flood, others] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let (mut flooding, mut calling) = (JoinSet::new(), JoinSet::new());
    (0..20 * few).for_each(|_| {
        flooding.spawn(client(Arc::clone(&runtime), "flooded", Arc::clone(&flood), usize::MAX));
    });
    (0..few).for_each(|_| {
        calling.spawn(client(Arc::clone(&runtime), "other", Arc::clone(&others), CALLS));
    });
    while let Some(ended) = calling.join_next().await {
        ended.unwrap();
    }
    let (flood, others) = (flood.load(SeqCst), others.load(SeqCst));
    assert_eq!(others, few * CALLS);
    assert!(others * 3 > flood * 2, "{others} calls of one function beside {flood} of the flooded one");
    assert!(flood > others / 20, "the flooded function had {flood} calls beside {others}");
}
