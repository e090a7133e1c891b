//! Which queue row a job goes to.

use anyhow::{Result, bail};

use super::{Queue, Site, Walltime};

/// The row for a job: the one asked for by name, else the first that admits it.
///
/// `Ok(None)` where the site has no queues.
///
/// # Errors
/// No row admits the job: the message shows all rows with their limits.
pub fn choose_queue<'a>(
    site: &'a Site,
    asked: Option<&str>,
    nodes: u32,
    walltime: Walltime,
) -> Result<Option<&'a Queue>> {
    if site.queues.is_empty() && asked.is_none() {
        return Ok(None);
    }
    let candidates = || site.queues.iter().filter(|row| asked.map_or(!row.on_request, |name| row.name == name));
    if candidates().next().is_none() {
        let names: Vec<&str> = site.queues.iter().map(|row| row.name.as_str()).collect();
        let asked = asked.unwrap_or_default();
        bail!("site {} has no queue {asked:?}; it has: {}", site.name, names.join(", "));
    }
    if let Some(row) = candidates().find(|row| row.admits(nodes, walltime)) {
        return Ok(Some(row));
    }
    let rows: Vec<String> = candidates().map(Queue::limits).collect();
    bail!("no queue of {} admits {nodes} nodes for {walltime}: {}", site.name, rows.join("; "));
}

impl Queue {
    fn admits(&self, nodes: u32, walltime: Walltime) -> bool {
        nodes >= self.min_nodes && self.max_nodes.is_none_or(|max| nodes <= max) && walltime <= self.max_walltime
    }

    fn limits(&self) -> String {
        let most = self.max_nodes.map_or("any number of".to_owned(), |max| format!("{} to {max}", self.min_nodes));
        format!("{}: {most} nodes up to {}", self.name, self.max_walltime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load;

    fn walltime(text: &str) -> Walltime {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_row_that_admits_the_job_is_taken() {
        let frontier = load("frontier", None).unwrap();
        let row =
            |nodes, time| choose_queue(&frontier, None, nodes, walltime(time)).map(|row| row.unwrap().name.clone());
        assert_eq!(row(7, "02:00:00").unwrap(), "batch-1-91");
        assert_eq!(row(92, "06:00:00").unwrap(), "batch-92-183");
        let error = row(7, "06:00:00").unwrap_err().to_string();
        assert!(
            error
                .contains("no queue of frontier admits 7 nodes for 06:00:00: batch-1-91: 1 to 91 nodes up to 02:00:00"),
            "{error}"
        );
    }

    #[test]
    fn a_queue_on_request_is_taken_when_asked_for() {
        let frontier = load("frontier", None).unwrap();
        let row = choose_queue(&frontier, Some("extended"), 7, walltime("06:00:00")).unwrap();
        assert_eq!(row.unwrap().name, "extended");
        let error = choose_queue(&frontier, Some("fast"), 7, walltime("06:00:00")).unwrap_err().to_string();
        assert!(error.contains("has no queue \"fast\"; it has: batch-1-91,"), "{error}");
    }
}
