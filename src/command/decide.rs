//! `shardscale size` and `shardscale next`: reads runs, prints what they say of a question.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use shardscale::collect;
use shardscale::collect::model::Run;
use shardscale::collect::sizing::question::Question;
use shardscale::collect::sizing::{answer, json, show};
use shardscale::generate::{self, STUDY_FILE};
use shardscale::next::{self, Wish};

use super::Exit;
use crate::cli::{AnswerFormat, NextArgs, QuestionArgs, SizeArgs};

/// Answers, and ends with whether anything meets what was asked.
pub fn size(args: &SizeArgs) -> Result<Exit> {
    let question = question(&args.of)?;
    let runs = runs(&args.of.dirs)?;
    let answers = answer::answer(&runs, &question, args.of.most_db_nodes);
    let text = match args.format {
        AnswerFormat::Text => show::text(&answers),
        AnswerFormat::Json => json::render(&answers)?,
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(if answers.is_met() { Exit::Success } else { Exit::Problems })
}

/// Proposes runs, and writes their study where that is asked.
pub fn next(args: &NextArgs) -> Result<Exit> {
    let question = question(&args.of)?;
    let is_sum = args.budget.is_finite() && args.budget > 0.0;
    generate::usage(if is_sum { Ok(()) } else { Err(anyhow!("--budget {}: give a number above 0", args.budget)) })?;
    let runs = runs(&args.of.dirs)?;
    let study = args.study.clone().unwrap_or_else(|| args.of.dirs[0].join(STUDY_FILE));
    let wish = Wish {
        question,
        most_db_nodes: args.of.most_db_nodes,
        study,
        budget: args.budget,
        write: args.write.clone(),
        config: args.config.clone(),
    };
    let found = next::find(&runs, &wish)?;
    std::io::stdout().lock().write_all(found.text.as_bytes())?;
    Ok(if found.is_open && found.runs == 0 { Exit::Problems } else { Exit::Success })
}

/// What flags alone show to be wrong is wrong usage; what a file says is not.
fn question(args: &QuestionArgs) -> Result<Question> {
    let asked = args.asked()?;
    generate::usage(asked.into_question())
}

fn runs(dirs: &[PathBuf]) -> Result<Vec<Run>> {
    let mut all = Vec::new();
    for dir in dirs {
        all.extend(collect::gather(dir, &dir.join(collect::REPORT))?.runs);
    }
    Ok(all)
}
