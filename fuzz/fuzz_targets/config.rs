//! `just fuzz config`
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| nebula_fuzz::config(input));
