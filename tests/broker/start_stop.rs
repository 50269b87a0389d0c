//! start_stop
