//! What is written reads back, whole, torn and damaged.

use proptest::prelude::*;

use super::*;

pub fn series<'a>(rank: u32, starts_ns: &'a [i64], durations_ns: &'a [u64]) -> Series<'a> {
    Series {
        rank,
        op: 1,
        payload_bytes: 1024,
        size_index: 0,
        shard: 2,
        warmup: 1,
        loop_ns: 99,
        starts_ns,
        durations_ns,
    }
}

pub fn whole_file() -> Vec<u8> {
    let mut bytes = file_header().to_vec();
    push_meta(&mut bytes, &example_meta()).unwrap();
    push_ranks(&mut bytes, &[]).unwrap();
    push_series(&mut bytes, &series(0, &[100, 200, 300], &[10, 20, 30]));
    push_series(&mut bytes, &series(1, &[-5, 6_000_000_000], &[1, 5_000_000_000]));
    push_end(&mut bytes);
    bytes
}

#[test]
fn what_is_written_reads_back() {
    let file = SamplesFile::from_bytes(whole_file());
    let contents = file.contents().unwrap();
    assert_eq!(contents.meta, Some(example_meta()));
    assert!(contents.ended && contents.torn.is_none());
    let samples: Vec<Vec<_>> = contents.series.iter().map(|s| s.samples().collect()).collect();
    assert_eq!(samples, [vec![(100, 10), (200, 20), (300, 30)], vec![(-5, 1), (6_000_000_000, 5_000_000_000)]]);
    let first = contents.series[0];
    assert_eq!((first.rank, first.op, first.shard, first.warmup, first.loop_ns), (0, 1, 2, 1, 99));
}

#[test]
fn a_sample_costs_eight_bytes() {
    let starts: Vec<i64> = (0..100).map(|i| i * 1000).collect();
    let mut bytes = Vec::new();
    push_series(&mut bytes, &series(0, &starts, &vec![500; 100]));
    assert_eq!(bytes.len(), 64 + 100 * 8);
}

#[test]
fn a_file_cut_anywhere_keeps_its_whole_blocks() {
    let bytes = whole_file();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    std::fs::write(&path, &bytes).unwrap();
    assert!(are_whole(&path) && !are_whole(folder.path()));
    for cut in 0..bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        assert!(!are_whole(&path), "{cut}");
        let file = SamplesFile::from_bytes(bytes[..cut].to_vec());
        let contents = file.contents().unwrap();
        assert!(!contents.ended);
        assert!(contents.series.len() <= 2);
    }
    let file = SamplesFile::from_bytes(bytes[..bytes.len() - 65].to_vec());
    let contents = file.contents().unwrap();
    assert_eq!(contents.series.len(), 1);
    assert!(contents.torn.as_deref().unwrap().starts_with("it breaks off at byte"), "{:?}", contents.torn);
}

/// Three samples (100, 10), (200, 20), (300, 30) as the release with schema 1 wrote them.
#[test]
fn a_block_of_schema_1_counts_from_the_end_of_the_sample_before() {
    let mut bytes = file_header().to_vec();
    bytes[8] = 1;
    push_series(&mut bytes, &series(0, &[100, 200, 300], &[10, 20, 30]));
    let block = FILE_HEADER;
    bytes[block + 22] = 0;
    for (index, gap) in [0u32, 90, 80].into_iter().enumerate() {
        let at = block + BLOCK_HEADER + 3 * 4 + index * 4;
        bytes[at..at + 4].copy_from_slice(&gap.to_le_bytes());
    }
    let crc = crc32fast::hash(&bytes[block + 8..]);
    bytes[block + 4..block + 8].copy_from_slice(&crc.to_le_bytes());
    let file = SamplesFile::from_bytes(bytes);
    let contents = file.contents().unwrap();
    assert_eq!(contents.series[0].samples().collect::<Vec<_>>(), [(100, 10), (200, 20), (300, 30)]);
}

#[test]
fn what_closes_a_size_and_a_run_reads_back() {
    let effort = Effort {
        size_index: 1,
        ranks: vec![RankEffort { cpu_us: 7, page_faults: 0, preempted: 2, waited: 9, polls: 0 }],
    };
    let clocks = [HostClock { offset_ns: -3, error_ns: 40 }];
    let mut bytes = whole_file();
    push_effort(&mut bytes, &effort).unwrap();
    push_clocks(&mut bytes, &clocks).unwrap();
    let file = SamplesFile::from_bytes(bytes);
    let contents = file.contents().unwrap();
    assert_eq!(contents.effort, [effort]);
    assert_eq!(contents.clocks_at_end.as_deref(), Some(&clocks[..]));
}

#[test]
fn a_flipped_bit_is_found() {
    let mut bytes = whole_file();
    let last = bytes.len() - BLOCK_HEADER - 1;
    bytes[last] ^= 1;
    let file = SamplesFile::from_bytes(bytes);
    let contents = file.contents().unwrap();
    assert_eq!(contents.series.len(), 1);
    assert!(contents.torn.as_deref().unwrap().starts_with("the checksum is wrong"));
}

#[test]
fn another_file_and_a_newer_one_are_refused() {
    assert!(SamplesFile::from_bytes(b"rank,function,seconds\n".to_vec()).contents().is_err());
    let mut bytes = whole_file();
    bytes[8] = 9;
    let error = SamplesFile::from_bytes(bytes).contents().err().unwrap();
    assert!(error.to_string().contains("schema version 9"), "{error}");
}

proptest! {
    #[test]
    fn any_series_reads_back(parts in prop::collection::vec((0u64..1 << 40, 0u64..1 << 40), 0..50), base in -1000i64..1000) {
        let mut at = base;
        let (mut starts, mut durations) = (Vec::new(), Vec::new());
        for (gap, duration) in parts {
            at += if starts.is_empty() { 0 } else { gap.cast_signed() };
            starts.push(at);
            durations.push(duration);
            at += duration.cast_signed();
        }
        let mut bytes = file_header().to_vec();
        push_series(&mut bytes, &series(7, &starts, &durations));
        let file = SamplesFile::from_bytes(bytes);
        let contents = file.contents().unwrap();
        let expected: Vec<_> = starts.into_iter().zip(durations).collect();
        prop_assert_eq!(contents.series[0].samples().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn overlapping_samples_read_back(parts in prop::collection::vec((0u64..1 << 40, 0u64..1 << 40), 0..50)) {
        let mut at = 0;
        let starts: Vec<i64> = parts.iter().map(|(step, _)| { at += step.cast_signed(); at }).collect();
        let durations: Vec<u64> = parts.iter().map(|(_, duration)| *duration).collect();
        let mut bytes = file_header().to_vec();
        push_series(&mut bytes, &series(7, &starts, &durations));
        let file = SamplesFile::from_bytes(bytes);
        let contents = file.contents().unwrap();
        let expected: Vec<_> = starts.into_iter().zip(durations).collect();
        prop_assert_eq!(contents.series[0].samples().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(tail in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = file_header().to_vec();
        bytes.extend(tail);
        let _ = SamplesFile::from_bytes(bytes).contents();
    }
}
