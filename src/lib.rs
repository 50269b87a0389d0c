//! Klamm.
