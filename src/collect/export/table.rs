//! Samples as rows of a Parquet file. Knows nothing of runs and folders.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use anyhow::Result;
use parquet::basic::{Compression, Encoding};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use crate::record::op::Op;

/// The columns in the order of the file; docs/how-to/export.md explains them.
const SCHEMA: &str = "message samples {
    required binary path (string);
    required binary run (string);
    required int64 payload_bytes;
    required binary op (string);
    required int32 rank;
    optional binary host (string);
    optional int32 shard;
    required int32 sample;
    required boolean warmup;
    optional int64 start_ns;
    required int64 duration_ns;
}";

/// Columns whose values differ from row to row: as differences they take a byte or two.
const COUNTING: &[&str] = &["sample", "start_ns", "duration_ns"];

/// Rows that are in memory at a time, about 140 bytes each.
const ROWS_OF_A_GROUP: usize = 1 << 18;

/// A file that is being written.
pub struct Table {
    writer: SerializedFileWriter<File>,
    path: ByteArray,
    run: ByteArray,
    /// Each name once: rows share it.
    ops: BTreeMap<Op, ByteArray>,
    rows: Rows,
}

/// Rows by column. Of `hosts`, `shards` and `starts_ns` a file has all or none.
#[derive(Default)]
struct Rows {
    payload_bytes: Vec<i64>,
    ops: Vec<ByteArray>,
    ranks: Vec<i32>,
    hosts: Vec<ByteArray>,
    shards: Vec<i32>,
    samples: Vec<i32>,
    warmups: Vec<bool>,
    starts_ns: Vec<i64>,
    durations_ns: Vec<i64>,
}

/// What the rows of a series share.
#[derive(Clone)]
pub struct Shared {
    pub payload_bytes: u64,
    pub op: Op,
    pub rank: u32,
    /// Samples that are warm-up.
    pub warmup: u32,
    /// (host, shard), where they are known.
    pub place: Option<(ByteArray, u32)>,
}

impl Table {
    /// A table of the run at `path` with the name `run`.
    ///
    /// # Errors
    /// The disk's.
    pub fn new(file: File, path: &str, run: &str) -> Result<Table> {
        let mut properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
        for column in COUNTING {
            let column = ColumnPath::from(*column);
            properties = properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
        }
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        Ok(Table {
            writer: SerializedFileWriter::new(file, schema, Arc::new(properties.build()))?,
            path: path.into(),
            run: run.into(),
            ops: BTreeMap::new(),
            rows: Rows::default(),
        })
    }

    /// Takes the samples of a series as (start in ns, where it is known, duration in ns), warm-up first.
    ///
    /// # Errors
    /// The disk's.
    pub fn push(&mut self, shared: &Shared, samples: impl Iterator<Item = (Option<i64>, u64)>) -> Result<()> {
        let rows = &mut self.rows;
        let before = rows.durations_ns.len();
        for (number, (start_ns, duration_ns)) in (0..).zip(samples) {
            rows.samples.push(number);
            rows.warmups.push(number.cast_unsigned() < shared.warmup);
            rows.starts_ns.extend(start_ns);
            rows.durations_ns.push(duration_ns.cast_signed());
        }
        let len = rows.durations_ns.len();
        rows.payload_bytes.resize(len, shared.payload_bytes.cast_signed());
        let op = self.ops.entry(shared.op).or_insert_with(|| shared.op.as_str().into());
        rows.ops.resize(len, op.clone());
        rows.ranks.resize(len, shared.rank.cast_signed());
        if let Some((host, shard)) = &shared.place {
            rows.hosts.extend(std::iter::repeat_n(host.clone(), len - before));
            rows.shards.extend(std::iter::repeat_n(shard.cast_signed(), len - before));
        }
        if len >= ROWS_OF_A_GROUP { self.flush() } else { Ok(()) }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(mut self) -> Result<()> {
        self.flush()?;
        self.writer.close()?;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let len = rows.durations_ns.len();
        if len == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        let mut columns = Columns { group: &mut group, rows: len };
        columns.required::<ByteArrayType>(&vec![self.path.clone(); len])?;
        columns.required::<ByteArrayType>(&vec![self.run.clone(); len])?;
        columns.required::<Int64Type>(&rows.payload_bytes)?;
        columns.required::<ByteArrayType>(&rows.ops)?;
        columns.required::<Int32Type>(&rows.ranks)?;
        columns.all_or_none::<ByteArrayType>(&rows.hosts)?;
        columns.all_or_none::<Int32Type>(&rows.shards)?;
        columns.required::<Int32Type>(&rows.samples)?;
        columns.required::<BoolType>(&rows.warmups)?;
        columns.all_or_none::<Int64Type>(&rows.starts_ns)?;
        columns.required::<Int64Type>(&rows.durations_ns)?;
        group.close()?;
        Ok(())
    }
}

/// The columns of a group of rows, one after the other.
struct Columns<'a, 'b> {
    group: &'a mut SerializedRowGroupWriter<'b, File>,
    rows: usize,
}

impl Columns<'_, '_> {
    fn required<T: DataType>(&mut self, values: &[T::T]) -> Result<()> {
        self.write::<T>(values, None)
    }

    /// A column without values is absent in each row.
    fn all_or_none<T: DataType>(&mut self, values: &[T::T]) -> Result<()> {
        let is_there = i16::from(!values.is_empty());
        self.write::<T>(values, Some(&vec![is_there; self.rows]))
    }

    fn write<T: DataType>(&mut self, values: &[T::T], is_there: Option<&[i16]>) -> Result<()> {
        if let Some(mut column) = self.group.next_column()? {
            column.typed::<T>().write_batch(values, is_there, None)?;
            column.close()?;
        }
        Ok(())
    }
}
