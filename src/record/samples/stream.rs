//! Reading a samples file piece by piece: a run of 16,384 ranks has hundreds of megabytes, a reader needs two of them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::block::{self, Flaw, RawBlock};
use super::{BLOCK_HEADER, FILE_HEADER, FILE_MAGIC};
use crate::record::check_schema;

/// Bytes that are read at once, unless a block is longer: a few fit the cache that processor cores share.
const PIECE: usize = 2 << 20;

/// A samples file that is being read.
pub struct SamplesStream {
    file: File,
    /// What was read and not given out begins at `given`.
    buffer: Vec<u8>,
    given: usize,
    /// Place of `given` in the file.
    at: u64,
    /// Of the file when it was opened; what a running client appends meanwhile is not read.
    length: u64,
    torn: Option<String>,
}

/// Whole blocks that follow each other.
pub struct Piece<'a> {
    pub blocks: Vec<RawBlock<'a>>,
    /// Place of the first in the file.
    pub at: u64,
    /// Of the whole file.
    pub file_length: u64,
}

impl Piece<'_> {
    /// What is told of the file where the block `index` cannot be used.
    pub fn torn_at(&self, index: usize, flaw: Flaw) -> String {
        let before: usize = self.blocks[..index].iter().map(|block| block.len()).sum();
        block::torn_at(flaw, self.at + before as u64, self.file_length)
    }
}

/// Checks the bytes that a file begins with; the text tells of a file too short to have them all.
///
/// # Errors
/// A file of another kind or of a newer schema.
pub(super) fn check_header(bytes: &[u8]) -> Result<Option<String>> {
    if bytes.len() < FILE_HEADER {
        ensure!(FILE_MAGIC.starts_with(&bytes[..bytes.len().min(8)]), "is no samples file of ShardScale");
        return Ok(Some(format!("it breaks off after {} bytes", bytes.len())));
    }
    ensure!(&bytes[..8] == FILE_MAGIC, "is no samples file of ShardScale");
    check_schema(block::u32_at(bytes, 8), "the samples file")?;
    Ok(None)
}

impl SamplesStream {
    /// Opens the file and checks what kind it is; `Ok(None)` where there is none.
    ///
    /// # Errors
    /// An unreadable file, one of another kind or of a newer schema.
    pub fn open(path: &Path) -> Result<Option<SamplesStream>> {
        // a pipe that nobody writes to would be waited for
        ensure!(!path.exists() || path.is_file() || path.is_dir(), "{} is no file", path.display());
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (length, file) = match opened {
            Ok(opened) => opened,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let mut stream = SamplesStream { file, buffer: Vec::new(), given: 0, at: 0, length, torn: None };
        stream.fill(FILE_HEADER).with_context(|| format!("cannot read {}", path.display()))?;
        stream.torn = check_header(&stream.buffer)?;
        stream.give(FILE_HEADER.min(stream.buffer.len()));
        Ok(Some(stream))
    }

    /// The next blocks; `None` at the end of what is whole, which [`SamplesStream::torn`] tells from the file's end.
    ///
    /// # Errors
    /// The disk's.
    pub fn next_piece(&mut self) -> std::io::Result<Option<Piece<'_>>> {
        if self.torn.is_some() || self.at == self.length {
            return Ok(None);
        }
        self.fill(PIECE)?;
        // a block longer than a piece comes by itself
        if let Ok(length) = block::length(&self.buffer[self.given..], self.length - self.at) {
            self.fill(length)?;
        }
        let at = self.at;
        let mut ends = Vec::new();
        let flaw = loop {
            let here = &self.buffer[self.given..];
            let rest = self.length - self.at;
            match block::length(here, rest) {
                _ if rest == 0 => break None,
                Ok(length) if length <= here.len() => {
                    ends.push((self.given, self.given + length));
                    self.give(length);
                }
                // the rest of it has not been read yet
                Ok(_) => break None,
                Err(_) if here.len() < BLOCK_HEADER && (here.len() as u64) < rest => break None,
                Err(flaw) => break Some(flaw),
            }
        };
        self.torn = flaw.map(|flaw| block::torn_at(flaw, self.at, self.length));
        let blocks = ends.iter().map(|(start, end)| RawBlock::new(&self.buffer[*start..*end])).collect();
        Ok(Some(Piece { blocks, at, file_length: self.length }))
    }

    /// The file breaks off or holds no block where one should begin: what and where.
    pub fn torn(&self) -> Option<&str> {
        self.torn.as_deref()
    }

    fn give(&mut self, bytes: usize) {
        self.given += bytes;
        self.at += bytes as u64;
    }

    /// Reads on until `wanted` bytes are there, or all that the file has.
    fn fill(&mut self, wanted: usize) -> std::io::Result<()> {
        let here = self.buffer.len() - self.given;
        let rest = self.length - self.at;
        let wanted = usize::try_from(rest).map_or(wanted, |rest| wanted.min(rest));
        if here >= wanted {
            return Ok(());
        }
        self.buffer.drain(..self.given);
        self.given = 0;
        self.buffer.reserve(wanted - here);
        let read = (&self.file).take((wanted - here) as u64).read_to_end(&mut self.buffer)?;
        if read < wanted - here {
            // somebody cut the file meanwhile
            self.length = self.at + self.buffer.len() as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::whole_file;
    use super::*;

    fn read(bytes: &[u8]) -> (usize, Option<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(super::super::FILE);
        std::fs::write(&path, bytes).unwrap();
        let mut stream = SamplesStream::open(&path).unwrap().unwrap();
        let mut blocks = 0;
        while let Some(piece) = stream.next_piece().unwrap() {
            blocks += piece.blocks.iter().filter(|block| block.decode().is_ok()).count();
        }
        (blocks, stream.torn().map(str::to_owned))
    }

    #[test]
    fn a_stream_sees_what_the_whole_file_shows_wherever_it_is_cut() {
        let bytes = whole_file();
        for cut in 0..=bytes.len() {
            let file = super::super::SamplesFile::from_bytes(bytes[..cut].to_vec());
            let contents = file.contents().unwrap();
            let (blocks, torn) = read(&bytes[..cut]);
            let expected = usize::from(contents.meta.is_some()) + contents.series.len() + usize::from(contents.ended);
            assert_eq!(torn, contents.torn, "{cut}");
            // the block of ranks leaves no trace, there are none
            assert!(blocks == expected || blocks == expected + 1, "{cut}");
        }
        assert_eq!(read(&bytes), (5, None));
    }

    #[test]
    fn blocks_over_the_edges_of_pieces_are_whole() {
        let (starts, durations): (Vec<i64>, Vec<u64>) = ((0..1000).collect(), vec![9; 1000]);
        let long: (Vec<i64>, Vec<u64>) = ((0..PIECE as i64 / 4).collect(), vec![9; PIECE / 4]);
        let mut bytes = super::super::file_header().to_vec();
        for _ in 0..PIECE / 4000 {
            super::super::push_series(&mut bytes, &super::super::tests::series(0, &starts, &durations));
        }
        super::super::push_series(&mut bytes, &super::super::tests::series(0, &long.0, &long.1));
        super::super::push_end(&mut bytes);
        assert_eq!(read(&bytes), (PIECE / 4000 + 2, None));
        let (blocks, torn) = read(&bytes[..bytes.len() - 70]);
        assert_eq!(blocks, PIECE / 4000);
        assert!(torn.unwrap().starts_with("it breaks off"));
    }
}
