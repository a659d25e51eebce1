//! Functions that wait. They are `async` in their WIT.

use wasip3::clocks::monotonic_clock::wait_for;

wit_bindgen::generate!({ path: "wit/typed-async.wit" });

struct Async;

export!(Async);

impl Guest for Async {
    async fn wait(milliseconds: u32) -> String {
        wait_for(u64::from(milliseconds) * 1_000_000).await;
        format!("waited for {milliseconds} ms")
    }

    async fn fail(milliseconds: u32) -> Result<String, String> {
        Err(Self::wait(milliseconds).await)
    }
}
