//! What a test that failed leaves to read, since its folder may be gone when somebody asks.

use std::path::Path;
use std::process::Command;

/// Prints the ends of all logs and records of how runs ended below `folder`.
pub fn print(folder: &Path) {
    let find = "find . -type f -size +0 \\( -name '*.log' -o -name status -o -name cause.json -o -name client-error.json \\) \
        -exec tail -v -n 20 {} +";
    if let Ok(output) = Command::new("bash").args(["-c", find]).current_dir(folder).output() {
        println!("--- what is left in {}\n{}---", folder.display(), String::from_utf8_lossy(&output.stdout));
    }
}
