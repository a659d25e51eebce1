//! Jobs from stdin to stdout, over invokers made of closures.

mod harness;
mod lines;
mod one_event;
