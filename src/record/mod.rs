//! The record format: pure bytes, no I/O.
