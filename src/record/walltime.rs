//! Wall time as schedulers take it.

use std::fmt;
use std::str::FromStr;

/// A wall time in whole seconds, spelled HH:MM:SS.
///
/// No other spelling is read: `24:00` is a day to Slurm's reader and 24 minutes to PBS (facts/pbs.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Walltime {
    pub seconds: u32,
}

super::vocabulary::schema_of_text!(Walltime, "^[0-9]{1,3}:[0-5][0-9]:[0-5][0-9]$", "HH:MM:SS");

impl FromStr for Walltime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is not a wall time; write hours, minutes and seconds as HH:MM:SS, such as 00:30:00");
        let parts: Vec<&str> = text.split(':').collect();
        let [hours, minutes, seconds] = parts[..] else { return Err(wrong()) };
        let number = |part: &str, digits: std::ops::RangeInclusive<usize>, below: u32| {
            let plain = digits.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u32>().ok().filter(|value| plain && *value < below).ok_or_else(wrong)
        };
        let seconds =
            number(hours, 1..=3, 1000)? * 3600 + number(minutes, 2..=2, 60)? * 60 + number(seconds, 2..=2, 60)?;
        if seconds == 0 { Err(wrong()) } else { Ok(Walltime { seconds }) }
    }
}

impl fmt::Display for Walltime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Walltime { seconds } = self;
        write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

super::vocabulary::as_text!(Walltime);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_spelling_is_read() {
        assert_eq!("00:30:00".parse(), Ok(Walltime { seconds: 1800 }));
        assert_eq!("168:00:00".parse::<Walltime>().unwrap().to_string(), "168:00:00");
        for wrong in ["24:00", "1h", "1-00:00:00", "00:60:00", "0:0:1", "-1:00:00", "00:00:00", "+1:00:00", "1:00:00 "]
        {
            assert!(wrong.parse::<Walltime>().unwrap_err().contains("HH:MM:SS"), "{wrong}");
        }
    }
}
