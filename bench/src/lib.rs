//! The workloads that Mangrove is measured by.
//!
//! Every figure is a ratio within one run on one machine, a median of several runs of a release
//! build, printed beside the peers that were run next to it. Nothing here is linked into the
//! product.
