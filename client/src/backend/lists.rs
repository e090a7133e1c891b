//! Datasets (several tensors by one name) and lists of them, for backends that have them: what an aggregation needs.

use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use arrayvec::ArrayVec;

use super::files::Files;
use super::resp::Resp;
use super::{Backend, Trouble, Untimed};
use crate::tensors::Written;
use crate::wire::dataset::{self, Frame};
use crate::wire::put::PutOp;
use crate::wire::{BATCH, BatchError, ByteStream};

/// A list, and the connection to what holds it.
#[derive(Debug, Clone)]
pub struct List {
    pub connection: usize,
    pub key: String,
}

/// Entries of a list.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub first: usize,
    pub count: usize,
    /// It is the whole list.
    pub is_all: bool,
}

/// What is asked about a dataset before its tensors are read.
pub struct Question {
    pub connection: usize,
    pub command: Vec<u8>,
}

pub trait Lists: Backend {
    /// What a dataset's put needs beside its tensors, prepared.
    type Frame;

    fn prepare_dataset(&self, dataset: &str, tensors: u32) -> Self::Frame;

    /// Stores a dataset; its tensors are those of one connection.
    ///
    /// # Errors
    /// As [`Backend::put`].
    fn put_dataset(&mut self, frame: &mut Self::Frame, tensors: &mut [Written<Self::Put>]) -> Result<(), Trouble>;

    /// Appends the dataset of that name: it is in the list as a whole or not at all.
    ///
    /// # Errors
    /// What the store says.
    fn append(&mut self, list: &List, dataset: &str) -> Result<()>;

    /// Entries of a list; 0 where there is none.
    ///
    /// # Errors
    /// As [`Lists::append`].
    fn length(&mut self, list: &List) -> Result<usize>;

    /// Tells `each` of the entries in `part`, names of datasets; several that read parts of one list see the same order.
    ///
    /// # Errors
    /// As [`Lists::append`]; also fewer entries than that.
    fn entries(&mut self, list: &List, part: Part, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>;

    /// Removes the list, not the datasets in it.
    ///
    /// # Errors
    /// As [`Lists::append`].
    fn delete(&mut self, list: &List) -> Result<()>;

    /// What [`Lists::ask`] sends.
    fn prepare_question(&self, connection: usize, dataset: &str) -> Question;

    /// Reads what is said of at most [`BATCH`] datasets, which have `tensors` tensors each.
    ///
    /// # Errors
    /// As [`Backend::get`]; also a dataset that is not complete, or another than was put.
    fn ask(&mut self, questions: &[&Question], tensors: u32) -> Result<(), Trouble>;
}

impl<S: ByteStream> Lists for Resp<S> {
    type Frame = Frame;

    fn prepare_dataset(&self, dataset: &str, tensors: u32) -> Frame {
        Frame::new(dataset, tensors)
    }

    fn put_dataset(&mut self, frame: &mut Frame, tensors: &mut [Written<Self::Put>]) -> Result<(), Trouble> {
        let stream = tensors[0].stream;
        let ops: Vec<PutOp<'_>> =
            tensors.iter_mut().map(|one| PutOp { put: &mut one.put, payload: one.source.bytes() }).collect();
        frame.put(&mut self.streams[stream], &ops).map_err(|cause| trouble(stream, cause))
    }

    fn append(&mut self, list: &List, dataset: &str) -> Result<()> {
        dataset::append(&mut self.streams[list.connection], &list.key, dataset)
    }

    fn length(&mut self, list: &List) -> Result<usize> {
        dataset::length(&mut self.streams[list.connection], &list.key)
    }

    fn entries(&mut self, list: &List, part: Part, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let Part { first, count, is_all } = part;
        dataset::entries(&mut self.streams[list.connection], &list.key, (first, count, is_all), each)
    }

    fn delete(&mut self, list: &List) -> Result<()> {
        dataset::delete(&mut self.streams[list.connection], &list.key)
    }

    fn prepare_question(&self, connection: usize, dataset: &str) -> Question {
        Question { connection, command: dataset::describe(dataset) }
    }

    fn ask(&mut self, questions: &[&Question], tensors: u32) -> Result<(), Trouble> {
        for group in questions.chunk_by(|a, b| a.connection == b.connection) {
            let stream = group[0].connection;
            let commands: ArrayVec<&[u8], BATCH> = group.iter().map(|one| &one.command[..]).collect();
            dataset::read_descriptions(&mut self.streams[stream], &commands, tensors)
                .map_err(|cause| trouble(stream, cause))?;
        }
        Ok(())
    }
}

fn trouble(stream: usize, cause: anyhow::Error) -> Trouble {
    (stream, BatchError { at: 0, cause })
}

/// A list is a folder with an empty file for each dataset, made when the dataset's own files have their names: no reader sees half of
/// one. SmartSim-Scaling's file-system test copies each dataset into the folder instead, and its reader may find a file half copied.
impl Lists for Files {
    type Frame = ();

    fn prepare_dataset(&self, _dataset: &str, _tensors: u32) {}

    fn put_dataset(&mut self, _frame: &mut (), tensors: &mut [Written<Self::Put>]) -> Result<(), Trouble> {
        self.put(tensors, &mut Untimed)
    }

    fn append(&mut self, list: &List, dataset: &str) -> Result<()> {
        let (folder, what) = (self.folder_of(list), || format!("cannot append to the folder of {}", list.key));
        match std::fs::create_dir(&folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error).with_context(what),
            _ => {}
        }
        std::fs::File::create_new(folder.join(dataset)).map(|_| ()).with_context(what)
    }

    fn length(&mut self, list: &List) -> Result<usize> {
        match std::fs::read_dir(self.folder_of(list)) {
            Ok(entries) => Ok(entries.count()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error).with_context(|| format!("cannot list the folder of {}", list.key)),
        }
    }

    fn entries(&mut self, list: &List, part: Part, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let what = || format!("cannot list the folder of {}", list.key);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.folder_of(list)).with_context(what)? {
            names.push(entry.with_context(what)?.file_name());
        }
        names.sort_unstable();
        let due = part.first + part.count;
        ensure!(names.len() >= due, "the folder of {} has {} entries where {due} are due", list.key, names.len());
        names[part.first..due].iter().try_for_each(|name| each(name.as_encoded_bytes()))
    }

    fn delete(&mut self, list: &List) -> Result<()> {
        std::fs::remove_dir_all(self.folder_of(list))
            .with_context(|| format!("cannot remove the folder of {}", list.key))
    }

    fn prepare_question(&self, connection: usize, _dataset: &str) -> Question {
        Question { connection, command: Vec::new() }
    }

    /// A file says all of itself.
    fn ask(&mut self, _questions: &[&Question], _tensors: u32) -> Result<(), Trouble> {
        Ok(())
    }
}

impl Files {
    fn folder_of(&self, list: &List) -> PathBuf {
        self.path(list.connection).join(&list.key)
    }
}
