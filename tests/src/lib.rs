//! A private real containerd, a CRI client, and what the cases share.
