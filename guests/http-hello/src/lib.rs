//! Greets. The smallest possible handler: without the standard library, it imports only HTTP.
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

use alloc::borrow::ToOwned as _;

use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

wasip2::http::proxy::export!(Hello);

struct Hello;

impl wasip2::exports::http::incoming_handler::Guest for Hello {
    fn handle(_: IncomingRequest, out: ResponseOutparam) {
        let headers = Fields::from_list(&[("content-type".to_owned(), b"text/plain".to_vec())]).unwrap();
        let response = OutgoingResponse::new(headers);
        let body = response.body().unwrap();
        ResponseOutparam::set(out, Ok(response));
        let stream = body.write().unwrap();
        stream.blocking_write_and_flush(b"Hello").unwrap();
        drop(stream);
        OutgoingBody::finish(body, None).unwrap();
    }
}

/// The parts of the standard library that the handler needs.
#[cfg(target_family = "wasm")]
mod without_std {
    use alloc::alloc::{Layout, alloc, realloc};
    use core::{arch::wasm32::unreachable, panic::PanicInfo, ptr::without_provenance_mut};

    #[global_allocator]
    static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

    #[panic_handler]
    fn panic(_: &PanicInfo<'_>) -> ! {
        unreachable()
    }

    /// Allocates memory for values that the host passes.
    ///
    /// # Safety
    /// As for the Canonical ABI's `realloc`: this function returned `old` for `old_size` and `align`, or `old_size` is
    /// 0.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn cabi_realloc(old: *mut u8, old_size: usize, align: usize, new_size: usize) -> *mut u8 {
        // SAFETY: the host passes a power of two as alignment, and sizes that fit the memory.
        let layout = |size| unsafe { Layout::from_size_align_unchecked(size, align) };
        let new = match (old_size, new_size) {
            (_, 0) => without_provenance_mut(align),
            // SAFETY: the size is not 0.
            (0, _) => unsafe { alloc(layout(new_size)) },
            // SAFETY: the caller promises that `old` was allocated with `old_size`.
            (_, _) => unsafe { realloc(old, layout(old_size), new_size) },
        };
        if new.is_null() { unreachable() } else { new }
    }
}
