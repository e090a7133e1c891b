//! `shardscale submit`, `rehearse` and `status`: reads what they need, prints what became of it.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::Result;
use shardscale::campaign::ledger::Ledger;
use shardscale::campaign::limits::Turn;
use shardscale::campaign::local::{self, Event};
use shardscale::campaign::submit::{self, Plan, Planned, Request};
use shardscale::campaign::{limits, rehearsal, status};
use shardscale::generate;
use shardscale::progress::silent;
use shardscale::record::jobs::Half;
use shardscale::scheduler::{Scheduler, Submission};

use super::Exit;
use crate::cli::{RehearseArgs, StatusArgs, StatusFormat};

/// Submits or runs.
pub fn submit(request: &Request) -> Result<Exit> {
    submit_and_say(request, &mut std::io::stdout())
}

/// The same; `ids` gets the jobs that were submitted.
fn submit_and_say(request: &Request, ids: &mut dyn Write) -> Result<Exit> {
    let _lock = if request.dry_run { None } else { Some(submit::lock(&request.out)?) };
    let mut ledger = Ledger::read(&request.out)?;
    let plan = submit::plan(request, &mut ledger)?;
    plan.notes.iter().for_each(|note| eprintln!("note: {note}"));
    plan.left.iter().for_each(|(why, runs)| eprintln!("{runs} runs are left alone: {why}"));
    let exit = match (request.dry_run, plan.scheduler) {
        (true, _) => show(&plan, request.again)?,
        (false, None) => run_here(&plan, request.again)?,
        (false, Some(scheduler)) => to_the_queue(request, &plan, scheduler, &mut ledger, ids)?,
    };
    Ok(exit)
}

fn to_the_queue(
    request: &Request,
    plan: &Plan,
    scheduler: &'static dyn Scheduler,
    ledger: &mut Ledger,
    ids: &mut dyn Write,
) -> Result<Exit> {
    let count = submit::submit(request, plan, scheduler, ledger, |job| {
        let behind = if job.behind.is_empty() { String::new() } else { format!("  behind {}", job.behind.join(", ")) };
        // the ledger has it: a closed pipe must not end the submission in the middle
        let _ = writeln!(ids, "{:<12} {}{behind}", job.id, job.name);
    })?;
    eprintln!("{count} jobs submitted");
    Ok(say_later(plan))
}

/// Says what a limit keeps for later, and what to do about it.
fn say_later(plan: &Plan) -> Exit {
    let later: Vec<&str> = plan
        .jobs
        .iter()
        .filter_map(|job| match &job.turn {
            Turn::Later(limit) => Some(limit.as_str()),
            Turn::Submit(_) => None,
        })
        .collect();
    let Some(limit) = later.first() else { return Exit::Success };
    eprintln!(
        "{} jobs are left for later: limit {limit:?} of site {} is reached. The same command submits them once others have \
         ended; `shardscale gen --pack` makes fewer jobs",
        later.len(),
        plan.folder.site
    );
    Exit::Problems
}

fn show(plan: &Plan, again: bool) -> Result<Exit> {
    let mut stdout = std::io::stdout().lock();
    for planned in &plan.jobs {
        let (Turn::Submit(behind), Some(script)) = (&planned.turn, &planned.job.script) else { continue };
        let behind: Vec<String> = behind.iter().flat_map(|before| names_of(before, &plan.jobs)).collect();
        let submission =
            Submission { script, token: "TOKEN", behind: &behind, database: None, smaller: planned.smaller, again };
        if let Some(script) = &planned.job.database {
            let id = id_of(&planned.job.name, Half::Db);
            writeln!(stdout, "{}", command_line(plan.scheduler, Submission { script, ..submission }))?;
            let client = Submission { behind: &[], database: Some(&id), ..submission };
            writeln!(stdout, "{}", command_line(plan.scheduler, client))?;
        } else {
            writeln!(stdout, "{}", command_line(plan.scheduler, submission))?;
        }
    }
    let now = plan.jobs.iter().filter(|job| matches!(job.turn, Turn::Submit(_)));
    let now: usize = now.map(|planned| planned.job.rows().len()).sum();
    let runs: usize = plan.jobs.iter().map(|job| job.runs).sum();
    eprintln!("{now} jobs would be submitted, {runs} runs are to be measured");
    Ok(say_later(plan))
}

/// A command as it would be typed, with its variables.
fn command_line(scheduler: Option<&dyn Scheduler>, submission: Submission<'_>) -> String {
    let Some(scheduler) = scheduler else {
        return format!("bash {}", shardscale::script::shell_word(&submission.script.display().to_string()));
    };
    let variables = scheduler.variables(submission).into_iter();
    let variables = variables.map(|(name, value)| format!("{name}={}", shardscale::script::shell_word(&value)));
    let words = scheduler.command(submission).into_iter().map(|word| shardscale::script::shell_word(&word));
    let script = shardscale::script::shell_word(&submission.script.display().to_string());
    let input = scheduler.reads_stdin().then(|| format!("< {script}"));
    variables.chain(words).chain(input).collect::<Vec<_>>().join(" ")
}

fn names_of(before: &limits::Before, jobs: &[Planned]) -> Vec<String> {
    match before {
        limits::Before::Present(id) => vec![id.clone()],
        limits::Before::New(index) => {
            let job = &jobs[*index].job;
            let db = job.database.iter().map(|_| id_of(&job.name, Half::Db));
            db.chain([id_of(&job.name, Half::Client)]).collect()
        }
    }
}

fn id_of(job: &str, half: Half) -> String {
    format!("ID_OF_{}", half.job_name(job))
}

fn run_here(plan: &Plan, again: bool) -> Result<Exit> {
    let terminal = std::io::stderr().is_terminal();
    let ran = local::run(plan, again, |event| match event {
        Event::Begins { name, number, of } => eprintln!("shardscale: {number} of {of}: {name}"),
        Event::Running { how_far, .. } if terminal => eprint!("\r\x1b[K  {how_far}"),
        Event::Running { .. } => {}
        Event::Ended { name, code } => {
            if terminal {
                eprint!("\r\x1b[K");
            }
            match code {
                Some(0) => {}
                Some(code) => eprintln!("shardscale: {name} ended with exit code {code}: `shardscale status` says why"),
                None => eprintln!("shardscale: {name} was killed by a signal"),
            }
        }
    })?;
    let left = if ran.left > 0 { format!(", {} left", ran.left) } else { String::new() };
    eprintln!("{} measured, {} failed{left}", ran.good, ran.failed);
    Ok(if ran.failed + ran.left == 0 { Exit::Success } else { Exit::Problems })
}

/// Says how everything stands.
pub fn status(args: &StatusArgs) -> Result<Exit> {
    let mut status = status::of(&args.dir)?;
    if let Some(seconds) = args.watch {
        let terminal = std::io::stdout().is_terminal();
        while status.is_going_on() {
            if terminal {
                let mut stdout = std::io::stdout().lock();
                // to the beginning, and nothing of the last look behind the end of this one
                write!(
                    stdout,
                    "\x1b[H\x1b[2J{}\nevery {seconds} s until nothing waits or runs; ^C ends this look\n",
                    status.table()
                )?;
                stdout.flush()?;
            }
            std::thread::sleep(Duration::from_secs(seconds));
            status = status::of(&args.dir)?;
        }
        if terminal {
            print!("\x1b[H\x1b[2J");
        }
    }
    let text = match args.format {
        StatusFormat::Table => status.table(),
        StatusFormat::Json => status.json()?,
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(if status.needs_a_look() { Exit::Problems } else { Exit::Success })
}

/// Makes and submits the rehearsal of a folder, as far as that is not done, and says what is known of it.
pub fn rehearse(args: &RehearseArgs) -> Result<Exit> {
    let generated = rehearsal::prepare(&args.dir, args.client.clone(), args.config.clone())?;
    generate::run(&generated, &silent)?;
    let request = Request { out: generated.out, again: args.again, config: args.config.clone(), ..Request::default() };
    // stdout is for the report
    submit_and_say(&request, &mut std::io::stderr())?;
    let report = rehearsal::report(&args.dir)?;
    let text = match args.format {
        StatusFormat::Table => report.table(),
        StatusFormat::Json => report.json()?,
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(if report.findings.is_empty() { Exit::Success } else { Exit::Problems })
}
