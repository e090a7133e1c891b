//! `rehearsal`: a folder beside the run directories whose results are no measurements.

/// Name of the folder.
pub const FOLDER: &str = "rehearsal";
