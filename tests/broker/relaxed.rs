//! relaxed
